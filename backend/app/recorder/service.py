"""From the event stream to the database: each event's effect lands once, and nothing stops the stream.

Read, record, acknowledge, in that order: what was not recorded is delivered again, and recording twice changes
nothing. A Redis or database that is away is waited for, with one line when it goes and one when it is back. An event
that can't be recorded is logged and acknowledged. Any number of recorders may run; those of one host share what they
have taken, so that a restart goes on at once where the last one was killed.
"""

import logging
import threading
from collections.abc import Sequence
from contextlib import suppress

import redis
from django.db import InterfaceError, OperationalError, ProgrammingError, close_old_connections, connections

from app.history import heartbeat
from app.history.services import BATCH, record_events
from app.recorder.crons import check_in
from app.recorder.requests import record_requests_of
from livebeat import clock, failpoints
from livebeat.events import Event, EventReader
from livebeat.keys import Keys

logger = logging.getLogger(__name__)

BLOCK_MS = 1000
TRIM_SECONDS = 60.0
FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 5.0

#: Away, restarting, locked, or not migrated yet: the same batch will do later.
_DATABASE_AWAY = (OperationalError, InterfaceError, ProgrammingError)
_REDIS_AWAY = (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError, redis.ReadOnlyError)


class Recorder:
    """One reader of the group. `run` returns once `stop` is set and the batch in hand is dealt with."""

    def __init__(self, client: "redis.Redis", keys: Keys, host: str, stop: threading.Event) -> None:
        self._client, self._keys, self._host, self._stop = client, keys, host, stop
        self._reader = EventReader(client, keys, heartbeat.GROUP, host)
        self._registered = False
        self._next_trim = clock.monotonic() + TRIM_SECONDS
        self._waiting_for = ""
        self._wait_seconds = FIRST_WAIT_SECONDS

    def run(self) -> None:
        """Record until `stop` is set. Redis and the database may come and go."""
        logger.info("recorder %s reads %s", self._host, self._keys.events)
        while not self._stop.is_set():
            try:
                self._turn()
            except _REDIS_AWAY as error:
                self._wait_for("Redis", error)
            except redis.ResponseError as error:
                # The stream or the group is gone (Redis lost its data): both are made anew.
                self._wait_for("the event stream", error)
        with suppress(redis.RedisError):
            heartbeat.end(self._client, self._host)
        connections.close_all()
        logger.info("recorder %s stopped", self._host)

    def _turn(self) -> None:
        if not self._registered:
            # A reply may have been lost: a new reader first asks for what this consumer holds already.
            self._reader = EventReader(self._client, self._keys, heartbeat.GROUP, self._host)
            self._reader.register()
            self._registered = True
        heartbeat.beat(self._client, self._host, "ok")
        events = self._reader.read(BATCH, BLOCK_MS)
        self._is_back("Redis", "the event stream")
        if events:
            failpoints.reach("before_rows")
            if not self._record(events):
                return
            failpoints.reach("after_rows")
        check_in(events)
        self._reader.ack(events)
        if clock.monotonic() >= self._next_trim:
            self._next_trim = clock.monotonic() + TRIM_SECONDS
            self._reader.trim()

    def _record(self, events: Sequence[Event]) -> bool:
        """True once the events are dealt with; False where `stop` came while the database was away."""
        while True:
            try:
                _record_whole_or_singly(events)
            except _DATABASE_AWAY as error:
                connections.close_all()
                if self._stop.is_set():
                    return False
                heartbeat.beat(self._client, self._host, "waiting for the database")
                self._wait_for("the database", error)
            else:
                self._is_back("the database")
                return True

    def _wait_for(self, what: str, error: Exception) -> None:
        if what != "the database":
            self._registered = False
        if self._waiting_for != what:
            logger.error("waiting for %s: %s", what, " ".join(str(error).split()) or type(error).__name__)
            self._waiting_for, self._wait_seconds = what, FIRST_WAIT_SECONDS
        self._stop.wait(self._wait_seconds)
        self._wait_seconds = min(self._wait_seconds * 2, LONGEST_WAIT_SECONDS)

    def _is_back(self, *what: str) -> None:
        if self._waiting_for in what:
            logger.info("%s is back", self._waiting_for)
            self._waiting_for = ""


def _record_whole_or_singly(events: Sequence[Event]) -> None:
    close_old_connections()
    try:
        _write_rows(events)
    except _DATABASE_AWAY:
        raise
    except Exception:
        logger.exception("a batch of %d events can't be recorded as a whole; trying one by one", len(events))
        for event in events:
            _record_one(event)


def _record_one(event: Event) -> None:
    try:
        _write_rows([event])
    except _DATABASE_AWAY:
        raise
    except Exception:
        logger.exception("event %s (%s) can't be recorded and was skipped", event.id, event.type)


def _write_rows(events: Sequence[Event]) -> None:
    record_events(events)
    record_requests_of(events)
