"""The old crawler's tables, names and types unchanged, plus `run_id` on listings and snapshots.

Listings refer to a complex by its number on the site, not by the primary key. Prices of complexes and transactions are
in 만원; a listing keeps the site's own text ("11억 5,000"), read by `app.domains.realestate.prices`.
"""

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone


class Complex(models.Model):
    """An apartment complex. `completion_date` is YYYYMMDD, areas are in m².

    One that is no longer watched keeps everything that was saved, and isn't crawled with the others.
    """

    complex_id = models.CharField("단지 번호", max_length=50, unique=True)
    complex_name = models.CharField("단지명", max_length=200)
    complex_type = models.CharField("유형", max_length=50, null=True, blank=True)
    address = models.CharField("주소", max_length=500, null=True, blank=True)
    road_address = models.CharField("도로명 주소", max_length=500, null=True, blank=True)
    jibun_address = models.CharField("지번 주소", max_length=500, null=True, blank=True)
    total_households = models.IntegerField("세대수", null=True, blank=True)
    total_dongs = models.IntegerField("동수", null=True, blank=True)
    completion_date = models.CharField("준공일", max_length=20, null=True, blank=True)
    min_area = models.FloatField("최소 면적", null=True, blank=True)
    max_area = models.FloatField("최대 면적", null=True, blank=True)
    min_price = models.BigIntegerField("최저 매매가", null=True, blank=True)
    max_price = models.BigIntegerField("최고 매매가", null=True, blank=True)
    min_lease_price = models.BigIntegerField("최저 전세가", null=True, blank=True)
    max_lease_price = models.BigIntegerField("최고 전세가", null=True, blank=True)
    latitude = models.FloatField("위도", null=True, blank=True)
    longitude = models.FloatField("경도", null=True, blank=True)
    is_watched = models.BooleanField("수집 대상", default=True, db_default=True)
    created_at = models.DateTimeField("생성 일시", auto_now_add=True)
    updated_at = models.DateTimeField("수정 일시", null=True, auto_now=True)

    class Meta:
        db_table = "complexes"
        verbose_name = "단지"
        verbose_name_plural = "단지"

    def __str__(self) -> str:
        return f"{self.complex_name} ({self.complex_id})"


def _complex_key(related_name: str) -> "models.ForeignKey[Complex, Complex]":
    return models.ForeignKey(
        Complex,
        to_field="complex_id",
        db_column="complex_id",
        on_delete=models.CASCADE,
        related_name=related_name,
        verbose_name="단지",
    )


class Article(models.Model):
    """A listing as last seen; `is_active` turns False when a complete crawl no longer finds it.

    `price_amount` is the price (or deposit) that `price` says, in 만원, to search by; None where it can't be read.
    """

    article_no = models.CharField("매물 번호", max_length=50, unique=True)
    complex = _complex_key("articles")
    trade_type = models.CharField("거래 유형", max_length=20, null=True, blank=True)
    price = models.CharField("가격", max_length=100, null=True, blank=True)
    monthly_rent = models.IntegerField("월세 (만원)", null=True, blank=True)
    price_amount = models.BigIntegerField("가격 (만원)", null=True, blank=True)
    price_change_state = models.CharField("가격 변동", max_length=20, null=True, blank=True)
    area_name = models.CharField("면적 유형", max_length=50, null=True, blank=True)
    area1 = models.FloatField("공급 면적", null=True, blank=True)
    area2 = models.FloatField("전용 면적", null=True, blank=True)
    floor_info = models.CharField("층", max_length=50, null=True, blank=True)
    direction = models.CharField("방향", max_length=50, null=True, blank=True)
    building_name = models.CharField("동", max_length=100, null=True, blank=True)
    feature_desc = models.TextField("특징", null=True, blank=True)
    tags = models.TextField("태그 (JSON)", null=True, blank=True)
    realtor_name = models.CharField("중개사", max_length=200, null=True, blank=True)
    same_addr_cnt = models.IntegerField("동일 매물 수", null=True, blank=True, default=1)
    same_addr_max_prc = models.CharField("동일 매물 최고가", max_length=100, null=True, blank=True)
    same_addr_min_prc = models.CharField("동일 매물 최저가", max_length=100, null=True, blank=True)
    confirm_date = models.CharField("확인일", max_length=20, null=True, blank=True)
    is_active = models.BooleanField("활성", null=True, default=True)
    first_found_at = models.DateTimeField("최초 발견", null=True, default=timezone.now)
    last_seen_at = models.DateTimeField("마지막 확인", null=True, default=timezone.now)
    created_at = models.DateTimeField("생성 일시", null=True, auto_now_add=True)
    updated_at = models.DateTimeField("수정 일시", null=True, auto_now=True)
    run_id = models.CharField("실행 ID", max_length=64, null=True, blank=True)

    class Meta:
        db_table = "articles"
        verbose_name = "매물"
        verbose_name_plural = "매물"
        indexes: ClassVar = [models.Index(fields=["complex", "is_active"], name="articles_complex_active_idx")]

    def __str__(self) -> str:
        return f"{self.article_no} {self.price}"


