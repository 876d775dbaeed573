"""`/api/scheduler/jobs` and `/api/scheduler/stats`: crawl jobs in the old API's shapes and status words.

A job whose worker was killed is `failed`, not `running` for ever (`app.domains.realestate.jobs`). `total` is, as it
was, the number of rows in the answer; `total_matching` counts all. A crawl of all complexes is one job with its
`progress`; `?crawl_id=` lists the jobs of its complexes.
"""

import uuid
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from app.access.scopes import Scope
from app.api.access import needs
from app.api.language import Reader
from app.api.problems import ProblemError
from app.api.routing import OrmRoute
from app.core.celery_app import celery_app
from app.domains.realestate import jobs as crawl_jobs
from app.history.queries import all_runs, unsuccessful_runs
from livebeat import clock
from livebeat.errors import Language

router = APIRouter(prefix="/scheduler", tags=["scheduler"], route_class=OrmRoute)

#: "all" and nothing mean the same.
StatusFilter = Literal["pending", "running", "success", "failed", "all", ""]
TypeFilter = Annotated[str | None, Query(max_length=50, pattern="^[^\\x00]*$")]

_LISTED = (
    "job_id", "job_type", "status", "complex_id", "complex_name", "started_at", "finished_at", "duration_seconds",
    "articles_collected", "articles_new", "articles_updated", "articles_removed", "error_message", "celery_task_id",
    "crawl_id", "progress",
)  # fmt: skip
_WHOLE = (*_LISTED, "error_traceback", "created_at")
_RUNNING = (
    "job_id", "job_type", "complex_id", "complex_name", "started_at", "elapsed_seconds", "celery_task_id", "crawl_id",
    "progress",
)  # fmt: skip
_VANISHED: dict[Language, str] = {
    "ko": "워커가 중단되어 작업이 끝나지 못했습니다.",
    "en": "Its worker vanished before the job was done.",
}


@router.get("/jobs")
@needs(Scope.VIEWER)
def jobs(
    reader: Reader,
    limit: Annotated[int, Query(ge=0)] = 50,
    status: StatusFilter = "",
    job_type: TypeFilter = None,
    crawl_id: uuid.UUID | None = None,
) -> dict[str, Any]:
    """Jobs, newest first; at most 1,000 in one answer."""
    wanted = None if status in {"", "all"} else status
    kind = None if job_type in {"", "all"} else job_type
    rows, matching = crawl_jobs.jobs(evidence(), status=wanted, job_type=kind, crawl_id=crawl_id, limit=limit)
    return {"total": len(rows), "jobs": [_shown(row, _LISTED, reader) for row in rows], "total_matching": matching}


@router.get("/jobs/running/current")
@needs(Scope.VIEWER)
def running() -> dict[str, Any]:
    """Jobs that run now."""
    rows = crawl_jobs.running_jobs(evidence())
    return {"count": len(rows), "jobs": [{name: row[name] for name in _RUNNING} for row in rows]}


@router.get("/jobs/{job_id}")
@needs(Scope.VIEWER)
def job(job_id: str, reader: Reader) -> dict[str, Any]:
    """One job."""
    return _shown(_found(job_id), _WHOLE, reader)


@router.get("/jobs/{job_id}/detail")
@needs(Scope.VIEWER)
def detail(job_id: str, reader: Reader) -> dict[str, Any]:
    """One job with what it saw and what it found changed, the newest 100 of each; `total` counts all.

    `odd_answers`: what the site answered that the job could not use; the form of the answer, never its content.
    """
    row = _found(job_id)
    snapshots, seen = crawl_jobs.job_snapshots(row)
    changes, changed = crawl_jobs.job_changes(row)
    return {
        "job": _shown(row, _WHOLE, reader),
        "snapshots": {"count": len(snapshots), "data": [_snapshot(each) for each in snapshots], "total": seen},
        "changes": {"count": len(changes), "data": [_change(each) for each in changes], "total": changed},
        "odd_answers": crawl_jobs.job_odd_answers(row),
    }


