"""Crawling complexes: fetch everything, then write everything at once; and throwing old snapshots away.

Guarantees: a crawl either stores a whole listing or raises the reason and stores nothing but its failed job; a run id
that has stored its crawl is not crawled again; where the caller can tell which runs are alive, a complex is crawled by
one of them at a time. What stops the crawl of all (no token, a token that has ended, a site that refuses us or asks for
a long rest) is written on its job, and the complexes that follow are not asked for.
"""

import logging
import traceback
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db import transaction

from app.clients.http import Patience
from app.clients.naver_land import SERVICE, ComplexOverview, Listing, NaverLandClient
from app.core.errors import (
    AccessRefusedError,
    NotConfiguredError,
    PlatformError,
    RateLimitedError,
    ShapeChangedError,
    TokenExpiredError,
    UpstreamError,
)
from app.core.settings import Settings
from app.domains.realestate import crawls, odd_answers
from app.domains.realestate.changes import readable
from app.domains.realestate.errors import CrawlUnderWayError
from app.domains.realestate.models import ArticleSnapshot, Complex, CrawlJob
from app.domains.realestate.storage import Crawl, Stored, store
from livebeat import clock

logger = logging.getLogger(__name__)

CLEANUP_BATCH = 1000
_TRACEBACK_CHARACTERS = 8000
_STOPPING = (NotConfiguredError, TokenExpiredError, AccessRefusedError, RateLimitedError)
#: A site that asks for a longer rest than this, in seconds, gets it from the whole crawl.
_LONGEST_WAIT = 600.0
#: How often a crawl waits for its turn, and how often it tries a site that doesn't answer, after the first time.
_WAITS, _TRIES = 10, 2
_PAUSE = 30.0


@dataclass(frozen=True)
class Execution:
    """Of which run a crawl is an execution, and what its caller can do for it.

    `crawl_id`: the crawl of all that it is part of. `retries`: how often it was tried before; None where it won't be
    tried again. `alive`: whether a run has not ended. `tell`: hears how many listings there are so far.
    """

    run_id: str | None = None
    crawl_id: str | None = None
    retries: int | None = None
    alive: Callable[[str], bool] | None = None
    tell: Callable[[int], None] | None = None


