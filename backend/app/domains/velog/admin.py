"""velog tables in the admin. Tokens are never shown, not even encrypted, and can't be edited."""

from typing import TYPE_CHECKING

from django.contrib import admin
from django.http import HttpRequest

from app.domains.velog.models import Post, PostDailyStatistics, QRLoginToken, StatsRefreshRequest, User

if TYPE_CHECKING:
    _UserAdmin = admin.ModelAdmin[User]
    _QRLoginTokenAdmin = admin.ModelAdmin[QRLoginToken]
    _PostAdmin = admin.ModelAdmin[Post]
    _PostDailyStatisticsAdmin = admin.ModelAdmin[PostDailyStatistics]
    _StatsRefreshRequestAdmin = admin.ModelAdmin[StatsRefreshRequest]
else:  # generic in its stubs alone
    _UserAdmin = _QRLoginTokenAdmin = _PostAdmin = _PostDailyStatisticsAdmin = _StatsRefreshRequestAdmin = (
        admin.ModelAdmin
    )


@admin.register(User)
class UserAdmin(_UserAdmin):
    """Users without their tokens; they are made by signing in, not here."""

    list_display = ("id", "username", "email", "group_id", "is_active", "newsletter_subscribed", "updated_at")
    list_filter = ("is_active", "newsletter_subscribed")
    search_fields = ("username", "email", "velog_uuid")
    exclude = ("access_token", "refresh_token")
    readonly_fields = ("velog_uuid", "group_id", "created_at", "updated_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: a user without tokens would be of no use."""
        return False


@admin.register(QRLoginToken)
class QRLoginTokenAdmin(_QRLoginTokenAdmin):
    """Login codes, without the code itself."""

    list_display = ("id", "user", "created_at", "expires_at", "is_used", "ip_address")
    exclude = ("token",)
    readonly_fields = ("user", "created_at", "expires_at", "is_used", "ip_address", "user_agent")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: codes are made by the sign-in page."""
        return False


@admin.register(Post)
class PostAdmin(_PostAdmin):
    """Posts; inactive ones are those that velog no longer lists."""

    list_display = ("id", "title", "user", "is_active", "released_at", "updated_at")
    list_filter = ("is_active",)
    list_select_related = ("user",)
    search_fields = ("title", "slug", "post_uuid")
    raw_id_fields = ("user",)


@admin.register(PostDailyStatistics)
class PostDailyStatisticsAdmin(_PostDailyStatisticsAdmin):
    """Daily totals, read only: they are measurements."""

    list_display = ("post", "date", "daily_view_count", "daily_like_count", "updated_at", "run_id")
    list_select_related = ("post",)
    search_fields = ("post__title", "run_id")
    date_hierarchy = "date"
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: PostDailyStatistics | None = None) -> bool:
        """Nobody."""
        return False


@admin.register(StatsRefreshRequest)
class StatsRefreshRequestAdmin(_StatsRefreshRequestAdmin):
    """Refresh requests as they went."""

    list_display = ("request_id", "user", "status", "retry_count", "created_at", "finished_at")
    list_filter = ("status",)
    list_select_related = ("user",)
    search_fields = ("request_id", "user__username")
    raw_id_fields = ("user", "requested_by")
