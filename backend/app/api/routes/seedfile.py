"""`/api/scheduler/plan`, `apply` and `export`: a schedules.json compared with what is live, applied, and written anew.

The body is the file itself, in whatever form it has; what can't be used is told with its line and column.
"""

from pathlib import Path
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request, Response

from app.access.scopes import Scope
from app.api.access import caller_of, needs
from app.api.engine import redis_link
from app.api.problems import ProblemError
from app.api.routing import OrmRoute
from app.core.celery_app import celery_app
from livebeat import clock
from livebeat.errors import SeedFileError
from livebeat.seedfile import OvertakenError, SeedFile, SeedPolicy, apply, export, plan

router = APIRouter(prefix="/scheduler", tags=["scheduler"], route_class=OrmRoute)

#: In the place of a file's path.
_PATH = Path("request")
_BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


async def _file(request: Request) -> SeedFile:
    try:
        text = (await request.body()).decode()
    except UnicodeDecodeError as error:
        raise SeedFileError(
            path=_PATH, reason_en=f"is not UTF-8: {error}.", reason_ko=f"UTF-8이 아닙니다: {error}."
        ) from None
    return SeedFile(_PATH, text, clock.to_epoch(clock.now()))


File = Annotated[SeedFile, Depends(_file)]
Names = Annotated[list[str] | None, Query(alias="name")]


@router.post("/plan", openapi_extra=_BODY)
@needs(Scope.OPERATOR)
def plan_file(file: File, policy: SeedPolicy | None = None, force: bool = False) -> dict[str, Any]:
    """What applying the file would do, field by field, and who wins. Changes nothing."""
    return plan(redis_link(), file, policy or _policy(), force=force).to_json()


@router.post("/apply", openapi_extra=_BODY)
@needs(Scope.OPERATOR)
def apply_file(file: File, request: Request, policy: SeedPolicy | None = None, force: bool = False) -> dict[str, Any]:
    """Apply the file: what was changed in it wins, what was edited live and not in the file survives.

    The beat's own file is a stale copy then, and is not applied until it says the same or is newer.
    """
    try:
        done = apply(redis_link(), file, policy or _policy(), force=force, by=caller_of(request), origin="api")
    except OvertakenError:
        raise ProblemError(
            409,
            "overtaken",
            "그 사이에 다른 사본이 적용되기 시작하여 중간에 멈췄습니다. plan으로 확인하세요.",
            "Another copy began to be applied meanwhile; this one was left in the middle. Look at the plan.",
        ) from None
    return done.to_json()


@router.get("/export")
@needs(Scope.VIEWER)
def export_file(name: Names = None) -> Response:
    """The live schedules as a file that `apply` takes: those of these names, else all but those of beat_schedule."""
    return Response(export(redis_link(), name), media_type="application/json")


def _policy() -> SeedPolicy:
    return cast("SeedPolicy", celery_app.conf.livebeat_seed_policy)
