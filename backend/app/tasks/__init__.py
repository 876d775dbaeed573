"""Celery tasks: unpack, one service call, return. Names are a public contract; they are never renamed."""

from app.core.bootstrap import boot
from app.core.celery_app import celery_app as celery_app  # sets DJANGO_SETTINGS_MODULE before Django starts

boot()
