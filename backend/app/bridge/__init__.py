"""The bridge: takes the refresh requests that other systems still push to the old Redis list. `python -m app.bridge`.

Importing it starts Django, since what it imports needs the models; it never asks the database anything.
"""

from app.core.bootstrap import boot
from app.core.celery_app import celery_app as celery_app  # sets DJANGO_SETTINGS_MODULE

boot()
