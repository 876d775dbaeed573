"""The recorder: reads the event stream and keeps the run history. `python -m app.recorder`.

Importing it starts Django, since what it imports needs the models.
"""

from app.core.bootstrap import boot
from app.core.celery_app import celery_app as celery_app  # sets DJANGO_SETTINGS_MODULE

boot()
