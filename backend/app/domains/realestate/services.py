"""Crawling complexes: fetch everything, then write everything at once; and throwing old snapshots away.

Guarantees: a crawl either stores a whole listing or raises the reason and stores nothing but its failed job; a run id
that has stored its crawl is not crawled again. What is left to the caller: when to try again
(`PlatformError.retryable`), and overlapping crawls of one complex (harmless: they are stored one after the other).
"""

import logging
import traceback
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from app.clients.http import Patience
from app.clients.naver_land import SERVICE, Listing, NaverLandClient
from app.core.errors import ShapeChangedError
from app.core.settings import Settings
from app.domains.realestate.changes import readable
from app.domains.realestate.models import ArticleSnapshot, Complex, CrawlJob
from app.domains.realestate.storage import Crawl, Stored, store
from livebeat import clock

logger = logging.getLogger(__name__)

CLEANUP_BATCH = 1000
_TRACEBACK_CHARACTERS = 8000


def crawl_complex(
    complex_id: str,
    run_id: str | None = None,
    job_type: str = "scheduled",
    *,
    settings: Settings | None = None,
    patience: Patience | None = None,
    now: datetime | None = None,
) -> dict[str, Any]:
    """Fetch a complex and all its listings and store them with what changed.

    Returns JSON-ready counts: job_id, complex_id, complex_name, started_at, finished_at, duration_seconds, success,
    articles_collected, articles_new, articles_updated, articles_removed, and, unless the run had stored its crawl
    before (`repeated`), price_changes and removal_waits.

    Raises:
        NotConfiguredError: no bearer token.
        UpstreamError: the site did not answer as it should, or refused; nothing was stored.
    """
    started_at = now or clock.now()
    job_id = job_id_for(run_id)
    job = _start(job_id, complex_id, run_id, job_type, started_at)
    if job.status == CrawlJob.Status.SUCCESS:
        return _result(job, complex_id, None)
    try:
        with NaverLandClient(settings=settings, patience=patience) as client:
            overview = client.overview(complex_id)
            listing = client.articles(complex_id)
        _refuse_unreadable(complex_id, listing)
        crawl = Crawl(job.pk, str(job_id), run_id, started_at, overview, listing)
        stored = store(crawl, clock.now() if now is None else now)
    except Exception as error:
        _fail(job, error, started_at, clock.now() if now is None else now)
        raise
    if stored is not None and stored.removal_waits:
        logger.warning("complex %s: %s listings are missing; a second crawl decides", complex_id, stored.removal_waits)
    job.refresh_from_db()
    return _result(job, complex_id, stored)


def job_id_for(run_id: str | None) -> uuid.UUID:
    """The crawl job's id: the run's where that is a UUID, one derived from it where not, a random one without a run."""
    if run_id is None:
        return uuid.uuid4()
    try:
        return uuid.UUID(run_id)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"livebeat:run:{run_id}")


def complex_ids() -> list[str]:
    """The numbers of all complexes that are watched, in the order in which they were added."""
    return list(Complex.objects.order_by("pk").values_list("complex_id", flat=True))


def is_complex_id(text: str) -> bool:
    """Whether this can be a complex's number on the site: digits, at most 20."""
    return text.isascii() and text.isdigit() and len(text) <= 20


def crawl_key(complex_id: str) -> str:
    """The key that crawls of one complex (or of "all") are sent with, so that only one of them is under way.

    A schedule of a single complex dispatches its crawl by itself, without it.
    """
    return f"crawl:{complex_id}"


def cleanup_old_snapshots(days: int = 90, *, now: datetime | None = None) -> dict[str, Any]:
    """Delete snapshots older than `days`, a thousand at a time; changes and listings stay.

    Returns `{"started_at", "deleted_count", "errors": [], "finished_at"}`. Raises ValueError for less than a day.
    """
    if days < 1:
        raise ValueError("snapshots are kept for at least one day")
    started_at = now or clock.now()
    old = ArticleSnapshot.objects.filter(snapshot_date__lt=started_at - timedelta(days=days)).order_by("pk")
    deleted = 0
    while pks := list(old.values_list("pk", flat=True)[:CLEANUP_BATCH]):
        deleted += ArticleSnapshot.objects.filter(pk__in=pks).delete()[0]
    return {
        "started_at": started_at.isoformat(),
        "deleted_count": deleted,
        "errors": [],
        "finished_at": (now or clock.now()).isoformat(),
    }


