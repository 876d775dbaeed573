"""`/`: the schedules at a glance, with links to the rest. `/docs`: the REST documentation, from our own files."""

from zoneinfo import ZoneInfo

import redis
from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.api.engine import store, zone
from app.api.language import Reader
from app.api.pages import page
from app.api.routing import OrmRoute
from app.api.schedule_view import listed
from livebeat.rules import describe

router = APIRouter(route_class=OrmRoute, include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
def front(reader: Reader) -> HTMLResponse:
    """The schedules, each with its rule, next and last run; says so where Redis is away."""
    here = ZoneInfo(zone())
    try:
        stored = store.list()
    except (redis.ConnectionError, redis.TimeoutError):
        return page("front.html", reader, 503, rows=[], zone=zone(), down=True)
    rows = []
    for schedule in stored:
        row = {"name": schedule.spec.name, **listed(schedule), "rule": describe(schedule.spec.recurrence, reader)}
        for name in ("next_run_at", "last_run_at"):
            row[name] = row[name].astimezone(here).strftime("%Y-%m-%d %H:%M:%S") if row[name] else ""
        rows.append(row)
    return page("front.html", reader, rows=rows, zone=zone(), down=False)


@router.get("/docs", response_class=HTMLResponse)
def docs(reader: Reader) -> HTMLResponse:
    """Swagger UI on `/openapi.json`."""
    return page("docs.html", reader)
