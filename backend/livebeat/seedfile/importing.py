"""Bringing schedules in from a file, once and on request: first the plan, then, where it is wanted, the plan applied.

Nothing is ever changed or removed, and a schedule that isn't named in the file isn't looked at.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from celery import Celery

from livebeat.cadence import Progress
from livebeat.connection import Link, link
from livebeat.delivery import admit
from livebeat.errors import LivebeatError, ScheduleExistsError, ScheduleNotFoundError, SpecError
from livebeat.seedfile.merging import is_as
from livebeat.seedfile.persistent import Candidate
from livebeat.spec import ScheduleSpec
from livebeat.store import ScheduleStore

#: `left`: it is there and says something else, and stays so; `skip`: it can't come over.
Action = Literal["create", "same", "left", "skip"]


@dataclass(frozen=True)
class Step:
    """What is to happen, or happened, to one name. `next_at`: its next slot then; one in the past is due at once."""

    name: str
    action: Action
    spec: ScheduleSpec | None = None
    progress: Progress | None = None
    next_at: datetime | None = None
    problem: LivebeatError | None = None


def plan(app: Celery, candidates: Iterable[Candidate]) -> list[Step]:
    """What applying the candidates would do."""
    at, store = link(app), ScheduleStore(app)
    return [_step(at, store, candidate) for candidate in candidates]


def apply(app: Celery, steps: Sequence[Step], *, by: str) -> list[Step]:
    """Carry out a plan. Returns it as it went: a schedule that somebody made since the plan is left."""
    store = ScheduleStore(app)
    return [_apply_one(store, step, by) for step in steps]


def _step(at: Link, store: ScheduleStore, candidate: Candidate) -> Step:
    name, spec = candidate.name, candidate.spec
    if spec is None:
        return Step(name, "skip", problem=candidate.problem)
    try:
        admit(at.app, spec)
        live = store.get(name)
    except ScheduleNotFoundError:
        return Step(name, "create", spec, candidate.progress, next_at=_first_slot(at, spec, candidate.progress))
    except SpecError as error:  # it may not be scheduled, its name can't be used, or what lies there can't be read
        return Step(name, "skip", problem=error)
    action: Action = "same" if is_as(live.spec, spec, at.zone) else "left"
    return Step(name, action, spec, next_at=live.next_at)


def _first_slot(at: Link, spec: ScheduleSpec, progress: Progress | None) -> datetime | None:
    if not spec.enabled:
        return None
    now = at.now()
    since = min(progress.last_run_at, now) if progress else now
    return spec.recurrence.resolved(at.zone, since).next_after(since)


def _apply_one(store: ScheduleStore, step: Step, by: str) -> Step:
    if step.spec is None or step.action != "create":
        return step
    try:
        written = store.put(step.spec, by=by, origin="import", create_only=True, progress=step.progress)
    except ScheduleExistsError as error:
        return replace(step, action="left", problem=error)
    return replace(step, next_at=written.next_at)
