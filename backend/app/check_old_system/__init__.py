"""`./check_old_system.sh`: looks at the database and the Redis of the old stats-refresh consumer before the switch.

It only reads. Importing it starts Django, since what it imports needs the models.
"""

from app.core.bootstrap import boot
from app.core.celery_app import celery_app as celery_app  # sets DJANGO_SETTINGS_MODULE

boot()
