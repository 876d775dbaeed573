"""Runs in Django's admin: to look at, never to change; the event stream alone writes them."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from app.history.models import Run

if TYPE_CHECKING:
    _RunAdmin = admin.ModelAdmin[Run]
else:
    _RunAdmin = admin.ModelAdmin  # generic in its stubs alone


@admin.register(Run)
class RunAdmin(_RunAdmin):
    """Read-only list and detail."""

    list_display = ("id", "schedule", "task", "state", "attempt", "seen_at", "started_at", "finished_at")
    list_filter = ("state", "kind")
    search_fields = ("=id", "=schedule", "=task")
    ordering = ("-seen_at", "-id")
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Run | None = None) -> bool:
        return False