def put_complex(record: Mapping[str, Any], *, update: bool = False) -> Literal["created", "updated", "kept"]:
    """Watch a complex; one that is known keeps its name, unless `update`.

    Raises:
        ValueError: complex_id isn't a number, or complex_name is missing or too long.
    """
    number, name = str(record.get("complex_id") or ""), str(record.get("complex_name") or "")
    if not is_complex_id(number):
        raise ValueError(f"complex_id must be digits, not {number!r}")
    if not 0 < len(name) <= 200:
        raise ValueError("complex_name must have 1 to 200 characters")
    row, created = Complex.objects.get_or_create(complex_id=number, defaults={"complex_name": name})
    if created:
        return "created"
    if not update:
        return "kept"
    row.complex_name = name
    row.save(update_fields=["complex_name", "updated_at"])
    return "updated"


def _refuse_unreadable(complex_id: str, listing: Listing) -> None:
    """One odd price is the realtor's; most of them odd means that the site writes them in another way now."""
    odd = [article for article in listing.articles if readable(article.deal_or_warrant_prc) is None]
    if len(odd) * 2 > len(listing.articles):
        example = odd[0].deal_or_warrant_prc[:40]
        raise ShapeChangedError(
            SERVICE,
            f"articles of {complex_id}: {len(odd)} of {len(listing.articles)} prices can't be read ({example!r})",
            reason_ko=f"단지 {complex_id}: 매물 {len(listing.articles)}건 중 {len(odd)}건의 가격을 읽을 수 없습니다",
        )
    if odd:
        logger.warning("complex %s: %s prices can't be read", complex_id, len(odd))


def _start(job_id: uuid.UUID, complex_id: str, run_id: str | None, job_type: str, started_at: datetime) -> CrawlJob:
    """The run's job, now running; one that succeeded stays so, even if that happens at this very moment."""
    known = Complex.objects.filter(complex_id=complex_id).first()
    state = {
        "job_type": job_type,
        "complex": known,
        "complex_name": known.complex_name if known else None,
        "status": CrawlJob.Status.RUNNING,
        "started_at": started_at,
        "finished_at": None,
        "celery_task_id": run_id,
    }
    job, created = CrawlJob.objects.get_or_create(job_id=job_id, defaults=state)
    if not created:
        CrawlJob.objects.filter(pk=job.pk).exclude(status=CrawlJob.Status.SUCCESS).update(**state)
        job.refresh_from_db()
    return job


def _fail(job: CrawlJob, error: Exception, started_at: datetime, finished_at: datetime) -> None:
    CrawlJob.objects.filter(pk=job.pk).exclude(status=CrawlJob.Status.SUCCESS).update(
        status=CrawlJob.Status.FAILED,
        finished_at=finished_at,
        duration_seconds=round((finished_at - started_at).total_seconds()),
        error_message=str(error),
        error_traceback="".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:],
    )


def _result(job: CrawlJob, complex_id: str, stored: Stored | None) -> dict[str, Any]:
    result: dict[str, Any] = {
        "job_id": str(job.job_id),
        "complex_id": complex_id,
        "complex_name": job.complex_name,
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
        "duration_seconds": job.duration_seconds,
        "success": True,
        "articles_collected": job.articles_collected,
        "articles_new": job.articles_new,
        "articles_updated": job.articles_updated,
        "articles_removed": job.articles_removed,
    }
    if stored is None:
        return {**result, "repeated": True}
    return {**result, "price_changes": stored.price_changes, "removal_waits": stored.removal_waits}
