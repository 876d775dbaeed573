"""`/api/scheduler/schedule/{name}/pause|resume|trigger|preview`: what one does to a schedule, besides editing it.

A name is the raw path up to the last slash, so `%2F` belongs to it.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field

from app.access.scopes import Scope
from app.api.access import caller_of, needs
from app.api.engine import redis_link, store, zone
from app.api.language import Reader
from app.api.schedule_form import ChangeForm, changed_spec
from app.api.schedule_view import NEXT_RUNS, detailed, instant
from app.api.shell_json import ShellRoute
from app.api.validation import Body, Instant
from livebeat import StoredSchedule, clock
from livebeat.errors import Language
from livebeat.lookahead import preview

router = APIRouter(prefix="/scheduler", tags=["scheduler"], route_class=ShellRoute)


class PauseForm(Body):
    """Body of a pause: why, for those who look at it later, and when it ends by itself."""

    note: Annotated[str, Field(max_length=1000)] = ""
    until: Instant | None = None


@router.post("/schedule/{name:name}/pause")
@needs(Scope.OPERATOR)
def pause_schedule(name: str, request: Request, reader: Reader, form: PauseForm | None = None) -> dict[str, Any]:
    """Stop dispatching a schedule, until it is resumed or an instant; what lies in between is not made up for."""
    form = form or PauseForm()
    stored = store.pause(name, note=form.note, until=form.until, by=caller_of(request), origin="api")
    message = f"Schedule '{name}' is paused." if reader == "en" else f"스케줄 '{name}'이 일시정지되었습니다."
    return _answer(message, stored, reader)


@router.post("/schedule/{name:name}/resume")
@needs(Scope.OPERATOR)
def resume_schedule(name: str, request: Request, reader: Reader) -> dict[str, Any]:
    """Dispatch a paused schedule again, from its next slot on."""
    stored = store.resume(name, by=caller_of(request), origin="api")
    message = f"Schedule '{name}' runs again." if reader == "en" else f"스케줄 '{name}'이 다시 실행됩니다."
    return _answer(message, stored, reader)


@router.post("/schedule/{name:name}/trigger")
@needs(Scope.OPERATOR)
def trigger_schedule(name: str, request: Request, reader: Reader) -> dict[str, Any]:
    """Run a schedule's task once, now, paused or not; its slots stay as they are."""
    sent = store.trigger(name, by=caller_of(request), origin="api")
    message = f"Schedule '{name}' was started." if reader == "en" else f"스케줄 '{name}'이 시작되었습니다."
    return {"message": message, "task_id": sent.run_id}


@router.post("/schedule/{name:name}/preview")
@needs(Scope.OPERATOR)
def preview_schedule(name: str, form: ChangeForm, reader: Reader) -> dict[str, Any]:
    """What a change (the body of PUT) would do to the next runs. Nothing is saved."""
    stored = store.get(name)
    found = preview(stored, changed_spec(stored.spec, form), redis_link().now(), NEXT_RUNS, reader, zone=zone())
    return {
        "before": [instant(each) for each in found.before],
        "after": [instant(each) for each in found.after],
        "lost": found.lost,
        "gained": found.gained,
    }


def _answer(message: str, stored: StoredSchedule, reader: Language) -> dict[str, Any]:
    return {"message": message, "schedule": detailed(stored, clock.now(), zone(), reader)}
