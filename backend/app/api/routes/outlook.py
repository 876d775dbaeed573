"""`/api/scheduler/load`: how much will start when, over all schedules, and how it could be spread."""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.access.scopes import Scope
from app.api.access import needs
from app.api.engine import redis_link, store
from app.api.routing import OrmRoute
from app.api.validation import Instant
from livebeat.lookahead import load

router = APIRouter(prefix="/scheduler", tags=["scheduler"], route_class=OrmRoute)

_DAY = timedelta(days=1)
_LARGEST, _SUGGESTIONS = 1_000_000, 1_000


@router.get("/load")
@needs(Scope.VIEWER)
def upcoming_load(
    start: Annotated[Instant | None, Query(alias="from")] = None,
    end: Annotated[Instant | None, Query(alias="to")] = None,
    bucket: Annotated[int, Query(ge=1, le=31 * 86_400)] = 600,
    crowd: Annotated[int, Query(ge=1, le=_LARGEST)] = 100,
) -> dict[str, Any]:
    """How many runs start in each bucket (seconds) of a time, without it in the next day; the seconds in which more than
    `crowd` start together; and the jitter (seconds) that would spread them, for 1,000 schedules at most."""
    begin = start or redis_link().now().replace(microsecond=0)
    finish = end or begin + _DAY
    found = load(store, begin, finish, timedelta(seconds=bucket), crowd=crowd)
    return {
        "from": found.start,
        "to": found.end,
        "bucket": bucket,
        "total": found.total,
        "counts": found.counts,
        "crowds": [{"at": at, "starts": starts} for at, starts in found.crowds],
        "suggestions": [each._asdict() for each in found.spread()[:_SUGGESTIONS]],
    }