@router.delete("/jobs/{job_id}")
@needs(Scope.OPERATOR)
def delete(job_id: str, reader: Reader) -> dict[str, Any]:
    """Delete a job's entry; 409 while it runs. What it saved stays."""
    number = _uuid(job_id)
    outcome, name = crawl_jobs.delete_job(number, evidence()) if number else ("unknown", None)
    if outcome == "unknown":
        raise _not_found(job_id)
    if outcome == "running":
        raise ProblemError(
            409, "job-running", "실행 중인 작업은 삭제할 수 없습니다.", "A job that is running can't be deleted."
        )
    shown = name or job_id
    message = f"Job '{shown}' was deleted." if reader == "en" else f"작업 '{shown}'이(가) 삭제되었습니다."
    return {"message": message, "job_id": job_id}


@router.get("/stats")
@needs(Scope.VIEWER)
def stats(reader: Reader) -> dict[str, Any]:
    """How the jobs went. `success_rate`: percent of those that have ended."""
    told = crawl_jobs.job_statistics(evidence())
    ended = told["success"] + told["failed"]
    success, failure = told["latest_success"], told["latest_failure"]
    return {
        "total_jobs": told["total"],
        "success_count": told["success"],
        "failed_count": told["failed"],
        "running_count": told["running"],
        "success_rate": round(told["success"] / ended * 100, 2) if ended else 0,
        "avg_duration_seconds": int(told["seconds"]) if told["seconds"] is not None else None,
        "recent_24h": {name: told[f"recent_{name}"] for name in ("total", "success", "failed")},
        "latest_success": _shown(success, ("job_id", "complex_name", "finished_at"), reader) if success else None,
        "latest_failure": _shown(failure, ("job_id", "complex_name", "finished_at", "error_message"), reader)
        if failure
        else None,
    }


def evidence() -> crawl_jobs.Evidence:
    """What history knows of the runs now."""
    longest = timedelta(seconds=celery_app.conf.task_time_limit)
    return crawl_jobs.Evidence(all_runs(), unsuccessful_runs(), clock.now(), longest)


def crawl_of_all(job_id: uuid.UUID) -> dict[str, Any]:
    """The job of a crawl of all complexes. Raises ProblemError (404) where this is none."""
    row = crawl_jobs.job(job_id, evidence())
    if row is None or row["crawl_id"] != row["job_id"]:
        raise _not_found(str(job_id))
    return row


def _found(job_id: str) -> dict[str, Any]:
    number = _uuid(job_id)
    row = crawl_jobs.job(number, evidence()) if number else None
    if row is None:
        raise _not_found(job_id)
    return row


def _uuid(job_id: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(job_id)
    except ValueError:
        return None


def _not_found(job_id: str) -> ProblemError:
    ko, en = f"작업 ID '{job_id}'를 찾을 수 없습니다.", f"No job has the id '{job_id}'."
    return ProblemError(404, "job-not-found", ko, en)


def _shown(row: dict[str, Any], names: tuple[str, ...], reader: Language) -> dict[str, Any]:
    if row["vanished"] and not row["error_message"]:
        row = {**row, "error_message": _VANISHED[reader]}
    return {name: row[name] for name in names}


def _snapshot(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "snapshot_id": row["id"],
        "article_no": row["article_no"],
        "article_name": _article_name(row),
        "trade_type": row["trade_type"],
        "price": row["price"],
        "area": row["area1"],
        "floor": row["floor_info"],
        "direction": row["direction"],
        "is_active": True,
        "captured_at": row["snapshot_date"],
    }


def _change(row: dict[str, Any]) -> dict[str, Any]:
    kept = ("article_no", "change_type", "trade_type", "old_price", "new_price", "detected_at", "price_change_percent")
    return {
        "change_id": row["id"],
        "article_name": _article_name(row),
        "price_diff": row["price_change_amount"],
        **{name: row[name] for name in kept},
    }


def _article_name(row: dict[str, Any]) -> str:
    """The old API's name of a listing: its area's, else where it lies."""
    return row["area_name"] or " ".join(filter(None, (row["building_name"], row["floor_info"])))
