"""The crawl of all complexes as one job: what is left to crawl, why it was stopped, how it went.

Guarantees: each complex has one job in it, whoever crawls it; a crawl that is begun again crawls only what it has not
stored; while its job runs, an error on the job means that the crawl is being stopped, and the first one stays.
"""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, F, QuerySet, Sum

from app.domains.realestate.errors import CrawlStoppedError
from app.domains.realestate.models import Complex, CrawlJob
from livebeat import clock

_STATUS = CrawlJob.Status
_SUMS = ("articles_collected", "articles_new", "articles_updated", "articles_removed")
#: Errors that a summary names, and how long each may be.
_ERRORS, _ERROR_CHARACTERS = 50, 300
_IN_MESSAGE = 10


def begin(crawl_id: str, run_id: str, job_type: str, *, now: datetime | None = None) -> list[str]:
    """Open the job, for the first time or again, and return the watched complexes that are left to crawl."""
    started_at = now or clock.now()
    state = {"status": _STATUS.RUNNING, "job_type": job_type, "celery_task_id": run_id}
    with transaction.atomic():
        job, created = CrawlJob.objects.select_for_update().get_or_create(
            job_id=crawl_id, defaults={**state, "crawl_id": crawl_id, "started_at": started_at}
        )
        if not created and (job.status != _STATUS.RUNNING or job.celery_task_id != run_id):
            _parts(crawl_id).exclude(status=_STATUS.SUCCESS).update(crawl_id=None)
            again = {**state, "finished_at": None, "duration_seconds": None, "error_message": None}
            CrawlJob.objects.filter(pk=job.pk).update(**again)
    done = _parts(crawl_id).filter(status=_STATUS.SUCCESS, complex__isnull=False).values("complex_id")
    left = Complex.objects.filter(is_watched=True).exclude(complex_id__in=done).order_by("pk")
    return list(left.values_list("complex_id", flat=True))


def add(crawl_id: str, complex_id: str, run_id: str, job_id: uuid.UUID, job_type: str) -> None:
    """Note the run that crawls a complex; one that was under way already counts for this crawl, too."""
    known = Complex.objects.filter(complex_id=complex_id).first()
    waiting = {
        "crawl_id": crawl_id,
        "complex": known,
        "complex_name": known.complex_name if known else None,
        "status": _STATUS.PENDING,
        "job_type": job_type,
        "celery_task_id": run_id,
    }
    _, created = CrawlJob.objects.get_or_create(job_id=job_id, defaults=waiting)
    if not created:
        CrawlJob.objects.filter(job_id=job_id, crawl_id=None).update(crawl_id=crawl_id)


def stop(crawl_id: str, error: Exception) -> None:
    """Let no further complex be crawled, because of `error`."""
    running = CrawlJob.objects.filter(job_id=crawl_id, status=_STATUS.RUNNING, error_message=None)
    running.update(error_message=str(error))


def refuse_if_stopped(crawl_id: str | None) -> None:
    """Raises CrawlStoppedError if this crawl is being stopped."""
    if crawl_id is None:
        return
    reason = CrawlJob.objects.filter(job_id=crawl_id).values_list("error_message", flat=True).first()
    if reason:
        raise CrawlStoppedError(reason=reason)


def unfinished_runs(crawl_id: str) -> list[str]:
    """The runs of this crawl whose jobs are open."""
    jobs = _parts(crawl_id).filter(status__in=(_STATUS.PENDING, _STATUS.RUNNING), celery_task_id__isnull=False)
    return [str(run) for run in jobs.values_list("celery_task_id", flat=True)]


def end(crawl_id: str, run_id: str, *, now: datetime | None = None) -> dict[str, Any]:
    """Close the job and tell how it went: `failed` if a complex failed. Called again, it tells the same.

    Returns job_id, started_at, total_complexes, success, failed, errors, total_articles_collected, _new, _updated,
    _removed, finished_at, duration_seconds; and `stopped`: why, where it was stopped.

    Raises:
        CrawlJob.DoesNotExist: it never began.
    """
    # From here on this run decides: a job whose run is lost counts as failed.
    CrawlJob.objects.filter(job_id=crawl_id, status=_STATUS.RUNNING).update(celery_task_id=run_id)
    job = CrawlJob.objects.get(job_id=crawl_id)
    parts = _parts(crawl_id)
    good = parts.filter(status=_STATUS.SUCCESS)
    failed = parts.exclude(status=_STATUS.SUCCESS)
    sums = good.aggregate(**{f"total_{name}": Sum(name, default=0) for name in _SUMS})
    stopped, errors = None, (job.error_message or "").splitlines()
    if job.status == _STATUS.RUNNING:
        stopped, errors = job.error_message, _errors(failed, job.error_message)
        _close(job, errors, sums, now or clock.now())
    result: dict[str, Any] = {
        "job_id": str(job.job_id),
        "started_at": job.started_at.isoformat() if job.started_at else None,
        "total_complexes": parts.count(),
        "success": good.count(),
        "failed": failed.count(),
        "errors": errors,
        **sums,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
        "duration_seconds": job.duration_seconds,
    }
    return {**result, "stopped": stopped} if stopped else result


def progress(crawl_ids: list[str]) -> dict[str, dict[str, int]]:
    """For each crawl of all among these jobs, how many of its complexes are where, and their `total`."""
    rows = CrawlJob.objects.filter(crawl_id__in=crawl_ids).exclude(job_id=F("crawl_id"))
    counted: dict[str, dict[str, int]] = {}
    for crawl_id, status, count in rows.order_by().values_list("crawl_id", "status").annotate(n=Count("pk")):
        counts = counted.setdefault(str(crawl_id), {"total": 0, **{name.value: 0 for name in _STATUS}})
        counts[status] += count
        counts["total"] += count
    return counted


def _parts(crawl_id: str) -> QuerySet[CrawlJob]:
    """The jobs of the single complexes."""
    return CrawlJob.objects.filter(crawl_id=crawl_id).exclude(job_id=crawl_id)


def _errors(failed: QuerySet[CrawlJob], stopped: str | None) -> list[str]:
    """Why it was stopped, then a line a complex, but for those that only fell to the stop."""
    fell = failed.filter(started_at=None, error_message__endswith=stopped) if stopped else failed.none()
    named = failed.exclude(pk__in=fell.values("pk")).order_by("pk")[:_ERRORS]
    lines = [f"stopped, {fell.count()} complexes were not crawled: {stopped}"] if stopped else []
    lines += [f"{job.complex_name} ({job.complex_id}): {job.error_message or 'its run vanished'}" for job in named]
    return [line[:_ERROR_CHARACTERS] for line in lines]


def _close(job: CrawlJob, errors: list[str], sums: dict[str, int], finished_at: datetime) -> None:
    job.status = _STATUS.FAILED if errors else _STATUS.SUCCESS
    job.finished_at = finished_at
    job.duration_seconds = round((finished_at - job.started_at).total_seconds()) if job.started_at else None
    job.error_message = "\n".join(errors[:_IN_MESSAGE]) or None
    for name in _SUMS:
        setattr(job, name, sums[f"total_{name}"])
    job.save()
