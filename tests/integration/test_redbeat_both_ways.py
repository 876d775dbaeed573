"""RedBeat's own code at work on schedules while our beat leads: no slot early, twice, late or lost.

Time is moved by hand, for RedBeat's code and for ours alike; both write to the real server. At the end of the file real
processes say how soon such a change counts.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count, takewhile
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from celery.schedules import crontab, schedule
from redbeat import RedBeatSchedulerEntry
from redbeat.schedules import rrule

from livebeat import Cron, Interval, RRule, ScheduleSpec, clock, leader, run_state
from livebeat.connection import link
from livebeat.delivery import Ledger
from support.beats import OURS, Watch, beat, gaps
from support.engine import make_app
from support.moved_time import HALF, World
from support.waiting import wait_until

SECOND = timedelta(seconds=1)


class Kind(NamedTuple):
    """A rule, its period in seconds, another rule, and how RedBeat and we say them."""

    seconds: float
    theirs: Callable[[], Any]
    ours: Callable[[], Any]
    other: Callable[[], Any]
    other_seconds: float


#: Not long ago: dateutil walks every rule from there.
START = clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
KINDS = {
    "crontab": Kind(60, crontab, lambda: Cron("* * * * *"), lambda: crontab(minute="*/2"), 120),
    "interval": Kind(20, lambda: schedule(20), lambda: Interval(seconds=20), lambda: schedule(30), 30),
    "rrule": Kind(
        20,
        lambda: rrule("SECONDLY", interval=20, dtstart=START),
        lambda: RRule("FREQ=SECONDLY;INTERVAL=20", START),
        lambda: rrule("SECONDLY", interval=30, dtstart=START),
        30,
    ),
}


@pytest.fixture
def world(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(make_app(redis_url), monkeypatch)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(params=["ours, between", "theirs, just before", "ours, prepared"])
def state(request: pytest.FixtureRequest) -> tuple[str, str]:
    """Who made the schedule, and when something is done to it: between two slots, or right before the next."""
    maker, moment = request.param.split(", ")
    return maker, moment


@pytest.fixture
def led(world: World, kind: Kind, state: tuple[str, str]) -> list[datetime]:
    """A schedule that ours ran three slots of; gives them."""
    if state[0] == "ours":
        world.store.put(ScheduleSpec(name="a", task="sample.echo", recurrence=kind.ours(), args=("a",)))
    else:
        RedBeatSchedulerEntry("a", "sample.echo", kind.theirs(), args=["a"], app=world.app).save()
    while len(world.sent) < 3:
        world.lead(world.now + HALF)
    return world.slots("a")


@pytest.fixture
def moment(world: World, led: list[datetime], kind: Kind, state: tuple[str, str]) -> datetime:
    """The instant at which RedBeat's code does something."""
    after = {"between": 0.45 * kind.seconds, "prepared": kind.seconds - 4, "just before": kind.seconds - 0.3}
    world.now = max(world.now, led[-1] + timedelta(seconds=after[state[1]]))
    return world.now


def grid(start: datetime, until: datetime, seconds: float, *, after: datetime | None = None) -> list[datetime]:
    """The instants at `start` + k × `seconds` after `start`, or `after`, and not after `until`."""
    every = timedelta(seconds=seconds)
    first = ((after or start) - start) // every + 1
    return list(takewhile(lambda at: at <= until, (start + k * every for k in count(first))))


@pytest.mark.usefixtures("moment")
def test_a_save_as_it_is(world: World, kind: Kind, led: list[datetime]) -> None:
    world.entry("a").save()
    world.lead(world.now + timedelta(seconds=3.2 * kind.seconds))
    assert world.slots("a") == [led[0], *grid(led[0], world.now, kind.seconds)]


def from_then_on(world: World, moment: datetime, seconds: float) -> list[datetime]:
    """As RedBeat has it, an interval that is made anew counts from that moment: to the second, its scores have no more."""
    first = next(sent.slot for _, sent in world.sent if sent.slot and sent.slot > moment)
    assert abs(first - moment - timedelta(seconds=seconds)) < timedelta(seconds=1)
    return [first, *grid(first, world.now, seconds)]


