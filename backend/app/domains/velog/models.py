"""The old back office's tables, names and types unchanged, plus `run_id` on the daily statistics.

`PostDailyStatistics.date` is midnight in Korea as an instant; its two counts are totals since publication, not the
day's own. Tokens are ciphertext (`app.domains.velog.tokens`).
"""

import secrets
import uuid
from datetime import datetime, timedelta
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone


def random_group() -> int:
    """A group from 1 to 1000; it spreads users over jobs and picks the key of their tokens."""
    return secrets.randbelow(1000) + 1


def in_five_minutes() -> datetime:
    """When a login code made now expires."""
    return timezone.now() + timedelta(minutes=5)


class TimeStamped(models.Model):
    """When a row was made and last changed."""

    created_at = models.DateTimeField("생성 일시", auto_now_add=True)
    updated_at = models.DateTimeField("수정 일시", auto_now=True)

    class Meta:
        abstract = True


class User(TimeStamped):
    """A velog account that signed in to the dashboard."""

    velog_uuid = models.UUIDField("velog UUID", unique=True)
    access_token = models.TextField("access token")
    refresh_token = models.TextField("refresh token")
    group_id = models.IntegerField("그룹", default=random_group)
    email = models.EmailField("이메일", null=True, blank=True, max_length=254)
    username = models.CharField("사용자 이름", null=True, blank=True, max_length=255)
    thumbnail = models.CharField("프로필 이미지", null=True, blank=True, max_length=255)
    is_active = models.BooleanField("활성", default=True)
    newsletter_subscribed = models.BooleanField("뉴스레터 구독", default=True)

    class Meta:
        db_table = "users_user"
        verbose_name = "velog 사용자"
        verbose_name_plural = "velog 사용자"

    def __str__(self) -> str:
        return self.username or str(self.velog_uuid)


class QRLoginToken(models.Model):
    """A short code by which a phone signs in."""

    token = models.CharField(max_length=10, unique=True, db_index=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="qr_login_tokens")
    created_at = models.DateTimeField("생성 일시", auto_now_add=True)
    expires_at = models.DateTimeField("만료 일시", default=in_five_minutes)
    is_used = models.BooleanField("사용됨", default=False)
    ip_address = models.CharField(null=True, blank=True, max_length=45)
    user_agent = models.CharField(null=True, blank=True, max_length=255)

    class Meta:
        db_table = "users_qrlogintoken"
        verbose_name = "QR 로그인 코드"
        verbose_name_plural = "QR 로그인 코드"

    def __str__(self) -> str:
        return f"QR login of user {self.user_id}"


class Post(TimeStamped):
    """A velog post; one that disappears from velog becomes inactive and keeps its statistics."""

    post_uuid = models.UUIDField("velog 게시글 UUID", unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="posts")
    title = models.CharField("제목", max_length=255)
    is_active = models.BooleanField("활성", default=True)
    slug = models.CharField("슬러그", null=True, blank=True, max_length=500)
    released_at = models.DateTimeField("발행 일시", null=True, blank=True)

    class Meta:
        db_table = "posts_post"
        verbose_name = "게시글"
        verbose_name_plural = "게시글"

    def __str__(self) -> str:
        return self.title


class PostDailyStatistics(TimeStamped):
    """A post's totals as last read on one Korean day; `run_id` is the run that wrote them."""

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="daily_statistics")
    date = models.DateTimeField("날짜 (한국 자정)")
    daily_view_count = models.PositiveIntegerField("조회수 (누적)", default=0)
    daily_like_count = models.PositiveIntegerField("좋아요 (누적)", default=0)
    run_id = models.CharField("실행 ID", null=True, blank=True, max_length=64)

    class Meta:
        db_table = "posts_postdailystatistics"
        verbose_name = "일별 통계"
        verbose_name_plural = "일별 통계"
        indexes: ClassVar = [models.Index(fields=["post", "-date"], name="posts_pds_post_date_idx")]
        constraints: ClassVar = [models.UniqueConstraint(fields=["post", "date"], name="posts_pds_post_date_uniq")]

    def __str__(self) -> str:
        return f"statistics of post {self.post_id} on {self.date:%Y-%m-%d}"


class StatsRefreshRequest(TimeStamped):
    """A request to refresh one user's statistics, with the status words of the old back office."""

    class Status(models.TextChoices):
        QUEUED = "QUEUED", "대기"
        PROCESSING = "PROCESSING", "처리 중"
        SUCCESS = "SUCCESS", "성공"
        FAILED = "FAILED", "실패"
        DLQ = "DLQ", "포기"

    request_id = models.UUIDField("요청 ID", unique=True, default=uuid.uuid4)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="stats_refresh_requests")
    requested_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="requested_stats_refreshes"
    )
    status = models.CharField("상태", max_length=16, choices=Status.choices, default=Status.QUEUED)
    retry_count = models.PositiveSmallIntegerField("재시도", default=0)
    reclaimed_count = models.PositiveSmallIntegerField("회수", default=0)
    last_error = models.TextField("마지막 오류", blank=True, default="")
    finished_at = models.DateTimeField("종료 일시", null=True, blank=True)

    class Meta:
        db_table = "ops_tracking_statsrefreshrequest"
        verbose_name = "통계 새로고침 요청"
        verbose_name_plural = "통계 새로고침 요청"
        indexes: ClassVar = [models.Index(fields=["status", "-created_at"], name="ops_srr_status_created_idx")]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(status__in=["QUEUED", "PROCESSING"]), name="uniq_inflight_per_user"
            )
        ]

    def __str__(self) -> str:
        return f"{self.request_id} ({self.status})"
