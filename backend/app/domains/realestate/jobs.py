"""Crawl jobs as they really stand, read only but for the deletion of one.

A job's row is written by the worker that crawls, so one that was killed leaves its row `running` for ever. Here such a
job counts as failed: where history says that its run ended, or, where history knows no such run, once it has been
running for longer than any run may. The row itself is not touched; a late success still wins. A crawl of all complexes
is a job, too, with the `progress` of its parts: how many are where.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db.models import Avg, Case, Count, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When

from app.domains.realestate import crawls, odd_answers
from app.domains.realestate.models import ArticleChange, ArticleSnapshot, CrawlJob

#: Most rows of an answer.
MOST = 1000
#: Most snapshots, and most changes, of one job's detail.
MOST_DETAILS = 100

_STATUS = CrawlJob.Status
_FIELDS = (
    "job_id", "crawl_id", "job_type", "status", "complex_id", "complex_name", "started_at", "finished_at",
    "duration_seconds", "articles_collected", "articles_new", "articles_updated", "articles_removed", "error_message",
    "error_traceback", "celery_task_id", "created_at",
)  # fmt: skip
_SNAPSHOT_FIELDS = (
    "id", "article_no", "trade_type", "price", "area_name", "area1", "building_name", "floor_info", "direction",
    "snapshot_date",
)  # fmt: skip
_CHANGE_FIELDS = (
    "id", "article_no", "change_type", "trade_type", "old_price", "new_price", "price_change_amount",
    "price_change_percent", "area_name", "building_name", "floor_info", "detected_at",
)  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """What tells a job that runs from one whose worker vanished.

    `runs`: all runs, rows whose key is the run's id. `ended`: those that ended without success, with `finished_at`
    and `error`. `longest`: how long a run may take.
    """

    runs: QuerySet[Any]
    ended: QuerySet[Any]
    now: datetime
    longest: timedelta


def jobs(
    evidence: Evidence,
    *,
    status: str | None = None,
    job_type: str | None = None,
    crawl_id: uuid.UUID | None = None,
    limit: int = 50,
) -> tuple[list[dict[str, Any]], int]:
    """Jobs, newest first, at most `limit` (up to `MOST`) of them, and how many there are in all.

    `crawl_id`: those of one crawl of all alone.
    """
    rows = _jobs(evidence)
    if status == _STATUS.FAILED:
        rows = rows.filter(Q(status=_STATUS.FAILED) | Q(vanished=True))
    elif status is not None:
        rows = rows.filter(status=status, vanished=False)
    if job_type is not None:
        rows = rows.filter(job_type=job_type)
    if crawl_id is not None:
        rows = rows.filter(crawl_id=crawl_id).exclude(job_id=crawl_id)
    return _told(rows.order_by("-pk")[: min(limit, MOST)]), rows.count()


def job(job_id: uuid.UUID, evidence: Evidence) -> dict[str, Any] | None:
    """One job, or None."""
    found = _told(_jobs(evidence).filter(job_id=job_id))
    return found[0] if found else None


def running_jobs(evidence: Evidence) -> list[dict[str, Any]]:
    """Jobs that run now, the longest running first, with `elapsed_seconds`."""
    rows = _told(_jobs(evidence).filter(status=_STATUS.RUNNING, vanished=False).order_by("started_at", "pk")[:MOST])
    for row in rows:
        started_at = row["started_at"]
        row["elapsed_seconds"] = max(int((evidence.now - started_at).total_seconds()), 0) if started_at else None
    return rows


def delete_job(job_id: uuid.UUID, evidence: Evidence) -> tuple[Literal["deleted", "running", "unknown"], str | None]:
    """Delete a job that doesn't run; what it saved stays. Returns what came of it, and the complex's name."""
    row = job(job_id, evidence)
    if row is None:
        return "unknown", None
    if row["status"] == _STATUS.RUNNING:
        return "running", row["complex_name"]
    deleted, _ = CrawlJob.objects.filter(job_id=job_id).delete()
    return "deleted" if deleted else "unknown", row["complex_name"]


def job_statistics(evidence: Evidence) -> dict[str, Any]:
    """Counts by status, all and of the last 24 hours; mean seconds of a success; the last success and failure."""
    rows = _jobs(evidence)
    recent = Q(created_at__gte=evidence.now - timedelta(hours=24))
    stale = rows.filter(vanished=True)
    running = stale.filter(status=_STATUS.RUNNING).count()
    counted = CrawlJob.objects.aggregate(
        total=Count("pk"),
        success=Count("pk", filter=Q(status=_STATUS.SUCCESS)),
        failed=Count("pk", filter=Q(status=_STATUS.FAILED)),
        running=Count("pk", filter=Q(status=_STATUS.RUNNING)),
        seconds=Avg("duration_seconds", filter=Q(status=_STATUS.SUCCESS)),
        recent_total=Count("pk", filter=recent),
        recent_success=Count("pk", filter=recent & Q(status=_STATUS.SUCCESS)),
        recent_failed=Count("pk", filter=recent & Q(status=_STATUS.FAILED)),
    )
    vanished, recently = stale.count(), stale.filter(recent).count()
    counted["failed"] += vanished
    counted["running"] -= running
    counted["recent_failed"] += recently
    ended = rows.filter(finished_at__isnull=False).order_by("-finished_at")
    failures = _told(ended.filter(status=_STATUS.FAILED)[:1]) + _told(stale.order_by("-started_at")[:1])
    return {
        **counted,
        "latest_success": next(iter(_told(ended.filter(status=_STATUS.SUCCESS)[:1])), None),
        "latest_failure": max(failures, key=lambda row: row["finished_at"] or row["started_at"], default=None),
    }


def job_snapshots(row: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """What a job saw, newest first, at most `MOST_DETAILS`, and how many there are in all."""
    mine = _own_snapshots(row)
    if not mine.exists():
        mine = _in_its_time(ArticleSnapshot.objects.all(), "snapshot_date", row)
    newest = mine.order_by("-snapshot_date", "-pk").values(*_SNAPSHOT_FIELDS)
    return [dict(each) for each in newest[:MOST_DETAILS]], mine.count()


def job_odd_answers(row: dict[str, Any]) -> list[dict[str, Any]]:
    """What the site answered that a job could not use, newest first, at most `MOST_DETAILS`."""
    run = row["celery_task_id"]
    return odd_answers.odd_answers(run_id=run, limit=MOST_DETAILS) if run else []


def current_crawl(evidence: Evidence) -> dict[str, Any] | None:
    """The job of the crawl of all that runs now, or None."""
    rows = _jobs(evidence).filter(status=_STATUS.RUNNING, vanished=False, job_id=F("crawl_id"))
    return next(iter(_told(rows.order_by("-pk")[:1])), None)


def job_changes(row: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """What a job found changed, newest first, at most `MOST_DETAILS`, and how many there are in all."""
    mine = _in_its_time(ArticleChange.objects.all(), "detected_at", row)
    if _own_snapshots(row).exists():  # ours dates its changes at its start; another crawl's may lie in its time, too
        mine = mine.filter(detected_at=row["started_at"])
    newest = mine.order_by("-detected_at", "-pk").values(*_CHANGE_FIELDS)
    return [dict(each) for each in newest[:MOST_DETAILS]], mine.count()


def _jobs(evidence: Evidence) -> QuerySet[Any]:
    mine = OuterRef("celery_task_id")
    ended, known = evidence.ended.filter(pk=mine), evidence.runs.filter(pk=mine)
    overdue = Q(started_at__lt=evidence.now - evidence.longest)
    # One that waits has not begun, so its age says nothing.
    overdue_alone = Q(status=_STATUS.RUNNING) & ~Q(Exists(known)) & overdue
    gone = Q(status__in=(_STATUS.RUNNING, _STATUS.PENDING)) & Q(Exists(ended)) | overdue_alone
    return CrawlJob.objects.annotate(
        vanished=Case(When(gone, then=Value(True)), default=Value(False)),
        run_finished_at=Subquery(ended.values("finished_at")[:1]),
        run_error=Subquery(ended.values("error")[:1]),
    )


def _told(rows: QuerySet[Any]) -> list[dict[str, Any]]:
    told = [_one(row) for row in rows.values(*_FIELDS, "vanished", "run_finished_at", "run_error")]
    progress = crawls.progress([row["job_id"] for row in told if row["crawl_id"] == row["job_id"]])
    for row in told:
        row["progress"] = progress.get(row["job_id"])
    return told


def _one(row: dict[str, Any]) -> dict[str, Any]:
    finished_at, error = row.pop("run_finished_at"), row.pop("run_error")
    row["job_id"] = str(row["job_id"])
    row["crawl_id"] = str(row["crawl_id"]) if row["crawl_id"] else None
    if row["vanished"]:
        row.update(status=_STATUS.FAILED.value, finished_at=finished_at, error_message=error)
        if finished_at and row["started_at"]:
            row["duration_seconds"] = max(round((finished_at - row["started_at"]).total_seconds()), 0)
    return row


def _own_snapshots(row: dict[str, Any]) -> QuerySet[ArticleSnapshot]:
    return ArticleSnapshot.objects.filter(complex_id=row["complex_id"], crawl_session_id=row["job_id"])


def _in_its_time(rows: QuerySet[Any], column: str, row: dict[str, Any]) -> QuerySet[Any]:
    """Rows of the job's complex from its start to its end: the old crawler didn't note which crawl wrote them."""
    if not row["complex_id"] or not row["started_at"]:
        return rows.none()
    found = rows.filter(complex_id=row["complex_id"], **{f"{column}__gte": row["started_at"]})
    return found.filter(**{f"{column}__lte": row["finished_at"]}) if row["finished_at"] else found