def after_a_save(
    world: World, kind: Kind, led: list[datetime], moment: datetime, way: str, seconds: float
) -> list[datetime]:
    """The slots that must follow a save at `moment`; `seconds`: between the saved rule's."""
    if way == "anew" and isinstance(kind.ours(), Interval):
        return from_then_on(world, moment, seconds)
    return grid(led[-1] if isinstance(kind.ours(), Interval) else START, world.now, seconds, after=moment)


@pytest.mark.parametrize("way", ["anew", "from_key"])
def test_a_save_with_other_arguments(world: World, kind: Kind, led: list[datetime], moment: datetime, way: str) -> None:
    if way == "anew":
        RedBeatSchedulerEntry("a", "sample.echo", kind.theirs(), args=["a new"], app=world.app).save()
    else:
        entry = world.entry("a")
        entry.args = ["a new"]
        entry.save()
    world.lead(world.now + timedelta(seconds=3.2 * kind.seconds))
    assert world.slots("a") == [*led, *after_a_save(world, kind, led, moment, way, kind.seconds)]
    assert [sent.arguments for _, sent in world.sent] == [("a",)] * 3 + [("a new",)] * (len(world.sent) - 3)


@pytest.mark.parametrize("way", ["anew", "from_key"])
def test_a_save_with_another_rule(world: World, kind: Kind, led: list[datetime], moment: datetime, way: str) -> None:
    if way == "anew":
        RedBeatSchedulerEntry("a", "sample.echo", kind.other(), args=["a"], app=world.app).save()
    else:
        entry = world.entry("a")
        entry.schedule = kind.other()
        entry.schedule.app = world.app
        entry.save()
    world.lead(world.now + timedelta(seconds=3.2 * kind.other_seconds))
    assert world.slots("a") == [*led, *after_a_save(world, kind, led, moment, way, kind.other_seconds)]


def test_a_save_as_it_is_while_no_beat_ran(world: World, kind: Kind, led: list[datetime]) -> None:
    """What was missed runs once, as after any downtime."""
    world.now = led[-1] + timedelta(seconds=2.5 * kind.seconds)
    world.entry("a").save()
    world.lead(world.now + timedelta(seconds=3.2 * kind.seconds))
    slots = world.slots("a", late=timedelta(seconds=kind.seconds))
    assert slots == [*led, *grid(led[-1], world.now, kind.seconds)[1:]]


@pytest.mark.usefixtures("moment")
def test_delete(world: World, kind: Kind, led: list[datetime]) -> None:
    world.entry("a").delete()
    world.lead(world.now + timedelta(seconds=3.2 * kind.seconds))
    assert world.slots("a") == led
    assert world.store.list() == []


def test_reschedule(world: World, kind: Kind, led: list[datetime], moment: datetime) -> None:
    """As in RedBeat, an interval then counts from that moment; other rules know no moment."""
    world.entry("a").reschedule()
    world.lead(world.now + timedelta(seconds=3.2 * kind.seconds))
    slots = world.slots("a")
    if isinstance(kind.ours(), Interval):
        assert slots == [*led, *from_then_on(world, moment, kind.seconds)]
    else:
        assert slots == [*led, *grid(led[-1], world.now, kind.seconds)]


@pytest.mark.usefixtures("led")
def test_reschedule_to_long_ago(world: World, kind: Kind) -> None:
    """RedBeat's way to have something run now: its newest slot again, once that run has ended."""
    world.now += timedelta(seconds=2)
    for ended in (False, True):
        if ended:
            run = run_state(world.app, world.sent[-1][1].run)
            assert run is not None
            Ledger(link(world.app)).conclude(run, "run.succeeded")
        world.entry("a").reschedule(world.now - timedelta(seconds=5.5 * kind.seconds))
        before = len(world.sent)
        world.lead(world.now + HALF)
        assert len(world.sent) == before + ended


