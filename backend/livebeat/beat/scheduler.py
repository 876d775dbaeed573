"""`LiveBeatScheduler`: set `beat_scheduler = "livebeat:LiveBeatScheduler"` and start `celery beat` as ever.

Reads and writes RedBeat's data, so a stock `RedBeatScheduler` can take over, and be taken over from, at any time.
An error never ends the beat: it is logged once, and the next tick tries again.
"""

import gc
import logging
from pathlib import Path
from typing import Any, cast

import redis
from celery import Celery
from celery.beat import Scheduler

from livebeat import clock
from livebeat.backfill import Backfills
from livebeat.beat.clockwatch import ClockWatch
from livebeat.beat.dispatch import Dispatcher
from livebeat.beat.failing import pause_failing
from livebeat.beat.heartbeat import Facts, Heartbeat
from livebeat.beat.leader import LeaderLock
from livebeat.beat.prepare import AWAY
from livebeat.beat.statics import apply_statics
from livebeat.beat.wake import LONGEST, Wake
from livebeat.connection import Link, link
from livebeat.delivery import Relay
from livebeat.delivery.installation import installed
from livebeat.message import verify
from livebeat.seedfile import Seeding
from livebeat.store import ScheduleStore

logger = logging.getLogger(__name__)

#: Seconds that a slot may be overdue before a standby dispatches it, so that a take-over needs no lock to expire.
STANDBY_AFTER = 0.3
_DUTY_PERIOD = 1.0
_PAUSE_WHEN_AWAY = 0.5


