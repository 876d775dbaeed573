"""The Django app of the velog domain."""

from django.apps import AppConfig


class VelogConfig(AppConfig):
    """Label `velog`; its tables keep the names of the old back office."""

    name = "app.domains.velog"
    label = "velog"
    verbose_name = "벨로그 통계"
    default_auto_field = "django.db.models.BigAutoField"
