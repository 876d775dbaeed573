"""The engine as the routes use it: one store, its backfills and one Redis link for the process."""

from app.core.celery_app import celery_app
from livebeat import Backfills, ScheduleStore
from livebeat.connection import Link, link

#: Seconds; a caller hears of a Redis that hangs within two. Beat and workers may wait longer.
_REPLY_TIMEOUT = 1.5

celery_app.conf.redbeat_redis_options = {**celery_app.conf.redbeat_redis_options, "socket_timeout": _REPLY_TIMEOUT}

store = ScheduleStore(celery_app)
backfills = Backfills(celery_app)


def redis_link() -> Link:
    """The Redis client and the keys."""
    return link(celery_app)


def zone() -> str:
    """The IANA name of the zone that rules without one mean."""
    return str(celery_app.timezone)