class LiveBeatScheduler(Scheduler):
    """Celery Beat's scheduler. Any number may run: one leads, the others stand by and take over within a second.

    Settings read from the Celery app: RedBeat's own (`redbeat_redis_url`, `redbeat_key_prefix` …),
    `beat_schedule`, and `livebeat_seed_file` (a path) with `livebeat_seed_policy`.
    """

    #: RedBeat's `beat_init` receiver would block on this lock for as long as another beat leads.
    lock_key = None

    def __init__(self, app: Celery, **kwargs: Any) -> None:
        self._link: Link = link(app)
        self._store = ScheduleStore(app)
        self._lock = LeaderLock(self._link)
        self._dispatcher = Dispatcher(self._link, self._store)
        self._relay = Relay(self._link)
        self._backfills = Backfills(app)
        self._heartbeat = Heartbeat(self._link)
        self._wake = Wake(self._link)
        self._clock = ClockWatch(self._link)
        self._seeding = self._seed_of(app)
        self._next_duty = 0.0
        self._relaying = False
        self._away = False
        self._verified = False
        self._closed = False
        super().__init__(app, **kwargs)
        self.max_interval = LONGEST

    @property
    def schedule(self) -> dict[str, Any]:
        """Celery's own view of a schedule; ours lives in Redis, so it is empty."""
        return {}

    def setup_schedule(self) -> None:
        """Nothing at start: the leader installs static and seeded entries when it comes to lead."""

    def tick(self, *_: Any, **__: Any) -> float:
        """Dispatch what is due and sleep until more is, or a schedule changes. Never raises for a Redis away.

        Raises:
            SystemExit: it was closed.
        """
        # Celery's handler of SIGTERM closes and then raises SystemExit, wherever the tick is; there, whoever catches
        # everything (the Sentry SDK does) would swallow it, and a beat that was told to stop would go on.
        if self._closed:
            raise SystemExit
        started = clock.monotonic()
        try:
            if not self._verified:
                verify(self._link)
                self._verified = True
                gc.freeze()  # what the imports made is here to stay; looking through it would delay slots
            self._wake.listen()
            role = self._lock.role
            if self._lock.keep() != role:
                self._role_changed(role)
            busy = self._dispatch()
            busy |= self._duties()
            self._heartbeat.beat(self._lock.role, self._lock.token, self._facts(started))
            if self._away:
                logger.info("Redis answers again.")
                self._away = False
            if not busy:
                self._sleep()
        except AWAY as error:
            if not self._away:
                logger.error("Redis does not answer, trying again: %s", error)  # noqa: TRY400  once, without a trace
                self._away = True
            # The other connections are as dead; each would take its own time to tell.
            self._link.client.connection_pool.disconnect(inuse_connections=False)
            self._wake.close()
            return _PAUSE_WHEN_AWAY
        return 0.0

    def close(self) -> None:
        """Hand over: let go of the lock, so that a standby leads at once.

        Celery calls this inside its signal handler, in the middle of whatever the tick was doing, so nothing that
        the tick may be reading from is closed here.
        """
        self._closed = True
        try:
            self._heartbeat.end()
            self._lock.resign()
        except redis.RedisError as error:
            logger.warning("The leader lock could not be released, it ends by itself: %s", error)
        super().close()

    @property
    def info(self) -> str:
        """What the beat prints at its start."""
        return f"       . schedules -> {self._link.keys.schedule}\n       . lock -> {self._link.keys.lock}"

    def _dispatch(self) -> bool:
        """Dispatch one round, or prepare a little of what comes; returns whether there may be more to do at once."""
        now = self._lock.now
        if self._clock.holds(clock.to_epoch(now)) or self._lock.role == "foreign":
            return False
        leading = self._lock.role == "leader"
        outcome, count = self._dispatcher.run_once(now, overdue_by=0.0 if leading else STANDBY_AFTER)
        if outcome == "clock":
            self._clock.behind(clock.to_epoch(now), self._dispatcher.detail)
        if outcome != "ok":
            return False
        return count > 0 or (leading and self._dispatcher.prepare(now))

    def _duties(self) -> bool:
        """What only the leader does, about once a second: backfills, the relay, and the seed file. Whether there is more."""
        leading = self._lock.role == "leader"
        self._relay.consumers.watch(self._lock.token if leading and installed(self.app) else None)
        if not leading or self._clock.held:
            return False
        backfilling = self._backfills.work()
        is_time = clock.monotonic() >= self._next_duty
        if not (is_time or self._relaying):
            return backfilling
        self._relaying = self._relay.run_once()
        if is_time:
            self._next_duty = clock.monotonic() + _DUTY_PERIOD
            pause_failing(self._link, self._store)
            if self._seeding is not None:
                self._seeding.apply_if_changed()
        return self._relaying or backfilling

    def _facts(self, started: float) -> Facts:
        """What this beat says of its work; `started`: when the tick did, on the monotonic clock."""
        return Facts(
            holds=self._hindrance(),
            uncached=tuple(f"{task}: {why}" for task, why in self._dispatcher.preparation.templates.slow.items()),
            lag_seconds=round(self._dispatcher.lag, 6),
            unledgered="" if installed(self.app) else "livebeat.install(app) was not called",
            unchecked=self._relay.consumers.problem,
            tick_seconds=round(clock.monotonic() - started, 6),
        )

    def _hindrance(self) -> str:
        if self._lock.role == "foreign":
            return "foreign"
        return "clock" if self._clock.held else self._dispatcher.refusal

    def _sleep(self) -> None:
        due = self._dispatcher.next_due()
        pause = LONGEST if due is None else due - self._lock.estimate()
        if self._lock.role != "leader":
            pause = max(pause + STANDBY_AFTER, STANDBY_AFTER / 2)
        for name in filter(None, self._wake.wait(pause) if pause > 0 else ()):
            self._dispatcher.forget(name)
            logger.info("Scheduler entry changed: %s", name)

    def _role_changed(self, before: str) -> None:
        role = self._lock.role
        if role == "leader":
            logger.info("Leading as %s.", self._lock.token)
            apply_statics(self.app, self._link, self._store)
            self._next_duty = 0.0
        elif role == "foreign":
            logger.error(
                "The lock %s is held by a beat that is not Livebeat's (%s). Stop it; until then nothing is dispatched.",
                self._link.keys.lock,
                self._lock.holder,
            )
        elif before == "leader":
            logger.warning("%s leads now; standing by.", self._lock.holder or "Another beat (hand-over was asked for)")
        else:
            logger.info("Standing by for %s.", self._lock.holder)

    def _seed_of(self, app: Celery) -> Seeding | None:
        path = app.conf.get("livebeat_seed_file")
        if not path:
            return None
        return Seeding(self._link, Path(path), cast("Any", app.conf.get("livebeat_seed_policy", "merge")))
