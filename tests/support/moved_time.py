"""One app and its beat at a time that the test moves: RedBeat's own code and ours read the same hand-moved clock.

Both write to the real server; what is sent is taken from the queue as it comes.
"""

from datetime import datetime, timedelta

import pytest
from celery import Celery
from redbeat import RedBeatScheduler, RedBeatSchedulerEntry

from livebeat import ScheduleStore, clock
from livebeat.beat.dispatch import Dispatcher
from livebeat.connection import link
from support.beats import Sent, messages
from support.engine import connect

HALF = timedelta(seconds=0.5)
#: Before something is due; what comes within ten seconds is prepared.
_CLOSE = timedelta(seconds=12)


class World:
    """`sent`: each message, and when it was. `store` alone goes by the real clock."""

    def __init__(self, app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
        self.app, self.store = app, ScheduleStore(app)
        self.dispatcher = Dispatcher(link(app), self.store)
        self.now = link(app).now()
        self.sent: list[tuple[datetime, Sent]] = []
        self._client = connect(app.conf.redbeat_redis_url)
        monkeypatch.setattr(app, "now", lambda: self.now.astimezone(app.timezone))

    def lead(self, until: datetime) -> None:
        """Our beat leads until then: it looks twice a second where anything may happen, and prepares what comes."""
        self._prepare()
        while self.now < until:
            due = self.dispatcher.next_due()
            idle = min(clock.from_epoch(due), until) - self.now if due else until - self.now
            self.now += idle - _CLOSE if idle > 2 * _CLOSE else HALF
            assert any(self.dispatcher.run_once(self.now) == ("ok", 0) for _ in range(10))
            self._prepare()
            self._collect()

    def _prepare(self) -> None:
        self.dispatcher._ahead._next_look = 0.0  # by the real clock no half second has gone by
        assert any(not self.dispatcher.prepare(self.now) for _ in range(10))

    def lead_by_stock(self, until: datetime, step: timedelta = 2 * HALF) -> None:
        """RedBeat's own scheduler leads until then, a tick a `step`; ours is stopped."""
        stock = RedBeatScheduler(self.app)
        stock.lock_key = None
        while self.now < until:
            self.now += step
            stock.tick()
            self._collect()
        stock.close()

    def entry(self, name: str) -> RedBeatSchedulerEntry:
        """RedBeat's own object of a schedule."""
        return RedBeatSchedulerEntry.from_key(f"redbeat:{name}", app=self.app)

    def slots(self, name: str, late: timedelta = HALF, since: int = 0) -> list[datetime]:
        """Of the messages from number `since` on the slots of one schedule: none early, none twice, none late."""
        sent = [(at, each, each.slot or at) for at, each in self.sent[since:] if each.name == name]
        slots = [slot for *_, slot in sent]
        assert slots == sorted(set(slots))
        for at, each, slot in sent:
            assert timedelta(0) <= at - slot <= late + timedelta(milliseconds=1), each
        return slots

    def _collect(self) -> None:
        self.sent.extend((self.now, sent) for sent in messages(self._client, "celery"))
        self._client.delete("celery")
