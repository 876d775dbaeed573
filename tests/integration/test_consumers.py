"""Who consumes a queue decides whether its messages go through the ledger: plain workers never end an entry."""

import json
import logging
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import Interval, ScheduleSpec, ScheduleStore, clock, run_state, send
from livebeat.beat.dispatch import Dispatcher
from livebeat.connection import link
from livebeat.delivery.consumers import MISSES, Consumers, PlainQueues, plain_workers
from livebeat.delivery.ledger import Ledger, Run
from livebeat.delivery.relay import PLAIN_GRACE
from livebeat.delivery.workers import workers
from livebeat.errors import ConfigurationError
from support.beats import beat, environment, livebeat
from support.engine import celery_process, checked_relay, connect, make_app
from support.processes import Running
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)
#: A leader's.
TOKEN = "livebeat:host:7:abc:1"
SOLO = ("--pool=solo", "--without-gossip", "--without-mingle", "--loglevel=info")


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    client = connect(redis_url)
    client.set("redbeat::lock", TOKEN)
    return client


def plain_worker(redis_url: str, folder: Path, *options: str) -> Running:
    """A worker of an app that never heard of the engine."""
    argv = [sys.executable, "-m", "celery", "-A", "support.plain_app", "worker", *SOLO, "-n", "plain@here", *options]
    return Running(argv, env=environment(redis_url, folder), cwd=folder)


@pytest.fixture
def plain(redis_url: str, tmp_path: Path) -> Iterator[Running]:
    with plain_worker(redis_url, tmp_path) as process:
        process.wait_for_line("ready.", 30)
        yield process


def say_plain(client: "redis.Redis", queue: str = "celery") -> None:
    """What the leader writes when it sees one."""
    client.hset("livebeat:plain", queue, '["plain@here"]')
    client.hset("livebeat:plain-until", queue, client.time()[0] + 1)


def headers(client: "redis.Redis", queue: str = "celery") -> dict[str, Any]:
    (text,) = client.lrange(queue, 0, -1)
    return dict(json.loads(text)["headers"])


