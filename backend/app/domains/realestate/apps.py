"""The Django app of the real-estate domain."""

from django.apps import AppConfig


class RealEstateConfig(AppConfig):
    """Label `realestate`; its tables keep the names of the old crawler."""

    name = "app.domains.realestate"
    label = "realestate"
    verbose_name = "부동산 매물"
    default_auto_field = "django.db.models.BigAutoField"
