"""velog tables in the admin. Tokens are never shown, not even encrypted, and can't be edited."""

from collections import Counter
from typing import TYPE_CHECKING

import redis
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from app.domains.velog.models import Post, PostDailyStatistics, QRLoginToken, StatsRefreshRequest, User
from app.domains.velog.requests import retry_row
from livebeat.errors import LivebeatError

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


#: Rows that one action asks for again.
MOST_RETRIED = 500
_CAME_TO = {
    "accepted": "다시 요청함 / asked again:",
    "under_way": "이미 진행 중 / under way already:",
    "not_failed": "실패한 요청이 아님 / did not fail:",
    "superseded": "이후 요청이 있음 / has a later request:",
}


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
    """Refresh requests as they went: read only, since the recorder alone writes them; failed ones may be asked for again."""

    list_display = ("request_id", "user", "status", "retry_count", "created_at", "finished_at", "last_error")
    list_filter = ("status",)
    list_select_related = ("user",)
    search_fields = ("=request_id", "=user__id", "user__username")
    ordering = ("-created_at",)
    date_hierarchy = "created_at"
    show_full_result_count = False
    actions = ("retry",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody: a request is made by asking for one."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: StatsRefreshRequest | None = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: StatsRefreshRequest | None = None) -> bool:
        """Nobody."""
        return False

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """Those who might change requests, if requests could be changed."""
        return request.user.has_perm("velog.change_statsrefreshrequest")

    @admin.action(description="실패한 요청 다시 시도 / Retry failed requests", permissions=["retry"])
    def retry(self, request: HttpRequest, queryset: QuerySet[StatsRefreshRequest]) -> None:
        """Ask again for each that failed, the newest first, at most `MOST_RETRIED`; says what came of them."""
        counts: Counter[str] = Counter()
        try:
            for row in queryset.order_by("-created_at")[:MOST_RETRIED]:
                counts[retry_row(row)] += 1
        except (redis.RedisError, LivebeatError) as error:
            why = error.text("ko") if isinstance(error, LivebeatError) else f"Redis에 연결할 수 없습니다: {error}"
            self.message_user(request, f"중단되었습니다. {why}", messages.ERROR)
        told = ", ".join(f"{_CAME_TO[outcome]} {count}" for outcome, count in counts.items())
        self.message_user(request, told or "없음 / none", messages.SUCCESS if counts["accepted"] else messages.WARNING)