class ArticleSnapshot(models.Model):
    """A listing as one crawl saw it; `crawl_session_id` is the crawl's `CrawlJob.job_id`."""

    complex = _complex_key("snapshots")
    article_no = models.CharField("매물 번호", max_length=50, db_index=True)
    trade_type = models.CharField("거래 유형", max_length=20, null=True, blank=True)
    price = models.CharField("가격", max_length=100, null=True, blank=True)
    area_name = models.CharField("면적 유형", max_length=50, null=True, blank=True)
    area1 = models.FloatField("공급 면적", null=True, blank=True)
    floor_info = models.CharField("층", max_length=50, null=True, blank=True)
    direction = models.CharField("방향", max_length=50, null=True, blank=True)
    building_name = models.CharField("동", max_length=100, null=True, blank=True)
    realtor_name = models.CharField("중개사", max_length=200, null=True, blank=True)
    same_addr_cnt = models.IntegerField("동일 매물 수", null=True, blank=True)
    snapshot_date = models.DateTimeField("스냅샷 일시", db_index=True)
    crawl_session_id = models.CharField("수집 세션", max_length=100, null=True, blank=True)
    created_at = models.DateTimeField("생성 일시", null=True, auto_now_add=True)
    run_id = models.CharField("실행 ID", max_length=64, null=True, blank=True)

    class Meta:
        db_table = "article_snapshots"
        verbose_name = "매물 스냅샷"
        verbose_name_plural = "매물 스냅샷"
        indexes: ClassVar = [models.Index(fields=["complex", "snapshot_date"], name="snapshots_complex_date_idx")]

    def __str__(self) -> str:
        return f"{self.article_no} at {self.snapshot_date:%Y-%m-%d %H:%M}"


class ArticleChange(models.Model):
    """Something that changed between two crawls. Amounts are in 만원: of the price, or of the rent where it moved."""

    class Type(models.TextChoices):
        NEW = "NEW", "신규"
        REMOVED = "REMOVED", "삭제"
        PRICE_UP = "PRICE_UP", "가격 상승"
        PRICE_DOWN = "PRICE_DOWN", "가격 하락"
        RELISTED = "RELISTED", "재등록"

    complex = _complex_key("changes")
    article_no = models.CharField("매물 번호", max_length=50, db_index=True, null=True, blank=True)
    change_type = models.CharField("변동", max_length=20, db_index=True, choices=Type.choices)
    old_price = models.CharField("이전 가격", max_length=100, null=True, blank=True)
    new_price = models.CharField("현재 가격", max_length=100, null=True, blank=True)
    price_change_amount = models.BigIntegerField("변동액 (만원)", null=True, blank=True)
    price_change_percent = models.FloatField("변동률 (%)", null=True, blank=True)
    trade_type = models.CharField("거래 유형", max_length=20, null=True, blank=True)
    area_name = models.CharField("면적 유형", max_length=50, null=True, blank=True)
    building_name = models.CharField("동", max_length=100, null=True, blank=True)
    floor_info = models.CharField("층", max_length=50, null=True, blank=True)
    from_snapshot_id = models.BigIntegerField("이전 스냅샷", null=True, blank=True)
    to_snapshot_id = models.BigIntegerField("현재 스냅샷", null=True, blank=True)
    detected_at = models.DateTimeField("감지 일시", null=True, db_index=True, default=timezone.now)
    is_read = models.BooleanField("읽음", null=True, default=False)

    class Meta:
        db_table = "article_changes"
        verbose_name = "매물 변동"
        verbose_name_plural = "매물 변동"

    def __str__(self) -> str:
        return f"{self.change_type} {self.article_no}"


class ChangeDelivery(models.Model):
    """A change that a briefing has delivered to a channel (`discord`, `slack`)."""

    change = models.ForeignKey(ArticleChange, on_delete=models.CASCADE, related_name="deliveries", verbose_name="변동")
    channel = models.CharField("채널", max_length=20)
    delivered_at = models.DateTimeField("전송 일시")

    class Meta:
        db_table = "change_deliveries"
        verbose_name = "변동 전송"
        verbose_name_plural = "변동 전송"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["change", "channel"], name="change_deliveries_once_a_channel")
        ]

    def __str__(self) -> str:
        return f"change {self.change_id} to {self.channel}"