def test_a_plain_worker_is_seen_beside_an_installed_one_until_it_is_gone(
    app: Celery, redis_url: str, client: "redis.Redis", tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    consumers, of = Consumers(link(app)), link(app)
    with celery_process(redis_url, tmp_path, "worker", *SOLO, "-n", "ours@here"):
        wait_until(lambda: workers(of), 30, "our worker's heartbeat")
        before = clock.to_epoch(of.now())
        consumers.check(TOKEN)
        assert plain_workers(of) == {}
        assert before <= consumers.checked_at <= clock.to_epoch(of.now())
        with plain_worker(redis_url, tmp_path, "-Q", "celery,other") as process:
            process.wait_for_line("ready.", 30)
            for _ in range(2):
                consumers.check(TOKEN)
                assert plain_workers(of) == {"celery": ["plain@here"], "other": ["plain@here"]}
            app.control.cancel_consumer("other", destination=["plain@here"])
            wait_until(lambda: consumers.check(TOKEN) or "other" not in plain_workers(of), 10, "it left that queue")
        for check in range(MISSES):
            assert plain_workers(of) == {"celery": ["plain@here"]}, f"after {check} checks without it"
            consumers.check(TOKEN)
        assert plain_workers(of) == {}
    assert len([line for line in caplog.messages if line.startswith("Queue 'celery' is consumed by worker(s)")]) == 1
    assert len([line for line in caplog.messages if line.startswith("Queue 'celery' is consumed by workers with")]) == 1
    told = [json.loads(v["data"]) for _, v in client.xrange("livebeat:events") if v["type"] == "queue.consumers"]
    assert [data["workers"] for data in told if data["queue"] == "celery"] == [["plain@here"], []]


@pytest.mark.usefixtures("plain")
def test_one_that_is_started_again_with_install_is_not_plain_any_more(app: Celery, client: "redis.Redis") -> None:
    consumers, of = Consumers(link(app)), link(app)
    consumers.check(TOKEN)
    assert plain_workers(of) == {"celery": ["plain@here"]}
    said = {"host": "here", "pid": 1, "version": "", "queues": ["celery"], "received": []}
    of.script("heartbeat", ["livebeat:workers"], ["plain@here", json.dumps(said), ""])
    consumers.check(TOKEN)
    assert plain_workers(of) == {}


@pytest.mark.usefixtures("plain")
def test_only_who_leads_writes_it_down(app: Celery, client: "redis.Redis") -> None:
    consumers = Consumers(link(app))
    client.set("redbeat::lock", "livebeat:another:1")
    consumers.check(TOKEN)
    assert (client.keys("livebeat:*"), consumers.checked_at) == ([], 0.0)


def test_the_heartbeats_of_workers_long_gone_are_removed(app: Celery, client: "redis.Redis") -> None:
    now = client.time()[0]
    client.hset("livebeat:workers", mapping={"gone": f'{{"at": {now - 400}.0, ', "silent": f'{{"at": {now - 30}.0, '})
    client.hset("livebeat:plain-until", mapping={"long ago": 1, "lately": now - 60})
    Consumers(link(app)).check(TOKEN)
    assert client.hkeys("livebeat:workers") == ["silent"]
    assert client.hkeys("livebeat:plain-until") == ["lately"]


def test_a_check_that_fails_is_told_and_the_next_one_may_do(
    redis_url: str, client: "redis.Redis", caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(redis_url, broker_url="redis://127.0.0.1:1/0", broker_connection_max_retries=1)
    app.conf.broker_transport_options = {"max_retries": 0}
    consumers = Consumers(link(app))
    consumers.watch(TOKEN)
    wait_until(lambda: consumers.problem, 30, "the reason")
    assert consumers.checked_at == 0.0
    assert "Workers could not be asked which queues they consume" in caplog.text
    consumers.watch(None)
    healthy = Consumers(link(make_app(redis_url)))
    healthy.watch(TOKEN)
    wait_until(lambda: healthy.checked_at > 0, 10, "a check in its own thread")
    assert healthy.problem == ""
    healthy.watch(None)


@pytest.mark.parametrize(("prefix", "list_"), [("", "celery"), ("", "celery\x06\x169"), ("x:", "x:celery\x06\x163")])
def test_a_lists_queue_is_found_whatever_prefix_and_priority(
    redis_url: str, client: "redis.Redis", prefix: str, list_: str
) -> None:
    known = PlainQueues(link(make_app(redis_url, broker_transport_options={"global_keyprefix": prefix})))
    known.read()
    assert not known.holds(list_)
    say_plain(client)
    known.read()
    assert (known.names, known.text, known.holds(list_)) == ({"celery"}, "celery", True)
    assert not known.holds(f"{prefix}celery2")
    assert known.last_seen(list_) > 0
    assert known.last_seen("other") == 0


def test_a_slot_that_was_prepared_for_the_other_mode_is_built_anew(app: Celery, client: "redis.Redis") -> None:
    """Prepared ahead while all were installed, due while one is plain; and the other way round."""
    store = ScheduleStore(app)
    store.put(ScheduleSpec(name="a", task="sample.echo", recurrence=Interval(seconds=60)))
    dispatcher = Dispatcher(link(app), store)
    for queues, marked in ((["celery"], False), ([], True)):
        due = clock.from_epoch(float(client.zscore("redbeat::schedule", "redbeat:a") or 0))
        wait_until(lambda due=due: not dispatcher.prepare(due - timedelta(seconds=5)), 5, "it is prepared")
        client.delete("livebeat:plain", "celery")
        for queue in queues:
            say_plain(client, queue)
        now = due + timedelta(seconds=1)
        wait_until(lambda now=now: dispatcher.run_once(now) == ("ok", 0), 5, "nothing is due any more")
        assert ("livebeat_run" in headers(client)) is marked
        assert client.zcard("livebeat:ledger") == int(marked)
        assert headers(client)["livebeat_schedule"] == "a"


def test_a_message_sent_to_a_plain_worker_is_not_in_the_ledger(app: Celery, client: "redis.Redis") -> None:
    say_plain(client)
    run = send("sample.echo", kwargs={"value": 1}, app=app)
    assert run.accepted
    assert run_state(app, run.run_id) is None
    assert headers(client)["id"] == run.run_id
    assert "livebeat_run" not in headers(client)
    elsewhere = send("sample.echo", app=app, queue="other").run_id
    assert run_state(app, elsewhere) is not None
    for asked in ({"unique": "u"}, {"parent": elsewhere}, {"after": elsewhere}):
        with pytest.raises(ConfigurationError) as caught:
            send("sample.echo", app=app, **asked)  # type: ignore[arg-type]
        assert "without livebeat.install consumes it" in caught.value.text("en")
        assert "livebeat.install 없이 실행된 Worker" in caught.value.text("ko")
    assert client.llen("celery") == 1
    client.delete("livebeat:plain", "celery")
    assert run_state(app, send("sample.echo", app=app, unique="u").run_id) is not None
    assert "livebeat_run" in headers(client)


def test_a_key_that_holds_no_hash_stops_nothing(app: Celery, client: "redis.Redis") -> None:
    client.set("livebeat:plain", "x")
    assert run_state(app, send("sample.echo", app=app).run_id) is not None
    store = ScheduleStore(app)
    store.put(ScheduleSpec(name="a", task="sample.echo", recurrence=Interval(seconds=60)))
    assert Dispatcher(link(app), store).run_once(clock.now() + timedelta(seconds=61)) == ("ok", 1)
    assert client.zcard("livebeat:ledger") == 2


def test_nothing_is_pushed_again_for_a_plain_worker_and_what_it_may_have_taken_ends_as_lost(
    app: Celery, client: "redis.Redis"
) -> None:
    taken = send("sample.echo", app=app).run_id
    client.delete("celery")  # the plain worker, before anybody noticed it, took it
    say_plain(client)
    relay = checked_relay(app)

    def look() -> float:
        client.zadd("livebeat:ledger", {taken: 1}, xx=True)
        relay.run_once()
        assert client.llen("celery") == 0
        return float(client.zscore("livebeat:ledger", taken) or 0)

    assert look() > client.time()[0]
    client.delete("livebeat:plain")  # it is gone again
    assert look() > client.time()[0]
    client.hset("livebeat:plain-until", "celery", client.time()[0] - PLAIN_GRACE - 1)
    client.hset(f"livebeat:run:{taken}", "pushed_at", client.time()[0] - PLAIN_GRACE - 2)
    look()
    assert run_state(app, taken) is None
    lost = [json.loads(v["data"]) for _, v in client.xrange("livebeat:events") if v["type"] == "run.lost"]
    assert [(data["run"], "may have taken it" in data["error"]) for data in lost] == [(taken, True)]
    later = send("sample.echo", app=app).run_id  # pushed since: no plain worker can have it
    client.delete("celery")
    client.zadd("livebeat:ledger", {later: 1})
    relay.run_once()
    assert headers(client)["id"] == later


def test_a_released_run_waits_until_the_plain_worker_is_gone(app: Celery, client: "redis.Redis") -> None:
    run, ledger = Run(send("sample.echo", app=app).run_id, "sample.echo"), Ledger(link(app))
    client.delete("celery")
    assert ledger.claim(run, "o", "w") == ("claimed", 1)
    ledger.release(run, "o", 1, after=0)
    entry = ledger.read(run.run)
    assert entry is not None
    say_plain(client)
    assert not ledger.push_again(entry, now=1.0, next_check=30, plain="")  # read before it was seen
    relay = checked_relay(app)
    relay.run_once()
    assert client.llen("celery") == 0
    client.delete("livebeat:plain")
    client.zadd("livebeat:ledger", {run.run: 1})
    relay.run_once()
    assert headers(client)["id"] == run.run


def test_the_beat_sees_it_says_so_and_dispatches_past_the_ledger(
    app: Celery, redis_url: str, client: "redis.Redis", tmp_path: Path
) -> None:
    client.delete("redbeat::lock")
    rule = Interval(seconds=1)
    ScheduleStore(app).put(ScheduleSpec(name="a", task="sample.note", recurrence=rule))
    done = tmp_path / "plain.txt"
    with beat(redis_url, tmp_path, "--loglevel=info") as running, plain_worker(redis_url, tmp_path) as process:
        running.wait_for_line("Queue 'celery' is consumed by worker(s) without livebeat.install: plain@here", 40)
        process.wait_for_line("succeeded", 10)
        seen = len(done.read_text().splitlines())
        in_ledger = client.zcard("livebeat:ledger")  # from before it was seen
        wait_until(lambda: len(done.read_text().splitlines()) >= seen + 3, 10, "three more")
        assert client.zcard("livebeat:ledger") == in_ledger
        status = livebeat(redis_url, tmp_path, "status")
        assert status.returncode == 3
        assert "PLAIN WORKERS on queue 'celery': plain@here" in status.stdout
    ids = done.read_text().splitlines()
    assert len(ids) == len(set(ids))
