"""`/`: the schedules at a glance, with links to the rest. `/docs`: the REST documentation, from our own files."""

from zoneinfo import ZoneInfo

import redis
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

from app.access.scopes import Scope
from app.api.access import needs, principal_of
from app.api.engine import store, zone
from app.api.language import Reader
from app.api.pages import page
from app.api.routing import OrmRoute
from app.api.schedule_view import listed
from livebeat.rules import describe

router = APIRouter(route_class=OrmRoute, include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
@needs(Scope.VIEWER)
def front(request: Request, reader: Reader) -> HTMLResponse:
    """The schedules, each with its rule, next and last run; says so where Redis is away."""
    here = ZoneInfo(zone())
    who = principal_of(request)
    try:
        stored = store.list()
    except (redis.ConnectionError, redis.TimeoutError):
        return page("front.html", reader, 503, rows=[], zone=zone(), down=True, principal=who)
    rows = []
    for schedule in stored:
        row = {"name": schedule.spec.name, **listed(schedule), "rule": describe(schedule.spec.recurrence, reader)}
        for name in ("next_run_at", "last_run_at"):
            row[name] = row[name].astimezone(here).strftime("%Y-%m-%d %H:%M:%S") if row[name] else ""
        rows.append(row)
    return page("front.html", reader, rows=rows, zone=zone(), down=False, principal=who)


@router.get("/openapi.json")
@needs(Scope.VIEWER)
def openapi(request: Request) -> JSONResponse:
    """The REST documentation as JSON."""
    return JSONResponse(request.app.openapi())


@router.get("/docs", response_class=HTMLResponse)
@needs(Scope.VIEWER)
def docs(reader: Reader) -> HTMLResponse:
    """Swagger UI on `/openapi.json`."""
    return page("docs.html", reader)