class CrawlJob(models.Model):
    """One crawl of one complex, or of all. `job_id` is the run's id where a run did it.

    `crawl_id` is the `job_id` of the crawl of all that this is part of; the crawl of all itself has its own there.
    """

    class Status(models.TextChoices):
        PENDING = "pending", "대기"
        RUNNING = "running", "실행 중"
        SUCCESS = "success", "성공"
        FAILED = "failed", "실패"

    job_id = models.UUIDField("작업 ID", unique=True, default=uuid.uuid4)
    crawl_id = models.UUIDField("전체 수집", null=True, blank=True, db_index=True)
    job_type = models.CharField("종류", max_length=50, default="manual")
    complex = models.ForeignKey(
        Complex,
        to_field="complex_id",
        db_column="complex_id",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="crawl_jobs",
        verbose_name="단지",
    )
    complex_name = models.CharField("단지명", max_length=200, null=True, blank=True)
    status = models.CharField("상태", max_length=20, choices=Status.choices, default=Status.PENDING)
    started_at = models.DateTimeField("시작", null=True, blank=True)
    finished_at = models.DateTimeField("종료", null=True, blank=True)
    duration_seconds = models.IntegerField("소요 (초)", null=True, blank=True)
    articles_collected = models.IntegerField("수집", null=True, default=0)
    articles_new = models.IntegerField("신규", null=True, default=0)
    articles_updated = models.IntegerField("갱신", null=True, default=0)
    articles_removed = models.IntegerField("삭제", null=True, default=0)
    error_message = models.TextField("오류", null=True, blank=True)
    error_traceback = models.TextField("오류 상세", null=True, blank=True)
    celery_task_id = models.CharField("Celery 태스크", max_length=255, null=True, blank=True)
    created_at = models.DateTimeField("생성 일시", null=True, auto_now_add=True)

    class Meta:
        db_table = "crawl_jobs"
        verbose_name = "수집 작업"
        verbose_name_plural = "수집 작업"
        indexes: ClassVar = [models.Index(fields=["complex", "status", "-started_at"], name="crawl_jobs_last_idx")]

    def __str__(self) -> str:
        return f"{self.job_id} ({self.status})"


class OddAnswer(models.Model):
    """What the site answered when a crawl could not use it: the reason, and the answer's form without its content."""

    created_at = models.DateTimeField("수신 일시", db_index=True)
    complex_id = models.CharField("단지 번호", max_length=50)
    run_id = models.CharField("실행 ID", max_length=64, null=True, blank=True, db_index=True)
    step = models.CharField("요청", max_length=50)
    error = models.CharField("오류", max_length=100)
    reason = models.CharField("이유", max_length=500)
    form = models.TextField("응답 형식", blank=True)

    class Meta:
        db_table = "odd_answers"
        verbose_name = "비정상 응답"
        verbose_name_plural = "비정상 응답"

    def __str__(self) -> str:
        return f"{self.step} {self.complex_id}: {self.error}"


class Transaction(models.Model):
    """A real trade as the ministry publishes it. `trade_date` and `cancelled_on` are YYYYMMDD.

    `complex` is None where no watched complex fits; the ministry's own words for the place are kept in any case.
    `trade_key` tells one trade from another; the old crawler's rows have none.
    """

    complex = models.ForeignKey(
        Complex,
        to_field="complex_id",
        db_column="complex_id",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="transactions",
        verbose_name="단지",
    )
    trade_type = models.CharField("거래 유형", max_length=20, null=True, blank=True)
    trade_date = models.CharField("거래일", max_length=20, db_index=True, null=True, blank=True)
    deal_price = models.BigIntegerField("거래가 (만원)", null=True, blank=True)
    formatted_price = models.CharField("거래가", max_length=100, null=True, blank=True)
    floor = models.IntegerField("층", null=True, blank=True)
    area = models.FloatField("면적", null=True, blank=True)
    exclusive_area = models.FloatField("전용 면적", null=True, blank=True)
    region_code = models.CharField("지역 코드", max_length=5, null=True, blank=True)
    apartment_name = models.CharField("아파트명", max_length=200, null=True, blank=True)
    legal_dong = models.CharField("법정동", max_length=100, null=True, blank=True)
    jibun = models.CharField("지번", max_length=50, null=True, blank=True)
    building_name = models.CharField("동", max_length=100, null=True, blank=True)
    build_year = models.IntegerField("건축 연도", null=True, blank=True)
    cancelled_on = models.CharField("해제일", max_length=8, null=True, blank=True)
    trade_key = models.CharField("거래 키", max_length=64, null=True, blank=True, unique=True)
    created_at = models.DateTimeField("생성 일시", null=True, auto_now_add=True)

    class Meta:
        db_table = "transactions"
        verbose_name = "실거래"
        verbose_name_plural = "실거래"

    def __str__(self) -> str:
        return f"{self.trade_date} {self.formatted_price}"
