"""`/api/scheduler/schedule/{name}/backfill` and `/api/scheduler/backfills`: the slots of a range, run once more, or at last.

A name is the raw path up to the last slash, so `%2F` belongs to it.
"""

from itertools import islice
from typing import Any

from fastapi import APIRouter, Request, Response

from app.access.scopes import Scope
from app.api.access import caller_of, needs
from app.api.engine import backfills, store
from app.api.language import Reader
from app.api.shell_json import ShellRoute
from app.api.validation import Body, Instant
from livebeat.backfill import Backfill, Overlap
from livebeat.backfill.record import RATE
from livebeat.errors import Language

router = APIRouter(prefix="/scheduler", tags=["scheduler"], route_class=ShellRoute)

_SLOTS_SHOWN = 10


class BackfillForm(Body):
    """Body of a backfill: the range, both ends included. `rate`: runs sent a second, at most. `overlap`: `one_at_a_time`
    waits until no run of the schedule is under way; without it, as the schedule's own rule asks. `dry_run`: only say what
    would be sent."""

    start: Instant
    end: Instant
    rate: int | float = RATE
    overlap: Overlap | None = None
    dry_run: bool = False


@router.get("/schedule/{name:name}/backfill")
@needs(Scope.VIEWER)
def backfills_of_schedule(name: str, reader: Reader) -> dict[str, Any]:
    """A schedule's backfills, the newest first; of those that have ended the newest ones are kept."""
    store.get(name)
    return {"backfills": [_shown(one, reader) for one in backfills.list(name)]}


@router.post("/schedule/{name:name}/backfill", status_code=202)
@needs(Scope.OPERATOR)
def start_backfill(
    name: str, form: BackfillForm, request: Request, response: Response, reader: Reader
) -> dict[str, Any]:
    """Have the beat send a schedule's slots of a range; 200 with the first of them for a dry run."""
    given: dict[str, Any] = {"overlap": form.overlap, "rate": form.rate, "dry_run": form.dry_run}
    found = backfills.start(name, form.start, form.end, **given, by=caller_of(request), origin="api")
    if not form.dry_run:
        return _shown(found, reader)
    response.status_code = 200
    return {**_shown(found, reader), "id": None, "slots": list(islice(found.slots(), _SLOTS_SHOWN))}


@router.get("/backfills/{backfill_id}")
@needs(Scope.VIEWER)
def backfill(backfill_id: str, reader: Reader) -> dict[str, Any]:
    """How far a backfill is. Its runs are in `/runs`, with its id as `parent`."""
    return _shown(backfills.get(backfill_id), reader)


@router.delete("/backfills/{backfill_id}")
@needs(Scope.OPERATOR)
def cancel_backfill(backfill_id: str, request: Request, reader: Reader) -> dict[str, Any]:
    """Send no more of it; runs that were sent go on. One that has ended stays as it is."""
    return _shown(backfills.cancel(backfill_id, by=caller_of(request), origin="api"), reader)


def _shown(found: Backfill, reader: Language) -> dict[str, Any]:
    instants = {name: getattr(found, name) for name in ("start", "end", "at", "ended_at")}
    return {**found.facts(), **instants, "reason": found.why.get(reader)}
