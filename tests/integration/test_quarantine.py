"""Poison written into Redis by hand beside good one-second schedules, while a real beat runs.

Whatever it is, each slot of the good ones is dispatched within a second, the beat lives on, and what was set aside is
told with its reason. Poison that makes RedBeat's own keys unusable is told, too; nobody can run what isn't there.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
import redis
from celery import Celery
from celery.schedules import schedule
from redbeat import RedBeatSchedulerEntry

from livebeat import Interval, ScheduleSpec, ScheduleStore, clock, leader
from livebeat.cli.state import State, read_state
from livebeat.doctor import audit
from livebeat.errors import NameRefusedError
from support.beats import Watch, beat, gaps
from support.engine import connect, make_app
from support.processes import Running
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)
INDEX = "redbeat::schedule"
#: A slot's message is there within this of its slot.
ON_TIME = timedelta(seconds=1)


class World:
    """Good schedules with a beat at work, and everything that it sends."""

    def __init__(self, redis_url: str, folder: Path, **conf: Any) -> None:
        self.url, self.folder = redis_url, folder
        (folder / "conf.json").write_text(json.dumps(conf))
        self.app: Celery = make_app(redis_url, **conf)
        self.client = connect(redis_url)
        self.store = ScheduleStore(self.app)
        self.good: list[str] = []

    def put_good(self, count: int = 15) -> None:
        for number in range(count):
            name = f"good-{number}"
            rule = Interval(seconds=1)
            self.store.put(ScheduleSpec(name=name, task="sample.echo", args=(name,), recurrence=rule, catchup="all"))
            self.good.append(name)

    def inject(self, name: str, definition: Any, *, meta: str = "", score: float | None = None) -> None:
        """An entry as somebody's own script would write it; due at once."""
        text = definition if isinstance(definition, str) else json.dumps({"name": name, **definition})
        fields: dict[Any, Any] = {"definition": text, **({"meta": meta} if meta else {})}
        self.client.hset(f"redbeat:{name}", mapping=fields)
        self.client.zadd(INDEX, {f"redbeat:{name}": clock.to_epoch(clock.now()) if score is None else score})

    def state(self) -> State:
        return read_state(self.app)

    def set_aside(self, name: str) -> str:
        """The reason that `livebeat status` gives, once it does."""
        return wait_until(
            lambda: str(self.state().set_aside.get(name, "")), 5, f"{name!r} is set aside; there is {self.state()}"
        )

    def told(self, name: str) -> str:
        """The reason in the event stream, once it is there."""

        def found() -> str:
            events = [values for _, values in self.client.xrange("livebeat:events")]
            told = [json.loads(v["data"]) for v in events if v["type"] == "schedule.quarantined"]
            return next((event["reason"] for event in told if event["name"] == name), "")

        return wait_until(found, 5, f"{name!r} is in the stream as quarantined")

    @contextmanager
    def at_work(self, *, seconds: float = 3) -> Iterator[Running]:
        """A beat that has begun; afterwards no good schedule may have missed or delayed a slot meanwhile."""
        with Watch(self.url) as watch, beat(self.url, self.folder, "--loglevel=info") as running:
            wait_until(lambda: {sent.name for sent in watch.sent} >= set(self.good), 30, "each good one runs")
            begun = clock.now()
            yield running
            ended = max(clock.now(), begun + timedelta(seconds=seconds))
            wait_until(
                lambda: all(self._ran_after(watch, name, ended) for name in self.good),
                seconds + 15,
                f"each good one still runs:\n{running.output}",
            )
            assert psutil.Process(running.pid).is_running()
        for name in self.good:
            self._check(watch, name, begun, ended)

    @staticmethod
    def _ran_after(watch: Watch, name: str, instant: datetime) -> bool:
        sent = watch.of(name)
        return bool(sent) and sent[-1].at >= instant

    @staticmethod
    def _check(watch: Watch, name: str, begun: datetime, ended: datetime) -> None:
        sent = [one for one in watch.of(name) if begun <= one.at <= ended]
        assert sent[0].at <= begun + timedelta(seconds=1), f"{name} missed its first slot"
        assert {round(gap, 3) for gap in gaps(sent)} <= {1.0}, f"{name} missed a slot, or ran one twice: {sent}"
        late = max((one.arrived_at - one.at for one in sent), default=timedelta())
        assert late < ON_TIME, f"{name} was late by {late}"


