"""Keys in Django's admin: to look at and to revoke. Made by `manage.py api_key create` alone, which shows them once."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from app.access.models import ApiKey
from livebeat import clock

if TYPE_CHECKING:
    _KeyAdmin = admin.ModelAdmin[ApiKey]
else:
    _KeyAdmin = admin.ModelAdmin  # generic in its stubs alone


@admin.register(ApiKey)
class ApiKeyAdmin(_KeyAdmin):
    """A read-only list; not even the digest is shown."""

    list_display = ("name", "scope", "prefix", "created_at", "expires_at", "revoked_at", "last_used_at")
    list_filter = ("scope",)
    search_fields = ("name", "prefix")
    ordering = ("-created_at",)
    fields = list_display
    actions = ("revoke_selected",)

    @admin.action(description="선택한 키 폐기 / Revoke the selected keys", permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        """End the keys at once, for ever."""
        count = chosen.filter(revoked_at__isnull=True).update(revoked_at=clock.now())
        self.message_user(request, f"{count}개의 키를 폐기했습니다. / {count} revoked.")

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Superusers alone, as an admin's key may by REST."""
        return bool(getattr(request.user, "is_superuser", False))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False
