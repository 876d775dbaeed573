"""`/api/scheduler/task/{id}`: how a run stands, in Celery's words. Answered from runs: there is no result backend.

An id that nobody knows is PENDING, as Celery says of it. A running one's `progress` is what its
task told last by `livebeat.progress`.
"""

from typing import Any

from fastapi import APIRouter

from app.access.scopes import Scope
from app.api.access import needs
from app.api.engine import redis_link
from app.api.routing import OrmRoute
from app.core.celery_app import celery_app
from app.history.models import Run, State
from app.history.queries import run_by_id
from app.history.unrecorded import unrecorded_run
from livebeat import run_state

router = APIRouter(prefix="/scheduler", tags=["scheduler"], route_class=OrmRoute)

_LONGEST_ID = 64
_CELERY_STATES = {
    State.QUEUED: "PENDING",
    State.RUNNING: "STARTED",
    State.RETRYING: "RETRY",
    State.SUCCEEDED: "SUCCESS",
    State.FAILED: "FAILURE",
    State.LOST: "FAILURE",
    State.CANCELLED: "REVOKED",
    State.EXPIRED: "REVOKED",
}
_READY = frozenset({"SUCCESS", "FAILURE", "REVOKED"})


@router.get("/task/{task_id}")
@needs(Scope.VIEWER)
def task(task_id: str) -> dict[str, Any]:
    """State of a run; `result` once it succeeded, `error` once it ended otherwise."""
    if len(task_id) > _LONGEST_ID or not task_id.isprintable():
        return _pending(task_id)
    recorded = run_by_id(task_id)
    if recorded is not None and _status(recorded) in _READY:
        return _told(recorded)
    live = run_state(celery_app, task_id)  # the recorder may be a moment behind
    if live is not None:
        status = _CELERY_STATES[State(live.state)] if live.state in State else "PENDING"  # it may wait for another run
        told = {**_pending(task_id), "status": status, "task": live.run.task, "state": live.state}
        return {**told, "progress": recorded.progress} if recorded is not None and recorded.progress else told
    of = redis_link()
    unrecorded = unrecorded_run(of.client, of.keys, task_id)
    newest = unrecorded if unrecorded is not None and _status(unrecorded) in _READY else recorded or unrecorded
    return _told(newest) if newest is not None else _pending(task_id)


def _told(run: Run) -> dict[str, Any]:
    status = _status(run)
    told: dict[str, Any] = {"task_id": run.id, "status": status, "ready": status in _READY}
    if status == "SUCCESS":
        told["result"] = run.result
    elif told["ready"]:
        told["error"] = run.error or run.error_class or run.state
    elif run.progress:
        told["progress"] = run.progress
    return {**told, "task": run.task, "state": run.state, "started_at": run.started_at, "finished_at": run.finished_at}


def _status(run: Run) -> str:
    return _CELERY_STATES[State(run.state)]


def _pending(task_id: str) -> dict[str, Any]:
    return {"task_id": task_id, "status": "PENDING", "ready": False}