@pytest.fixture
def world(redis_url: str, tmp_path: Path) -> World:
    made = World(redis_url, tmp_path)
    made.put_good()
    return made


EVERY_SECOND = {"__type__": "interval", "every": 1.0, "relative": False}
GOOD = {"task": "sample.echo", "args": ["bad"], "schedule": EVERY_SECOND}


def rrule(**parts: Any) -> dict[str, Any]:
    return {"task": "sample.echo", "schedule": {"__type__": "rrule", "interval": 1, "wkst": None, **parts}}


UNREADABLE = {
    "P1 no JSON": "{not json",
    "P1 nothing in it": "[]",
    "P2 unknown type": {"task": "sample.echo", "schedule": {"__type__": "martian"}},
    "P2 no schedule": {"task": "sample.echo"},
    "P2 no task": {"schedule": EVERY_SECOND},
    "P5 30 February": {
        "task": "sample.echo",
        "schedule": {
            "__type__": "crontab",
            "minute": "0",
            "hour": "0",
            "day_of_week": "*",
            "day_of_month": "30",
            "month_of_year": "2",
        },
    },
    "P5 no number": {"task": "sample.echo", "schedule": {"__type__": "crontab", "minute": {"a": 1}}},
    "an interval of nothing": {"task": "sample.echo", "schedule": {**EVERY_SECOND, "every": 0}},
    "an interval without end": {"task": "sample.echo", "schedule": {**EVERY_SECOND, "every": 1e308}},
    "wrong arguments": {**GOOD, "args": "text", "kwargs": []},
}


def test_what_cannot_be_read_is_set_aside(world: World) -> None:
    with world.at_work() as running:
        for name, definition in UNREADABLE.items():
            world.inject(name, definition)
        for name in UNREADABLE:
            assert world.told(name)
            assert world.set_aside(name)
        for name in UNREADABLE:
            assert world.client.zscore(INDEX, f"redbeat:{name}") == -1
        assert "JSON" in world.set_aside("P1 no JSON")
        assert "martian" in world.set_aside("P2 unknown type")
        assert running.output.count("is set aside") >= len(UNREADABLE)


def test_a_rule_that_never_matches_burns_no_cpu(world: World) -> None:
    """P6. RedBeat's own code takes seconds of CPU for it, on each save."""
    with world.at_work() as running:
        process = psutil.Process(running.pid)
        before, since = process.cpu_times(), clock.monotonic()
        world.inject("P6", rrule(freq=6, bymonth=2, bymonthday=30))
        world.inject("P6 yearly", rrule(freq=0, bymonth=2, bymonthday=[30, 31], byhour=3, byminute=0, bysecond=0))
        for name in ("P6", "P6 yearly"):
            wait_until(
                lambda name=name: world.client.zscore(INDEX, f"redbeat:{name}") == -1, 5, f"{name} is out of range"
            )
        wait_until(lambda: clock.monotonic() - since > 3, 10, "some seconds of work")
        after = process.cpu_times()
        assert after.user - before.user < 1.5
    state = world.state()
    assert {"P6", "P6 yearly"} <= state.set_aside.keys() or state.finished == 2


@pytest.mark.parametrize("field", ["definition", "meta"])
def test_an_unknown_key_stops_nothing(world: World, field: str) -> None:
    """P3. It would end a stock beat; for us it says nothing, and the doctor tells of it."""
    definition = {**GOOD, **({"priority": 3} if field == "definition" else {})}
    with world.at_work():
        world.inject("P3", definition, meta='{"last_run_at": null, "mine": 1}' if field == "meta" else "")
        wait_until(lambda: (world.client.zscore(INDEX, "redbeat:P3") or 0) > 0, 5, "it goes on")
        found = {finding.kind: finding for finding in audit(world.app).findings}
    assert found["unknown-key"].subjects[0][0] == "P3"


