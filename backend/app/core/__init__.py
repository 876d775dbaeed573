"""What every process of the platform needs first: settings, errors, logging, Django's start, the Celery app."""
