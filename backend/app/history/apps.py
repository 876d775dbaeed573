"""The Django app `history`."""

from django.apps import AppConfig


class HistoryConfig(AppConfig):
    """Run history, kept from the event stream."""

    name = "app.history"
    label = "history"
    verbose_name = "실행 기록"
