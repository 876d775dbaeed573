"""Installed workers: each says about every two seconds which queues it consumes and which messages it holds.

Written by the worker's main process from a thread of its own, so also while a solo pool is busy with a task. A worker
that is killed falls silent; nothing else writes its heartbeat.
"""

import atexit
import json
import logging
import os
import socket
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

import redis
from celery.signals import worker_ready
from celery.worker import state

from livebeat import clock
from livebeat.connection import Link

logger = logging.getLogger(__name__)

#: Seconds between two heartbeats of a worker; a change of its queues is told at once.
PERIOD = 2.0
#: Seconds of silence after which a worker counts as dead or cut off.
SILENCE = 10.0
#: Seconds after which the heartbeat of a silent worker is removed.
KEPT = 300
_LOOK_PERIOD = 0.2


@dataclass(frozen=True, kw_only=True)
class Worker:
    """One heartbeat as read. `at` is Redis' time; `received`: ids of the messages that it took and has not ended; `pool`:
    `prefork`, `solo`, `thread` …, '' where it doesn't say."""

    name: str
    at: datetime
    queues: tuple[str, ...]
    received: frozenset[str]
    host: str
    pid: int
    version: str
    pool: str = ""


def workers(link: Link, *, silent: bool = False) -> list[Worker]:
    """The installed workers by name, without those that fell silent, unless these are wanted too.

    What can't be read is left out.

    Raises:
        redis.RedisError: Redis doesn't answer.
    """
    texts = cast("dict[str, str]", link.client.hgetall(link.keys.workers))
    now = link.now()
    found = (worker for name, text in sorted(texts.items()) if (worker := _read(name, text)) is not None)
    return [worker for worker in found if silent or (now - worker.at).total_seconds() <= SILENCE]


def announce(link: Link, worker: Any) -> None:
    """Let this worker say what it consumes and holds, from when it consumes until it ends."""
    worker_ready.connect(_Presence(link, worker).begin, weak=False)


class _Presence:
    """One worker's heartbeat. The thread begins when the pool has forked."""

    def __init__(self, link: Link, worker: Any) -> None:
        self._link, self._worker = link, worker
        self._whose = {"host": socket.gethostname(), "pid": os.getpid()}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._queues: tuple[str, ...] = ()
        self._away = False

    def begin(self, **_: Any) -> None:
        """Celery says that it is ready also after each reconnect."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._go_on, name="livebeat-presence", daemon=True)
            self._thread.start()
            atexit.register(self._end)  # Celery's own signal is not sent at every end

    def _end(self) -> None:
        if os.getpid() != self._whose["pid"] or self._thread is None:
            return
        self._stop.set()
        self._thread.join(PERIOD)
        whose = json.dumps(self._whose)[1:-1]
        try:
            self._link.script("leave", [self._link.keys.workers], [self._worker.hostname, whose])
        except redis.RedisError as error:
            logger.warning("This worker's heartbeat could not be removed, it ends by itself: %s", error)

    def _go_on(self) -> None:
        said: tuple[str, ...] = ()
        next_at = 0.0
        while not self._stop.is_set():
            queues = self._consumed()
            if (queues != said or clock.monotonic() >= next_at) and self._say(queues):
                said, next_at = queues, clock.monotonic() + PERIOD
            self._stop.wait(_LOOK_PERIOD)

    def _consumed(self) -> tuple[str, ...]:
        """The queues; while the connection is made anew, those of before."""
        consumer = self._worker.consumer.task_consumer
        if consumer is not None:
            self._queues = tuple(sorted(queue.name for queue in list(consumer.queues)))
        return self._queues

    def _say(self, queues: Iterable[str]) -> bool:
        """False while Redis is away; then it is tried again at the next look."""
        said = {
            **self._whose,
            "version": own_version(),
            "pool": self._worker.pool_cls.__module__.rpartition(".")[2],
            "queues": list(queues),
            "received": held(self._worker.consumer),
        }
        try:
            self._link.script("heartbeat", [self._link.keys.workers], [self._worker.hostname, json.dumps(said), ""])
        except redis.RedisError as error:
            if not self._away:
                logger.warning("This worker's heartbeat could not be written, trying again: %s", error)
            self._away = True
            return False
        self._away = False
        return True


def held(consumer: Any) -> list[str]:
    """Ids of the messages that a worker took and has not ended: reserved, active, with an ETA, waiting for their rate.

    Called from another thread than changes these; each copy is one step of the interpreter.
    """
    buckets = [bucket for bucket in list(consumer.task_buckets.values()) if bucket is not None]
    limited = [request.id for bucket in buckets for request, _ in list(bucket.contents)]
    return sorted({*list(state.requests), *limited})


@cache
def own_version() -> str:
    """The engine's version; '' in a copy that was never installed."""
    try:
        return version("livebeat")
    except PackageNotFoundError:
        return ""


def _read(name: str, text: str) -> Worker | None:
    """Another version's heartbeat may say more, or less."""
    try:
        data = json.loads(text)
        return Worker(
            name=name,
            at=clock.from_epoch(data["at"]),
            queues=tuple(data["queues"]),
            received=frozenset(data["received"]),
            host=data["host"],
            pid=data["pid"],
            version=data.get("version", ""),
            pool=str(data.get("pool", "")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
