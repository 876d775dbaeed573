"""`/api/scheduler/schedule`: the old API's shapes, statuses and messages, without a restart of beat.

A name is the rest of the raw path, so `%2F` belongs to it.
"""

from typing import Any

from fastapi import APIRouter, Request

from app.access.scopes import Scope
from app.api.access import caller_of, needs
from app.api.engine import store, zone
from app.api.language import Reader
from app.api.schedule_form import ChangeForm, CreateForm, changed_spec, new_spec
from app.api.schedule_view import detailed, echoed, listed
from app.api.shell_json import ShellRoute
from livebeat import StoredSchedule, clock
from livebeat.errors import Language, RevisionConflictError

router = APIRouter(prefix="/scheduler", tags=["scheduler"], route_class=ShellRoute)

#: Times that an edit of some fields is put on top of somebody else's, before it is given up.
_ROUNDS = 5

_NOTES: dict[Language, str] = {
    "ko": "RedBeat이 자동으로 감지하여 5초 이내 적용됩니다.",
    "en": "Beat picks it up by itself within 5 seconds.",
}
_DELETED_NOTES: dict[Language, str] = {
    "ko": "✅ Redis에서 삭제! 5초 이내 자동 반영됩니다 (재시작 불필요)",
    "en": "Deleted from Redis; beat picks it up by itself within 5 seconds.",
}


@router.get("/schedule")
@needs(Scope.VIEWER)
def schedules() -> dict[str, Any]:
    """Every schedule by name, and the zone that rules are read in."""
    return {"schedule": {stored.spec.name: listed(stored) for stored in store.list()}, "timezone": zone()}


@router.post("/schedule")
@needs(Scope.OPERATOR)
def create_schedule(form: CreateForm, request: Request, reader: Reader) -> dict[str, Any]:
    """Create a schedule; 400 where the name is taken."""
    stored = store.put(new_spec(form), by=caller_of(request), origin="api", create_only=True)
    name = stored.spec.name
    message = f"Schedule '{name}' was created." if reader == "en" else f"스케줄 '{name}'이 생성되었습니다."
    return {"message": message, "schedule": echoed(stored), "note": _NOTES[reader]}


@router.get("/schedule/{name:name}")
@needs(Scope.VIEWER)
def schedule(name: str, reader: Reader) -> dict[str, Any]:
    """One schedule: its rule in words, its policies, its next runs and what the clocks do there."""
    return detailed(store.get(name), clock.now(), zone(), reader)


@router.put("/schedule/{name:name}")
@needs(Scope.OPERATOR)
def change_schedule(name: str, form: ChangeForm, request: Request, reader: Reader) -> dict[str, Any]:
    """Change the named fields of a schedule and leave the others as they are."""
    stored = _changed(name, form, caller_of(request))
    message = f"Schedule '{name}' was changed." if reader == "en" else f"스케줄 '{name}'이 수정되었습니다."
    return {"message": message, "schedule": echoed(stored), "note": _NOTES[reader]}


@router.delete("/schedule/{name:name}")
@needs(Scope.OPERATOR)
def delete_schedule(name: str, request: Request, reader: Reader) -> dict[str, Any]:
    """Delete a schedule; its history stays."""
    store.delete(name, by=caller_of(request), origin="api")
    message = f"Schedule '{name}' was deleted." if reader == "en" else f"스케줄 '{name}'이 삭제되었습니다."
    return {"message": message, "note": _DELETED_NOTES[reader]}


def _changed(name: str, form: ChangeForm, by: str) -> StoredSchedule:
    """An edit of some fields is made on what is there now, so another's edit of other fields is kept."""
    for last in (False,) * (_ROUNDS - 1) + (True,):
        current = store.get(name)
        spec = changed_spec(current.spec, form)
        if spec == current.spec:
            return current
        try:
            return store.put(spec, by=by, origin="api", expected_revision=current.revision)
        except RevisionConflictError:
            if last:
                raise
    raise AssertionError("unreachable")
