"""The Django app `access`."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """API keys and sign-in."""

    name = "app.access"
    label = "access"
    verbose_name = "접근 권한"