def test_members_of_the_index_that_are_no_schedules(world: World) -> None:
    """P4 and P12, and a name that is no text."""
    makers: dict[str, Callable[[str], Any]] = {
        "string": lambda key: world.client.set(key, "x"),
        "list": lambda key: world.client.lpush(key, "x"),
        "set": lambda key: world.client.sadd(key, "x"),
        "zset": lambda key: world.client.zadd(key, {"x": 1}),
        "stream": lambda key: world.client.xadd(key, {"x": 1}),
        "gone": lambda key: None,
        "other hash": lambda key: world.client.hset(key, "x", "1"),
    }
    with world.at_work():
        for name, make in makers.items():
            make(f"redbeat:{name}")
            world.client.zadd(INDEX, {f"redbeat:{name}": 1})
        for name in makers:
            assert world.told(name)
            assert world.set_aside(name)


def test_members_of_the_index_with_impossible_names(world: World) -> None:
    names = ["redbeat:line\nbreak", "redbeat:", "nobody's prefix", "unacked"]
    with world.at_work():
        world.client.zadd(INDEX, dict.fromkeys(names, 1))
        for name in names:
            wait_until(lambda name=name: world.client.zscore(INDEX, name) == -1, 5, f"{name!r} is out of range")


def test_bytes_that_are_no_text(world: World) -> None:
    with world.at_work():
        world.client.hset("redbeat:bytes", "definition", b"\xff\xfe{}")
        world.client.zadd(INDEX, {b"redbeat:\xff\xfe": 1, "redbeat:bytes": 1})
        for name in (b"redbeat:\xff\xfe", "redbeat:bytes"):
            wait_until(lambda name=name: world.client.zscore(INDEX, name) == -1, 5, f"{name!r} is out of range")
        assert world.set_aside("bytes")


def test_an_entry_evicted_while_it_runs(world: World) -> None:
    """P12: the hash of a schedule that was fine vanishes."""
    world.store.put(ScheduleSpec(name="evicted", task="sample.echo", args=("evicted",), recurrence=Interval(seconds=1)))
    with world.at_work():
        world.client.delete("redbeat:evicted")
        assert "gone" in world.told("evicted")
        assert world.set_aside("evicted")


@pytest.mark.parametrize("name", [":lock", ":schedule", ":statics"])
def test_stocks_own_save_over_its_own_keys(world: World, name: str) -> None:
    """P7, P8, P10 while our beat leads. Stock gets an error, but its pipeline has put the name into the index."""
    with world.at_work():
        world.client.sadd("redbeat::statics", "something")
        entry = RedBeatSchedulerEntry(name, "sample.echo", schedule(1), args=["bad"], app=world.app)
        with pytest.raises(redis.ResponseError):
            entry.save()
        world.client.zadd(INDEX, {f"redbeat:{name}": 1}, xx=True)
        assert world.told(name)
        assert world.set_aside(name)
    assert leader(world.app) is None  # the beat ended as it should, and let go of the lock


def test_a_static_set_that_became_a_schedule(world: World) -> None:
    """P10 where no static entry existed: a hash lies at RedBeat's key from then on. A new leader gets along with it."""
    RedBeatSchedulerEntry(":statics", "sample.echo", schedule(1), args=["bad"], app=world.app).save()
    world.client.zadd(INDEX, {"redbeat::statics": 1})
    with world.at_work():
        assert world.told(":statics")
        assert world.set_aside(":statics")
    assert "statics-type" in {finding.kind for finding in audit(world.app).findings}


@pytest.mark.parametrize("key", [":lock", "my own lock"])
def test_a_schedule_where_the_lock_must_be(redis_url: str, tmp_path: Path, key: str) -> None:
    """P7, P11 while nobody leads: a stock beat would wait for ever. Ours goes on, and says so."""
    world = World(redis_url, tmp_path, **({} if key == ":lock" else {"redbeat_lock_key": key}))
    world.put_good()
    RedBeatSchedulerEntry(key, "sample.echo", schedule(1), args=["bad"], app=world.app).save()
    world.client.zadd(INDEX, {f"redbeat:{key}": 1})
    assert "lock-type" in {finding.kind for finding in audit(world.app).findings}
    with world.at_work():
        assert world.told(key)
        assert world.set_aside(key)


def test_a_deleted_index_is_told_and_can_be_mended(world: World) -> None:
    """P9: stock's `delete()` of `:schedule` takes the index of all schedules with it. The entries are still there."""
    with beat(world.url, world.folder, "--loglevel=info") as running:
        wait_until(lambda: leader(world.app), 30, "a leader")
        RedBeatSchedulerEntry(":schedule", "sample.echo", schedule(1), app=world.app).delete()
        assert world.state().schedules == 0
        found = {finding.kind: finding for finding in audit(world.app).findings}
        assert {key for key, _ in found["zombie"].subjects} >= {f"redbeat:{name}" for name in world.good}
        with Watch(world.url) as watch:
            for name in world.good:
                world.store.put(world.store.get(name).spec)
            wait_until(lambda: {sent.name for sent in watch.sent} >= set(world.good), 15, "all run again")
        assert psutil.Process(running.pid).is_running()


