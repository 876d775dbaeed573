"""`/api/scheduler/runs`: what ran, newest first."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.access.scopes import Scope
from app.api.access import needs
from app.api.problems import ProblemError
from app.api.routing import OrmRoute
from app.history.models import Run, State
from app.history.queries import MAX_LIMIT, CursorError, recent_runs

router = APIRouter(prefix="/scheduler", tags=["scheduler"], route_class=OrmRoute)

Filter = Annotated[str | None, Query(max_length=255, pattern="^[^\\x00]*$")]


@router.get("/runs")
@needs(Scope.VIEWER)
def runs(
    schedule: Filter = None,
    task: Filter = None,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    """A page of runs; `next` is the cursor of the following page, null on the last."""
    try:
        found, following = recent_runs(schedule, task, state, limit, cursor)
    except CursorError:
        raise ProblemError(
            422, "invalid-cursor", "cursor: 이전 응답의 next 값이어야 합니다.", "cursor: must be the `next` of a page."
        ) from None
    return {"items": [_shown(run) for run in found], "next": following}


def _shown(run: Run) -> dict[str, Any]:
    duration = run.duration
    error = f"{run.error_class}: {run.error or ''}".rstrip(": ") if run.error_class else run.error
    return {
        "id": run.id,
        "schedule": run.schedule,
        "task": run.task,
        "slot": run.slot,
        "kind": run.kind,
        "parent": run.parent,
        "state": run.state,
        "attempt": run.attempt,
        "dispatched_at": run.dispatched_at,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "duration_seconds": duration.total_seconds() if duration is not None else None,
        "worker": run.worker,
        "error": error,
        "result": run.result,
        "lateness_seconds": run.lateness,
        "progress": run.progress,
    }
