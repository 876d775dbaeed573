"""Real-estate tables in the admin. What crawls and imports have measured is read only there; each list goes out as CSV."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from app.domains.realestate.models import (
    Article,
    ArticleChange,
    ArticleSnapshot,
    Complex,
    CrawlJob,
    OddAnswer,
    Transaction,
)
from app.domains.realestate.spreadsheet import heading, lines

if TYPE_CHECKING:
    _ComplexAdmin = admin.ModelAdmin[Complex]
    _ArticleAdmin = admin.ModelAdmin[Article]
    _SnapshotAdmin = admin.ModelAdmin[ArticleSnapshot]
    _ChangeAdmin = admin.ModelAdmin[ArticleChange]
    _JobAdmin = admin.ModelAdmin[CrawlJob]
    _OddAnswerAdmin = admin.ModelAdmin[OddAnswer]
    _TransactionAdmin = admin.ModelAdmin[Transaction]
else:  # generic in its stubs alone
    _ComplexAdmin = _ArticleAdmin = _SnapshotAdmin = admin.ModelAdmin
    _ChangeAdmin = _JobAdmin = _OddAnswerAdmin = _TransactionAdmin = admin.ModelAdmin


class Measured:
    """Rows that nobody adds or edits by hand."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody."""
        return False


@admin.action(description="선택한 항목을 CSV로 내보내기", permissions=["view"])
def export_csv(modeladmin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse:
    """The chosen rows with all their columns."""
    fields = [field.attname for field in queryset.model._meta.concrete_fields]
    response = HttpResponse(heading(fields), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{queryset.model._meta.model_name}.csv"'
    response.write(lines(fields, queryset.values(*fields)))
    return response


@admin.action(description="수집 대상에 포함", permissions=["change"])
def watch(modeladmin: Any, request: HttpRequest, queryset: QuerySet[Complex]) -> None:
    """Crawl these with the others."""
    queryset.update(is_watched=True)


@admin.action(description="수집 대상에서 제외 (기록은 유지)", permissions=["change"])
def stop_watching(modeladmin: Any, request: HttpRequest, queryset: QuerySet[Complex]) -> None:
    """Leave these out of the crawl of all; what was saved stays."""
    queryset.update(is_watched=False)


@admin.action(description="읽음으로 표시", permissions=["mark"])
def read(modeladmin: Any, request: HttpRequest, queryset: QuerySet[ArticleChange]) -> None:
    """No briefing tells these any more."""
    queryset.update(is_read=True)


@admin.register(Complex)
class ComplexAdmin(_ComplexAdmin):
    """Complexes, and whether they are watched."""

    list_display = (
        "complex_id",
        "complex_name",
        "is_watched",
        "total_households",
        "min_price",
        "max_price",
        "updated_at",
    )
    list_filter = ("is_watched",)
    search_fields = ("complex_id", "complex_name", "address")
    actions = (watch, stop_watching, export_csv)


@admin.register(Article)
class ArticleAdmin(Measured, _ArticleAdmin):
    """Listings as last seen."""

    list_display = ("article_no", "complex", "trade_type", "price", "area_name", "is_active", "last_seen_at")
    list_filter = ("is_active", "trade_type")
    list_select_related = ("complex",)
    search_fields = ("article_no", "complex__complex_name")
    raw_id_fields = ("complex",)
    actions = (export_csv,)


@admin.register(ArticleSnapshot)
class ArticleSnapshotAdmin(Measured, _SnapshotAdmin):
    """Snapshots, one a listing and crawl."""

    list_display = ("article_no", "complex", "trade_type", "price", "snapshot_date")
    list_select_related = ("complex",)
    search_fields = ("article_no", "crawl_session_id")
    raw_id_fields = ("complex",)
    show_full_result_count = False


@admin.register(ArticleChange)
class ArticleChangeAdmin(Measured, _ChangeAdmin):
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
    actions = (read, export_csv)

    def has_mark_permission(self, request: HttpRequest) -> bool:
        """Whoever may change changes; here that is only whether they were read."""
        return request.user.has_perm("realestate.change_articlechange")


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


@admin.register(OddAnswer)
class OddAnswerAdmin(_OddAnswerAdmin):
    """Answers of the site that no crawl could use: their form, for diagnosis."""

    list_display = ("created_at", "step", "complex_id", "error", "reason")
    list_filter = ("error", "step")
    search_fields = ("complex_id", "run_id")


@admin.register(Transaction)
class TransactionAdmin(_TransactionAdmin):
    """Real trades; a trade without a complex can be given one, which its apartment's next trades then get, too."""

    list_display = (
        "trade_date",
        "apartment_name",
        "legal_dong",
        "complex",
        "formatted_price",
        "floor",
        "exclusive_area",
        "cancelled_on",
    )
    list_filter = (("complex", admin.EmptyFieldListFilter), "region_code")
    list_select_related = ("complex",)
    search_fields = ("apartment_name", "legal_dong", "complex__complex_name")
    raw_id_fields = ("complex",)
    actions = (export_csv,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        """Everything but the complex is the ministry's."""
        return [field.name for field in Transaction._meta.concrete_fields if field.name != "complex"]