def crawl_complex(
    complex_id: str,
    execution: Execution,
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
        CrawlStoppedError: the crawl that it is part of was stopped.
        CrawlUnderWayError: another run crawls this complex.
    """
    started_at = now or clock.now()
    job = _job(complex_id, execution, job_type)
    if job.status == CrawlJob.Status.SUCCESS:
        return _result(job, complex_id, None)
    try:
        crawls.refuse_if_stopped(execution.crawl_id)
        _take(job, complex_id, execution, started_at)
        fetched = _fetch(complex_id, execution, settings, patience)
        crawl = Crawl(job.pk, str(job.job_id), execution.run_id, started_at, *fetched)
        stored = store(crawl, clock.now() if now is None else now)
    except Exception as error:
        _fail(job, error, execution, clock.now() if now is None else now)
        raise
    if stored is not None and stored.removal_waits:
        logger.warning("complex %s: %s listings are missing; a second crawl decides", complex_id, stored.removal_waits)
    job.refresh_from_db()
    return _result(job, complex_id, stored)


def retry_in(error: Exception, retries: int | None) -> float | None:
    """Seconds after which a crawl that failed `retries` times before is to be tried again; None for never."""
    if retries is None or not isinstance(error, PlatformError) or not error.retryable:
        return None
    if isinstance(error, RateLimitedError):
        asked = error.retry_after
        return asked if asked is not None and asked <= _LONGEST_WAIT and retries < _WAITS else None
    if isinstance(error, CrawlUnderWayError):
        return _PAUSE if retries < _WAITS else None
    return _PAUSE * 2**retries if retries < _TRIES else None


def job_id_for(run_id: str | None) -> uuid.UUID:
    """The crawl job's id: the run's where that is a UUID, one derived from it where not, a random one without a run."""
    if run_id is None:
        return uuid.uuid4()
    try:
        return uuid.UUID(run_id)
    except ValueError:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"livebeat:run:{run_id}")


def is_complex_id(text: str) -> bool:
    """Whether this can be a complex's number on the site: digits, at most 20."""
    return text.isascii() and text.isdigit() and len(text) <= 20


def crawl_key(complex_id: str) -> str:
    """The key that crawls of one complex (or of "all") are sent with, so that only one of them is under way.

    A schedule dispatches its crawl without it; what keeps that from overlapping is in `crawl_complex`.
    """
    return f"crawl:{complex_id}"


def cleanup_old_snapshots(days: int = 90, *, now: datetime | None = None) -> dict[str, Any]:
    """Delete snapshots older than `days`, a thousand at a time, and old odd answers; changes and listings stay.

    Returns `{"started_at", "deleted_count", "errors": [], "finished_at"}`. Raises ValueError for less than a day.
    """
    if days < 1:
        raise ValueError("snapshots are kept for at least one day")
    started_at = now or clock.now()
    old = ArticleSnapshot.objects.filter(snapshot_date__lt=started_at - timedelta(days=days)).order_by("pk")
    deleted = 0
    while pks := list(old.values_list("pk", flat=True)[:CLEANUP_BATCH]):
        deleted += ArticleSnapshot.objects.filter(pk__in=pks).delete()[0]
    odd_answers.forget_old(started_at)
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


def _job(complex_id: str, execution: Execution, job_type: str) -> CrawlJob:
    """The run's job: the one that there is, or a new one that waits."""
    known = Complex.objects.filter(complex_id=complex_id).first()
    waiting = {
        "crawl_id": execution.crawl_id,
        "job_type": job_type,
        "complex": known,
        "complex_name": known.complex_name if known else None,
        "status": CrawlJob.Status.PENDING,
        "celery_task_id": execution.run_id,
    }
    return CrawlJob.objects.get_or_create(job_id=job_id_for(execution.run_id), defaults=waiting)[0]


def _take(job: CrawlJob, complex_id: str, execution: Execution, started_at: datetime) -> None:
    """Let the job run, unless it has succeeded meanwhile. Raises CrawlUnderWayError where another run's does."""
    others = CrawlJob.objects.filter(complex_id=complex_id, status=CrawlJob.Status.RUNNING).exclude(pk=job.pk)
    alive = execution.alive or (lambda _: False)
    runs = {str(run) for run in others.values_list("celery_task_id", flat=True)}
    gone = {run for run in runs if not alive(run)}
    with transaction.atomic():
        list(Complex.objects.select_for_update().filter(complex_id=complex_id))
        if execution.alive is not None:
            other = next((row for row in others if str(row.celery_task_id) not in gone), None)
            if other is not None:
                raise CrawlUnderWayError(complex_id=complex_id, run_id=other.celery_task_id)
        mine = CrawlJob.objects.filter(pk=job.pk).exclude(status=CrawlJob.Status.SUCCESS)
        mine.update(
            status=CrawlJob.Status.RUNNING,
            started_at=started_at,
            finished_at=None,
            error_message=None,
            error_traceback=None,
            celery_task_id=execution.run_id,
        )
    job.refresh_from_db()


def _fetch(
    complex_id: str, execution: Execution, settings: Settings | None, patience: Patience | None
) -> tuple[ComplexOverview, Listing]:
    with NaverLandClient(settings=settings, patience=patience) as client:
        try:
            client.next_complex()
            overview = client.overview(complex_id)
            listing = client.articles(complex_id, tell=execution.tell)
            _refuse_unreadable(complex_id, listing)
        except UpstreamError as error:
            odd_answers.keep(error, client.last_answer, complex_id, execution.run_id, clock.now())
            raise
    return overview, listing


def _fail(job: CrawlJob, error: Exception, execution: Execution, now: datetime) -> None:
    """Write the error on the job, which waits where it will be tried again, and on the crawl of all that it stops."""
    again = retry_in(error, execution.retries) is not None
    took = round((now - job.started_at).total_seconds()) if job.started_at else None
    CrawlJob.objects.filter(pk=job.pk).exclude(status=CrawlJob.Status.SUCCESS).update(
        status=CrawlJob.Status.PENDING if again else CrawlJob.Status.FAILED,
        finished_at=None if again else now,
        duration_seconds=None if again else took,
        error_message=str(error),
        error_traceback="".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:],
    )
    if execution.crawl_id is not None and not again and isinstance(error, _STOPPING):
        crawls.stop(execution.crawl_id, error)


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