@pytest.mark.usefixtures("moment")
def test_stock_led_for_a_while(world: World, kind: Kind, led: list[datetime]) -> None:
    """An interval of RedBeat's counts from its last run, so it drifts by its lateness; other rules don't."""
    world.lead_by_stock(world.now + timedelta(seconds=3.2 * kind.seconds))
    before = len(world.sent)
    assert before > len(led)
    last = world.sent[-1][0]
    world.lead(world.now + timedelta(seconds=3.2 * kind.seconds))
    slots = world.slots("a", late=4 * HALF)
    ours = slots[before:]
    if isinstance(kind.ours(), Interval):
        assert ours == grid(last, world.now, kind.seconds)
    else:
        assert ours == [at for at in grid(led[0], world.now, kind.seconds) if at > last]
        assert len(slots) == len([led[0], *grid(led[0], world.now, kind.seconds)])


# Real processes.


def test_a_running_beat_honours_it_within_a_second(redis_url: str, tmp_path: Path) -> None:
    """Five slots a second tell when: none of them may still be as it was a second later, and none run early."""
    app = make_app(redis_url)

    def entry(name: str, rule: Any, **more: Any) -> RedBeatSchedulerEntry:
        return RedBeatSchedulerEntry(name, "sample.echo", rule, args=[name], app=app, **more)

    for name in ("deleted", "disabled", "edited", "slower"):
        entry(name, schedule(0.2)).save()
    entry("rrule", rrule("SECONDLY", dtstart=START)).save()
    entry("faster", schedule(3600)).save()
    entry("anew", schedule(3600)).save()
    with Watch(redis_url) as watch, beat(redis_url, tmp_path, *OURS):
        wait_until(lambda: len({sent.name for sent in watch.sent}) == 5, 30, "slots of all that are often due")
        loaded = {n: RedBeatSchedulerEntry.from_key(f"redbeat:{n}", app=app) for n in ("edited", "slower", "faster")}
        saved_at = clock.now()
        RedBeatSchedulerEntry.from_key("redbeat:deleted", app=app).delete()
        entry("disabled", schedule(0.2), enabled=False).save()
        loaded["edited"].args = ["edited too"]
        loaded["slower"].schedule, loaded["faster"].schedule = schedule(3600), schedule(0.2)
        for each in loaded.values():
            each.save()
        entry("anew", schedule(0.2)).save()
        entry("new", schedule(0.2)).save()
        entry("rrule", rrule("SECONDLY", interval=3600, dtstart=START)).save()
        wait_until(lambda: len(watch.of("edited")) and watch.of("edited")[-1].at > saved_at + 3 * SECOND, 20, "slots")

    late = [sent for sent in watch.sent if sent.at > saved_at + SECOND]
    assert {sent.name for sent in late} == {"edited", "faster", "anew", "new"}
    assert {sent.arguments for sent in late if sent.name == "edited"} == {("edited too",)}
    for name in ("edited", "faster", "anew", "new"):
        slots = [sent.at for sent in watch.of(name) if sent.at > saved_at]
        assert slots[0] < saved_at + SECOND
        assert gaps(watch.of(name)) == pytest.approx([0.2] * (len(watch.of(name)) - 1), abs=1e-3)
    assert all(sent.at <= sent.arrived_at for sent in watch.sent)


def test_an_idle_beat_sees_a_save_within_a_second(redis_url: str, tmp_path: Path) -> None:
    app = make_app(redis_url)
    with Watch(redis_url) as watch, beat(redis_url, tmp_path, *OURS):
        wait_until(lambda: leader(app), 30, "a leader")
        for name in ("one", "two"):
            saved_at = clock.now()
            entry = RedBeatSchedulerEntry(name, "sample.echo", schedule(0.2), args=[name], app=app).save()
            wait_until(lambda name=name: watch.of(name), 10, "its first slot", every=0.01)
            assert watch.of(name)[0].arrived_at < saved_at + SECOND
            entry.delete()
