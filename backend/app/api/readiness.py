"""Whether the platform can do its work now: each dependency by name, with what is wrong where it isn't.

Polling is cheap: asking the workers and reading the migrations are remembered for a moment.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import redis
from celery.exceptions import OperationalError as BrokerError
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor
from kombu.exceptions import OperationalError as TransportError

from app.api.engine import redis_link
from app.core.celery_app import celery_app
from app.history.heartbeat import live_recorders
from livebeat import clock, leader
from livebeat.beat.leader import TOKEN_PREFIX

_REMEMBERED_SECONDS = 2.0
#: One question isn't heard by a worker that is just subscribing, so it is asked a few times.
_PINGS, _PING_SECONDS = 3, 0.35

T = TypeVar("T")


@dataclass(frozen=True)
class Check:
    """One dependency. `detail` says who serves, or what is wrong."""

    ok: bool
    detail: str


class Remembered(Generic[T]):
    """A value that is asked for at most once in a while, by one caller at a time."""

    def __init__(self, ask: Callable[[], T], seconds: float = _REMEMBERED_SECONDS) -> None:
        self._ask, self._seconds = ask, seconds
        self._lock = threading.Lock()
        self._value: tuple[float, T] | None = None

    def __call__(self) -> T:
        """The value, not older than the time it is remembered for."""
        with self._lock:
            if self._value is None or clock.monotonic() - self._value[0] > self._seconds:
                self._value = (clock.monotonic(), self._ask())
            return self._value[1]

    def forget(self) -> None:
        """Ask anew next time."""
        with self._lock:
            self._value = None


def readiness() -> dict[str, Check]:
    """Every check by its name. Never raises for a dependency that is down; takes at most a few seconds then."""
    checks = {"redis": _redis(), "database": _database()}
    checks["migrations"] = _migrations() if checks["database"].ok else Check(False, "the database is not available")
    for name, check in (("beat", _beat), ("worker", _worker), ("recorder", _recorder)):
        checks[name] = _guarded(check) if checks["redis"].ok else Check(False, "Redis is not available")
    return checks


def _guarded(check: Callable[[], Check]) -> Check:
    try:
        return check()
    except (redis.RedisError, BrokerError, TransportError, OSError) as error:
        return Check(False, _line(error))


def _redis() -> Check:
    try:
        redis_link().client.ping()
    except redis.RedisError as error:
        return Check(False, _line(error))
    return Check(True, "answers")


def _database() -> Check:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, InterfaceError) as error:
        return Check(False, _line(error))
    return Check(True, str(connection.vendor))


def _missing_migrations() -> list[str]:
    executor = MigrationExecutor(connection)
    return [str(migration) for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]


_migrations_left = Remembered(_missing_migrations)


def _migrations() -> Check:
    try:
        left = _migrations_left()
    except (DatabaseError, InterfaceError) as error:
        return Check(False, _line(error))
    return Check(not left, f"not applied: {', '.join(left)}" if left else "all applied")


def _beat() -> Check:
    token = leader(celery_app)
    if token is None:
        return Check(False, "no beat leads")
    if not token.startswith(TOKEN_PREFIX):
        return Check(False, f"foreign leader: a beat that is not Livebeat holds the lock ({token})")
    return Check(True, token)


def _ping() -> list[str]:
    for _ in range(_PINGS):
        replies: list[dict[str, Any]] = celery_app.control.ping(timeout=_PING_SECONDS, limit=1) or []
        if replies:
            return [name for reply in replies for name in reply]
    return []


_answering_workers = Remembered(_ping)


def _worker() -> Check:
    workers = _answering_workers()
    if workers:
        return Check(True, ", ".join(workers))
    _answering_workers.forget()  # who starts the platform waits for this
    return Check(False, "no worker answers")


def _recorder() -> Check:
    of = redis_link()
    recorders = live_recorders(of.client, of.keys)
    if not recorders:
        return Check(False, "no recorder is alive")
    detail = ", ".join(f"{host}: {state}" for host, state in sorted(recorders.items()))
    return Check("ok" in recorders.values(), detail)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