NO_QUEUES = [
    "redbeat::lock",
    "redbeat::schedule",
    "redbeat:good-0",
    "unacked",
    "livebeat:events",
    "a\nb",
    "_kombu.x",
    "celery\x06\x163",
]


def test_a_queue_that_is_no_queue(world: World) -> None:
    """P13: whoever may write an entry would otherwise write to any list of the server."""
    with world.at_work():
        existed = [world.client.type(queue) for queue in NO_QUEUES]
        for number, queue in enumerate(NO_QUEUES):
            world.inject(f"P13-{number}", {**GOOD, "options": {"queue": queue}})
        for number, queue in enumerate(NO_QUEUES):
            assert repr(queue) in world.told(f"P13-{number}")
            assert repr(queue) in world.set_aside(f"P13-{number}")
        assert [world.client.type(queue) for queue in NO_QUEUES] == existed


#: With a word of the reason.
IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"task_id": "always the same"}, "task_id"),
    ({"headers": {"id": "always the same"}}, "headers.id"),
    ({"serializer": "nonsense"}, "nonsense"),
    ({"compression": "nonsense"}, "nonsense"),
    ({"exchange": "elsewhere", "routing_key": "x"}, "queue"),
    ({"expires": "soon"}, "soon"),
    ({"countdown": "x"}, ""),
    ({"args": [1]}, "args"),
    ({"stamped_headers": ["nothing"]}, "nothing"),
    ({"connection": "redis://127.0.0.1:1"}, ""),
]


def test_options_that_no_message_can_have(world: World) -> None:
    """P14, and others whose message can't be built."""
    with world.at_work():
        for number, (options, _) in enumerate(IMPOSSIBLE):
            world.inject(f"P14-{number}", {**GOOD, "options": options})
        for number, (_, reason) in enumerate(IMPOSSIBLE):
            assert reason in world.told(f"P14-{number}")
            assert reason in world.set_aside(f"P14-{number}")


def test_callbacks_are_sent_as_a_stock_beat_sends_them(world: World) -> None:
    """P14 without a rule of the app's own: what stock takes stays possible."""
    link_ = {"task": "sample.echo", "args": [], "kwargs": {}, "options": {}, "subtask_type": None, "immutable": True}
    with world.at_work(), Watch(world.url) as watch:
        world.inject("P14", {**GOOD, "args": ["P14"], "options": {"link": link_, "headers": {"mine": "1"}}})
        wait_until(lambda: len(watch.of("P14")) >= 2, 10, "it runs")


def test_a_queue_that_holds_something_else(world: World) -> None:
    """The list's key is of another type: only the server knows, in the middle of a batch."""
    with world.at_work():
        world.client.set("taken", "a string")
        world.inject("P13 taken", {**GOOD, "options": {"queue": "taken"}})
        assert world.told("P13 taken")
        assert world.set_aside("P13 taken")


def test_three_hundred_disabled_ones_that_are_overdue(redis_url: str, tmp_path: Path) -> None:
    """A stock beat loads each of them on every tick."""
    world = World(redis_url, tmp_path)
    world.put_good(100)
    with world.at_work():
        for number in range(300):
            world.inject(f"off-{number}", {**GOOD, "enabled": False}, score=1)
        wait_until(lambda: world.client.zcount(INDEX, 0, 1) == 0, 5, "they are out of range")
    assert world.state().paused == 300


def test_names_that_land_on_other_keys_are_refused_on_our_ways_in(redis_url: str, tmp_path: Path) -> None:
    """P7 to P11."""
    world = World(redis_url, tmp_path, redbeat_lock_key="my own lock")
    for name in (":schedule", ":statics", "my own lock"):
        with pytest.raises(NameRefusedError):
            world.store.put(ScheduleSpec(name=name, task="sample.echo", recurrence=Interval(seconds=1)))
    assert world.client.keys("redbeat*") == []
