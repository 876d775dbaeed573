"""From the old list to the ledger, and from the ends of runs back to the old lists.

A message is taken in one step: off the list, into the ledger, into sight in `:processing`. It stays in sight until its run
has ended; a run that failed goes to `:failed` with its reason. Ends are told by the event stream, which keeps them for us;
what no event tells (a stream that lost its data) is found by a look at the ledger every few seconds, and put back on the
main list. A Redis that is away is waited for. Any number of bridges may run, killed at any moment.
"""

import logging
import threading
from contextlib import suppress
from datetime import datetime, timedelta

import redis
from kombu.exceptions import OperationalError

from app.bridge import heartbeat
from app.bridge.lists import Lists, lists_of
from app.bridge.messages import Entry, Malformed, read
from app.bridge.taking import run_ids, take
from app.core.settings import Settings
from app.domains.velog.requests import TASK
from livebeat import clock
from livebeat.connection import Link
from livebeat.errors import LivebeatError
from livebeat.events import TERMINAL, Event, EventReader

logger = logging.getLogger(__name__)

GROUP = "bridge"
BATCH = 200
#: Milliseconds that a message may wait for a bridge that is idle.
BLOCK_MS = 100
SWEEP_SECONDS = 5.0
#: Age at which an entry in `:processing` is seen anew; consumers of old take one of ten minutes for abandoned.
SEEN_SECONDS = 60.0
#: Seconds for which a run may be gone from the ledger without its event: another bridge may hold it.
UNTOLD_SECONDS = 90.0
#: How often a request is put back at most.
MOST_RECLAIMED = 3
FIRST_WAIT_SECONDS = 0.25
LONGEST_WAIT_SECONDS = 5.0
_FAILURES = frozenset({"run.failed", "run.lost", "run.expired"})


