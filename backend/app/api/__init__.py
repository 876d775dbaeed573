"""REST over HTTP: shapes, statuses and messages. Importing it starts Django, since the routes need the models."""

from app.core.bootstrap import boot
from app.core.celery_app import celery_app as celery_app  # sets DJANGO_SETTINGS_MODULE

boot()
