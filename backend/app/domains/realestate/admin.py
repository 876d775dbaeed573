"""Real-estate tables in the admin."""

from typing import TYPE_CHECKING

from django.contrib import admin

from app.domains.realestate.models import Article, ArticleChange, ArticleSnapshot, Complex, CrawlJob, Transaction

if TYPE_CHECKING:
    _ComplexAdmin = admin.ModelAdmin[Complex]
    _ArticleAdmin = admin.ModelAdmin[Article]
    _SnapshotAdmin = admin.ModelAdmin[ArticleSnapshot]
    _ChangeAdmin = admin.ModelAdmin[ArticleChange]
    _JobAdmin = admin.ModelAdmin[CrawlJob]
    _TransactionAdmin = admin.ModelAdmin[Transaction]
else:  # generic in its stubs alone
    _ComplexAdmin = _ArticleAdmin = _SnapshotAdmin = admin.ModelAdmin
    _ChangeAdmin = _JobAdmin = _TransactionAdmin = admin.ModelAdmin


@admin.register(Complex)
class ComplexAdmin(_ComplexAdmin):
    """Complexes that are watched."""

    list_display = ("complex_id", "complex_name", "total_households", "min_price", "max_price", "updated_at")
    search_fields = ("complex_id", "complex_name", "address")


@admin.register(Article)
class ArticleAdmin(_ArticleAdmin):
    """Listings as last seen."""

    list_display = ("article_no", "complex", "trade_type", "price", "area_name", "is_active", "last_seen_at")
    list_filter = ("is_active", "trade_type")
    list_select_related = ("complex",)
    search_fields = ("article_no", "complex__complex_name")
    raw_id_fields = ("complex",)


@admin.register(ArticleSnapshot)
class ArticleSnapshotAdmin(_SnapshotAdmin):
    """Snapshots, one a listing and crawl."""

    list_display = ("article_no", "complex", "trade_type", "price", "snapshot_date")
    list_select_related = ("complex",)
    search_fields = ("article_no", "crawl_session_id")
    raw_id_fields = ("complex",)
    show_full_result_count = False


@admin.register(ArticleChange)
class ArticleChangeAdmin(_ChangeAdmin):
    """What changed between two crawls."""

    list_display = (
        "detected_at",
        "change_type",
        "complex",
        "article_no",
        "old_price",
        "new_price",
        "is_read",
    )
    list_filter = ("change_type", "is_read")
    list_select_related = ("complex",)
    search_fields = ("article_no", "complex__complex_name")
    raw_id_fields = ("complex",)


@admin.register(CrawlJob)
class CrawlJobAdmin(_JobAdmin):
    """Crawls as they went."""

    list_display = (
        "job_id",
        "complex_name",
        "status",
        "started_at",
        "duration_seconds",
        "articles_collected",
    )
    list_filter = ("status", "job_type")
    search_fields = ("job_id", "complex_name", "celery_task_id")
    raw_id_fields = ("complex",)


@admin.register(Transaction)
class TransactionAdmin(_TransactionAdmin):
    """Real trades."""

    list_display = ("complex", "trade_type", "trade_date", "formatted_price", "floor", "area")
    list_select_related = ("complex",)
    raw_id_fields = ("complex",)
