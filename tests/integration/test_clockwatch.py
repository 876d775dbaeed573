"""A server clock that jumps: nothing is spent on it, and nothing waits for ever. Time is an argument here."""

import json
from typing import Any

import pytest
from celery import Celery

from livebeat import Interval, ScheduleSpec, ScheduleStore, clock
from livebeat.beat import clockwatch
from livebeat.beat.clockwatch import HOLD, ClockWatch
from livebeat.beat.dispatch import Dispatcher
from livebeat.connection import link
from support.engine import connect, make_app

HOUR = 3600.0


class Uptime:
    """This host's clock, moved by hand."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def uptime(monkeypatch: pytest.MonkeyPatch) -> Uptime:
    uptime = Uptime()
    monkeypatch.setattr(clockwatch.clock, "uptime", uptime)
    return uptime


def told(redis_url: str) -> list[str]:
    return [entry["type"] for _, entry in connect(redis_url).xrange("livebeat:events")]


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 2.5])
def test_a_jump_that_is_set_right_costs_nothing(app: Celery, redis_url: str, uptime: Uptime, jump: float) -> None:
    watch = ClockWatch(link(app))
    assert not watch.holds(5e8)
    for _ in range(6):
        uptime.seconds += 1
        assert watch.holds(5e8 + uptime.seconds - 1000 + jump)
    uptime.seconds += 1
    assert not watch.holds(5e8 + 7)
    assert told(redis_url) == ["clock.jumped"]


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_jump_that_stays_is_believed_in_the_end(app: Celery, redis_url: str, uptime: Uptime, jump: float) -> None:
    watch = ClockWatch(link(app))
    watch.holds(5e8)
    uptime.seconds += HOLD - 1
    assert watch.holds(5e8 + jump)  # the hold begins when the jump is seen
    uptime.seconds += HOLD - 1
    assert watch.holds(5e8 + 2 * HOLD + jump)
    uptime.seconds += 1
    assert not watch.holds(5e8 + 2 * HOLD + jump)
    uptime.seconds += 1
    assert not watch.holds(5e8 + 2 * HOLD + jump + 1)
    assert told(redis_url) == ["clock.jumped", "clock.believed"]


def test_a_suspended_machine_is_no_jump(app: Celery, redis_url: str, uptime: Uptime) -> None:
    watch = ClockWatch(link(app))
    watch.holds(5e8)
    uptime.seconds += HOUR
    assert not watch.holds(5e8 + HOUR)
    assert told(redis_url) == []


def test_a_slow_drift_is_no_jump(app: Celery, uptime: Uptime) -> None:
    watch = ClockWatch(link(app))
    for step in range(1000):
        uptime.seconds += 1
        assert not watch.holds(5e8 + step * 1.01)


def test_behind_the_newest_dispatch_waits_and_then_goes_on(app: Celery, redis_url: str, uptime: Uptime) -> None:
    """A beat that started after the clock was set back knows of it from the mark alone."""
    store, at = ScheduleStore(app), link(app)
    store.put(ScheduleSpec(name="a", task="sample.echo", recurrence=Interval(seconds=1)))
    key = at.keys.entry("a")
    client = connect(redis_url)
    data = json.loads(client.hget(key, "livebeat"))
    now = at.now()
    data["next"] = clock.to_epoch(now)
    client.hset(key, "livebeat", json.dumps(data))
    client.zadd(at.keys.schedule, {key: data["next"]})
    client.set(at.keys.mark, f"{data['next'] + HOUR:.6f}")
    watch, dispatcher = ClockWatch(at), Dispatcher(at, store)

    def once() -> Any:
        server = at.now()
        outcome, count = dispatcher.run_once(server)
        if outcome == "clock":
            watch.behind(clock.to_epoch(server), dispatcher.detail)
        return outcome, count

    assert once() == ("clock", 0)
    assert watch.held
    uptime.seconds += HOLD - 1
    assert once() == ("clock", 0)
    uptime.seconds += 1
    assert once() == ("clock", 0)  # believed from here
    assert not watch.held
    assert once() == ("ok", 1)
    assert client.llen("celery") == 1
