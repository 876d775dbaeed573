"""Django's settings for django-celery-beat: SQLite in the run's folder."""

import os

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{os.environ['BENCH_FOLDER']}/beat.sqlite3",
    }
}
INSTALLED_APPS = ["django_celery_beat"]
SECRET_KEY = "bench"
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
