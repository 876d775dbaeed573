"""`livebeat status`: who leads, what waits and what is set aside; an answer whatever is broken."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore, clock
from livebeat.backfill import Backfills
from livebeat.beat.heartbeat import Facts, Heartbeat
from livebeat.cli.output import DONE, LOOK
from livebeat.cli.state import read_state
from livebeat.cli.status import run
from livebeat.connection import link
from livebeat.events import EventReader
from support.beats import beat, livebeat
from support.engine import connect, make_app
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)
TOKEN = "livebeat:host:7:abc:3"


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def put(app: Celery, name: str, **changes: Any) -> None:
    fields: dict[str, Any] = {"task": "sample.echo", "recurrence": Interval(seconds=60), **changes}
    ScheduleStore(app).put(ScheduleSpec(name=name, **fields))


def lead(app: Celery, **facts: Any) -> None:
    link(app).client.set("redbeat::lock", TOKEN)
    Heartbeat(link(app)).beat("leader", TOKEN, Facts(**facts))


class Options:
    json = False


def text(app: Celery, capsys: pytest.CaptureFixture[str], language: Any = "en", *, programs: bool = False) -> Any:
    options = Options()
    options.json = programs
    status = run(app, options, language)
    return status, capsys.readouterr().out


def test_all_is_well(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    lead(app)
    put(app, "a")
    put(app, "paused", enabled=False)
    state = read_state(app)
    assert state.is_well
    assert state.next_due is not None
    assert (state.next_due[1], state.schedules, state.paused, state.finished) == ("a", 2, 1, 0)
    status, english = text(app, capsys)
    assert status == DONE
    assert english.startswith("leader: ")
    assert "term 3, last tick 0." in english
    assert "schedules: 2 (1 paused, 0 finished, 0 set aside)" in english
    assert "ledger: 0 unfinished runs" in english
    status, korean = text(app, capsys, "ko")
    assert "스케줄: 2개 (일시정지 1, 종료 0, 제외 0)" in korean


def test_nobody_leads(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    assert text(app, capsys) == (LOOK, text(app, capsys)[1])
    assert "leader: none. Start one with celery beat." in text(app, capsys)[1]


def test_a_beat_of_another_kind(app: Celery, client: "redis.Redis", capsys: pytest.CaptureFixture[str]) -> None:
    client.set("redbeat::lock", "theirs", ex=100)
    Heartbeat(link(app)).beat("foreign", TOKEN, Facts(holds="foreign"))
    status, told = text(app, capsys)
    assert status == LOOK
    assert "leader: FOREIGN, theirs." in told
    assert "dispatch: HELD (a beat that is not Livebeat's has the lock)" in told
    data = json.loads(text(app, capsys, programs=True)[1])
    assert data["leader"]["foreign"] is True
    assert 90 < data["leader"]["ttl_seconds"] <= 100


def test_what_a_beat_says_is_shown(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    lead(app, holds="clock", unledgered="a plain worker consumes celery", uncached=("a router of your own",))
    status, told = text(app, capsys)
    assert status == LOOK
    assert "dispatch: HELD (Redis' clock stepped back" in told
    assert "ledger: off (a plain worker consumes celery)" in told
    assert "slow path: messages are built one by one (a router of your own)" in told


def test_workers_without_install_are_named_with_what_to_do(
    app: Celery, client: "redis.Redis", capsys: pytest.CaptureFixture[str]
) -> None:
    lead(app)
    said = json.dumps({"host": "h", "pid": 1, "queues": ["celery"], "received": ["a", "b"]})
    link(app).script("heartbeat", ["livebeat:workers"], ["ours@h", said, ""])
    assert text(app, capsys)[0] == DONE
    client.hset("livebeat:plain", "of another app", '["three@h"]')
    assert text(app, capsys)[0] == DONE
    client.hset("livebeat:plain", "celery", '["one@h", "two@h"]')
    status, told = text(app, capsys)
    assert status == LOOK
    assert "workers: 1 with livebeat.install" in told
    assert "PLAIN WORKERS on queue 'celery': one@h, two@h. They don't call livebeat.install(app)" in told
    assert "큐 'celery'를 one@h, two@h이(가)" in text(app, capsys, "ko")[1]
    data = json.loads(text(app, capsys, programs=True)[1])
    assert data["plain"] == {"celery": ["one@h", "two@h"]}
    assert [(worker["name"], worker["received"]) for worker in data["workers"]] == [("ours@h", 2)]


def test_a_leader_that_cannot_ask_the_workers(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    lead(app, unchecked="no permission")
    status, told = text(app, capsys)
    assert status == LOOK
    assert "CONSUMERS NOT CHECKED: the leader can't ask the workers which queues they consume (no permission)" in told


def test_a_reader_of_events_that_does_not_run(
    app: Celery, client: "redis.Redis", capsys: pytest.CaptureFixture[str]
) -> None:
    lead(app)
    reader, other = (EventReader(client, link(app).keys, group, "one") for group in ("recorder", "bridge"))
    reader.register()
    other.register()
    put(app, "a")
    assert text(app, capsys)[0] == DONE  # they have a minute
    seconds, _ = client.time()
    client.delete("livebeat:events")
    reader.register()
    other.register()
    client.xadd("livebeat:events", {"type": "x", "data": "{}"}, id=f"{(seconds - 600) * 1000}-0")
    other.ack(other.read(block_ms=1))
    status, english = text(app, capsys)
    assert status == LOOK
    assert "EVENTS UNREAD: group 'recorder', for 10 minutes." in english
    assert "redis-cli XGROUP DESTROY livebeat:events recorder" in english
    assert "bridge" not in english
    assert "그룹 'recorder', 10분 동안" in text(app, capsys, "ko")[1]
    assert list(json.loads(text(app, capsys, programs=True)[1])["unread"]) == ["recorder"]
    taken = reader.read(block_ms=1)
    assert text(app, capsys)[0] == LOOK  # taken, and not dealt with
    reader.ack(taken)
    assert text(app, capsys)[0] == DONE


def test_a_backfill_under_way(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    lead(app)
    put(app, "a", recurrence=Cron("* * * * *"))
    now = clock.now()
    started = Backfills(app).start("a", now - timedelta(minutes=10), now)
    status, english = text(app, capsys)
    assert status == DONE
    assert f"backfill: a, 0 of {started.total} runs ended, 0 sent ({started.id})" in english
    assert f"백필: a, 전체 {started.total}건 중" in text(app, capsys, "ko")[1]
    Backfills(app).cancel(started.id)
    assert "backfill: " not in text(app, capsys)[1]


def test_a_beat_that_fell_silent(app: Celery, client: "redis.Redis", capsys: pytest.CaptureFixture[str]) -> None:
    lead(app)
    field, said = client.hgetall("livebeat:beats").popitem()
    old = {**json.loads(said), "at": clock.to_epoch(link(app).now()) - 12}
    client.hset("livebeat:beats", field, json.dumps(old))
    status, told = text(app, capsys)
    assert status == LOOK
    assert "leader, no tick for 12 s" in told


def test_overdue_and_the_clock(app: Celery, client: "redis.Redis", capsys: pytest.CaptureFixture[str]) -> None:
    lead(app)
    put(app, "late")
    put(app, "fine")
    now = link(app).now()
    client.zadd("redbeat::schedule", {"redbeat:late": clock.to_epoch(now - timedelta(seconds=90))})
    client.set("livebeat:mark", clock.to_epoch(now + timedelta(seconds=30)))
    status, told = text(app, capsys)
    assert status == LOOK
    assert "OVERDUE: 1, the oldest since" in told
    assert "CLOCK: the newest dispatch" in told
    data = json.loads(text(app, capsys, programs=True)[1])
    assert (data["overdue"]["count"], data["overdue"]["oldest"]["name"]) == (1, "late")


def test_what_is_set_aside_and_why(app: Celery, client: "redis.Redis", capsys: pytest.CaptureFixture[str]) -> None:
    lead(app)
    client.hset("redbeat:bad", "definition", "{")
    client.set("redbeat:string", "x")
    client.zadd("redbeat::schedule", {b"redbeat:\xff": -1, "redbeat:bad": -1, "redbeat:string": -1, "redbeat:gone": -1})
    for number in range(30):
        put(app, f"paused-{number}", enabled=False)
    put(app, "unsendable")
    client.zadd("redbeat::schedule", {"redbeat:unsendable": -1})
    client.hset("livebeat:dead", mapping={"unsendable": '{"reason": "no such serializer"}', "paused-3": "stale"})
    state = read_state(app)
    names = ["\\udcff", "bad", "gone", "string", "unsendable"]
    assert (state.paused, state.finished, sorted(state.set_aside)) == (30, 0, names)
    status, told = text(app, capsys)
    assert status == LOOK
    assert "set aside: bad: definition: is not JSON" in told
    assert "set aside: unsendable: no such serializer" in told
    assert "set aside: gone: key: has no definition" in told
    assert "WRONGTYPE" in told
    assert "set aside: \\udcff: " in told


BREAKS: dict[str, Callable[["redis.Redis"], Any]] = {
    "redbeat::lock": lambda client: client.hset("redbeat::lock", "x", "y"),
    "redbeat::schedule": lambda client: client.set("redbeat::schedule", "x"),
    "livebeat:beats": lambda client: client.set("livebeat:beats", "x"),
    "livebeat:ledger": lambda client: client.set("livebeat:ledger", "x"),
    "livebeat:workers": lambda client: client.set("livebeat:workers", "x"),
    "livebeat:plain": lambda client: client.set("livebeat:plain", "x"),
    "livebeat:events": lambda client: client.set("livebeat:events", "x"),
    "livebeat:mark": lambda client: client.set("livebeat:mark", "yesterday"),
}


@pytest.mark.parametrize("key", BREAKS)
def test_it_answers_whatever_is_broken(
    app: Celery, client: "redis.Redis", capsys: pytest.CaptureFixture[str], key: str
) -> None:
    BREAKS[key](client)
    status, told = text(app, capsys)
    assert status == LOOK
    assert f"UNREADABLE: {key}: " in told
    assert list(json.loads(text(app, capsys, programs=True)[1])["unreadable"]) == [key]


def test_the_command(redis_url: str, tmp_path: Path, app: Celery) -> None:
    put(app, "a")
    with beat(redis_url, tmp_path, "--loglevel=info"):
        wait_until(lambda: read_state(app).is_well, 20, "all is well")
        done = livebeat(redis_url, tmp_path, "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert ", term 1, last tick " in done.stdout
    away = livebeat("redis://127.0.0.1:1/0", tmp_path, "status")
    assert (away.returncode, away.stdout) == (1, "")
    assert away.stderr.startswith("Redis does not answer: ")
    assert away.stderr.count("\n") == 1