class Bridge:
    """One of the bridges. `run` returns once `stop` is set and the step in hand is done."""

    def __init__(self, link: Link, settings: Settings, host: str, stop: threading.Event) -> None:
        self._link, self._settings, self._host, self._stop = link, settings, host, stop
        self._reader: EventReader | None = None
        self._known_lists: Lists | None = None
        self._next_sweep = clock.monotonic()
        self._next_beat = clock.monotonic()
        self._untold: dict[str, float] = {}
        self._counts = dict.fromkeys(("taken", "coalesced", "malformed", "failed"), 0)
        self._waiting_for = ""
        self._wait_seconds = FIRST_WAIT_SECONDS

    def run(self) -> None:
        """Go on until `stop` is set, whichever Redis comes and goes."""
        logger.info("bridge %s takes from the list %squeue:stats-refresh", self._host, self._settings.redis_key_prefix)
        while not self._stop.is_set():
            try:
                self._turn()
            except LivebeatError as error:
                self._wait(str(error), str(error))
            except (redis.RedisError, OperationalError) as error:
                self._reader = None  # a reply may have been lost, or the stream's data: it is asked for anew
                self._wait("Redis", str(error) or type(error).__name__)
        with suppress(redis.RedisError):
            self._leave()
        logger.info("bridge %s stopped: %s", self._host, self._counts)

    def _turn(self) -> None:
        events = self._read()
        for event in events:
            self._settle(event)
        if self._reader is not None:
            self._reader.ack(events)
        for _ in range(BATCH):
            if self._stop.is_set() or not self._take_next():
                break
        if clock.monotonic() >= self._next_sweep:
            self._next_sweep = clock.monotonic() + SWEEP_SECONDS
            self._sweep(is_told=len(events) < BATCH)
        self._is_back()
        self._beat("ok")

    @property
    def _lists(self) -> Lists:
        if self._known_lists is None:
            self._known_lists = lists_of(self._link, self._settings)
        return self._known_lists

    def _read(self) -> list[Event]:
        if self._reader is None:
            self._reader = EventReader(self._link.client, self._link.keys, GROUP, self._host)
            self._reader.register()
        try:
            return self._reader.read(BATCH, BLOCK_MS)
        except redis.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            self._reader = None  # another bridge signed off, with nothing under way
            return []

    def _take_next(self) -> bool:
        """Whether there may be another one."""
        found = self._lists.next()
        if found is None:
            return False
        request = read(found.text, found.text_length)
        if isinstance(request, Malformed):
            if self._lists.reject(found, request.entry):
                self._counts["malformed"] += 1
                logger.warning("a message was put on %s: %s", self._lists.failed, request.en)
            return True
        outcome, run = take(self._link, self._lists, found, request)
        if outcome == "accepted":
            self._counts["taken"] += 1
            logger.info("the refresh of user %d was taken as run %s", request.user_id, run)
        elif outcome == "coalesced":
            self._counts["coalesced"] += 1
            logger.info("a refresh of user %d is under way already, as run %s", request.user_id, run)
        return True

    def _settle(self, event: Event) -> None:
        """Take a run that has ended out of sight."""
        run = event.data.get("run")
        if event.type not in TERMINAL or event.data.get("task", TASK) != TASK or not isinstance(run, str):
            return
        self._bring_in(run)
        if event.type not in _FAILURES:
            self._lists.end(run)
            return
        for entry in self._lists.entries():
            if entry.run == run:
                self._fail(entry, event)

    def _fail(self, entry: Entry, event: Event) -> None:
        outcome = event.type.removeprefix("run.")
        reason = str(event.data.get("error") or outcome)
        kind = str(event.data.get("error_class") or outcome)
        attempts = event.data.get("attempt")
        count = attempts if isinstance(attempts, int) else 1
        if self._lists.fail(entry.run, entry.failed(event.at, count, reason, kind)):
            self._counts["failed"] += 1
            logger.warning("run %s was put on %s: %s", entry.run, self._lists.failed, reason)

    def _bring_in(self, run: str) -> None:
        """A bridge may have been killed between accepting this run and making it visible."""
        for found in self._lists.in_hand():
            request = read(found.text, found.text_length)
            if not isinstance(request, Malformed) and run in run_ids(found, request):
                self._lists.show(found, run, request.rest(self._link.now()))

    def _sweep(self, *, is_told: bool) -> None:
        """Look at every entry of ours: is its run in the ledger? `is_told`: no event waits to be read."""
        entries = self._lists.entries()
        with self._link.client.pipeline(transaction=False) as pipe:
            for entry in entries:
                pipe.exists(self._link.keys.run(entry.run))
            there = pipe.execute()
        now, monotonic = self._link.now(), clock.monotonic()
        gone = [entry for entry, is_there in zip(entries, there, strict=True) if not is_there]
        for entry, is_there in zip(entries, there, strict=True):
            if is_there and (entry.seen_at is None or now - entry.seen_at > timedelta(seconds=SEEN_SECONDS)):
                self._lists.refresh(entry, entry.seen(now))
        if not is_told:
            return
        self._untold = {entry.run: self._untold.get(entry.run, monotonic) for entry in gone}
        for entry in gone:
            if monotonic - self._untold[entry.run] >= UNTOLD_SECONDS:
                self._put_back(entry, now)

    def _put_back(self, entry: Entry, now: datetime) -> None:
        """Nobody told how its run ended, and the ledger doesn't know it: better once more than not at all."""
        if entry.reclaimed >= MOST_RECLAIMED:
            reason = f"how its run ended was not told, {entry.reclaimed + 1} times; see the log of the bridge"
            self._lists.fail(entry.run, entry.failed(now, 1, reason, "Untold"))
            return
        if self._lists.put_back(entry.run, entry.again(now)):
            logger.error("run %s is not in the ledger, and nothing told its end: its request waits again", entry.run)

    def _wait(self, what: str, reason: str) -> None:
        """Until the next try; says why, once."""
        told = " ".join(reason.split())
        if self._waiting_for != what:
            logger.error("waiting: %s", told if what == reason else f"{what}: {told}")
            self._waiting_for, self._wait_seconds = what, FIRST_WAIT_SECONDS
        with suppress(redis.RedisError):
            self._beat(f"waiting: {told}")
        self._stop.wait(self._wait_seconds)
        self._wait_seconds = min(self._wait_seconds * 2, LONGEST_WAIT_SECONDS)

    def _is_back(self) -> None:
        if self._waiting_for:
            logger.info("the bridge goes on")
            self._waiting_for = ""

    def _beat(self, state: str) -> None:
        if clock.monotonic() >= self._next_beat:
            heartbeat.beat(self._link.client, self._host, state, **self._counts)
            self._next_beat = clock.monotonic() + 1.0

    def _leave(self) -> None:
        """Sign off; where nothing of ours is under way, the stream needs to keep nothing for us."""
        heartbeat.end(self._link.client, self._host)
        if not self._lists.entries() and not self._lists.in_hand():
            self._link.client.xgroup_destroy(self._link.keys.events, GROUP)
