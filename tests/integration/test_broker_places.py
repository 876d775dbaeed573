"""Brokers that are not simply the store's own database: another one, another server, prefixed, with priorities."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Queue

from app.core.redis_addresses import to_broker_url
from livebeat import Interval, ScheduleSpec, ScheduleStore, clock, run_state, send
from livebeat.beat.dispatch import Dispatcher
from livebeat.connection import link
from livebeat.delivery.relay import Relay
from livebeat.errors import ConfigurationError
from livebeat.message import verify
from support.beats import OURS, beat
from support.engine import celery_process, checked_relay, connect, make_app
from support.redis_servers import server
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)
WORKER = ("worker", "--concurrency=1", "--pool=threads", "--without-gossip", "--without-mingle", "--loglevel=info")
PREFIXED = {"broker_transport_options": {"global_keyprefix": "x:"}}
MINUTE = Interval(seconds=60)


def in_database(redis_url: str, number: int) -> str:
    """The same server's database `number`, in redis-py's spelling."""
    return redis_url.replace("db=0", f"db={number}")


@pytest.fixture(params=[({}, "celery"), (PREFIXED, "x:celery")], ids=["plain", "prefixed"])
def place(request: pytest.FixtureRequest, redis_url: str) -> tuple[Celery, dict[str, Any], str]:
    """An app whose broker is database 1, its settings beside the usual ones, and the list of its queue."""
    more, queue = request.param
    conf = {"broker_url": to_broker_url(in_database(redis_url, 1)), **more}
    return make_app(redis_url, **conf), conf, queue


@pytest.fixture
def store_db(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


@pytest.fixture
def broker_db(redis_url: str) -> "redis.Redis":
    return connect(in_database(redis_url, 1))


def dispatch(app: Celery, *, task: str = "sample.note", **more: Any) -> None:
    """One slot of one schedule, as its beat would."""
    store = ScheduleStore(app)
    store.put(ScheduleSpec(name="a", task=task, recurrence=MINUTE, **more))
    assert Dispatcher(link(app), store).run_once(clock.now() + timedelta(seconds=61)) == ("ok", 1)


def run_of(text: str) -> str:
    return str(json.loads(text)["headers"]["id"])


def test_the_message_in_the_brokers_database_and_the_rest_in_the_stores(
    place: tuple[Celery, dict[str, Any], str], store_db: "redis.Redis", broker_db: "redis.Redis"
) -> None:
    app, _, queue = place
    verify(link(app))
    dispatch(app)
    run = run_of(broker_db.lindex(queue, 0))
    assert store_db.zscore("livebeat:ledger", run) is not None
    assert not store_db.exists("celery", "x:celery")
    assert not [key for key in broker_db.keys("*") if key.startswith(("redbeat:", "livebeat:", "x:livebeat:"))]


def test_the_relay_looks_and_pushes_there(
    place: tuple[Celery, dict[str, Any], str], store_db: "redis.Redis", broker_db: "redis.Redis"
) -> None:
    app, _, queue = place
    dispatch(app)
    run = run_of(broker_db.lindex(queue, 0))
    store_db.zadd("livebeat:ledger", {run: 1})
    Relay(link(app)).run_once()
    assert broker_db.llen(queue) == 1  # it waits already
    broker_db.delete(queue)
    store_db.zadd("livebeat:ledger", {run: 1})
    checked_relay(app).run_once()
    assert [run_of(text) for text in broker_db.lrange(queue, 0, -1)] == [run]
    assert not store_db.exists(queue)


def test_a_worker_runs_it(
    place: tuple[Celery, dict[str, Any], str], redis_url: str, store_db: "redis.Redis", tmp_path: Path
) -> None:
    """A retry comes back by the relay; both messages are the worker's."""
    app, conf, _ = place
    (tmp_path / "conf.json").write_text(json.dumps(conf))
    dispatch(app)
    again = send("sample.retry", kwargs={"times": 1}, app=app).run_id
    relay = Relay(link(app))
    with celery_process(redis_url, tmp_path, *WORKER):
        wait_until(lambda: relay.run_once() * 0 or not store_db.zcard("livebeat:ledger"), 30, "the end of both runs")
    lines = (tmp_path / "evidence.txt").read_text().splitlines()
    assert sorted(line.split()[0] for line in lines) == ["attempt", "attempt", "done"]
    assert len([line for line in lines if again in line]) == 2
    assert run_state(app, again) is None


@pytest.mark.parametrize("priority", range(10))
def test_a_priority_lands_where_kombu_puts_it(redis_url: str, store_db: "redis.Redis", priority: int) -> None:
    app = make_app(redis_url)
    dispatch(app, task="sample.echo", options={"priority": priority})
    (ours,) = store_db.keys("celery*")
    text = store_db.lindex(ours, 0)
    app.send_task("sample.echo", priority=priority)
    assert store_db.llen(ours) == 2
    assert json.loads(text)["properties"]["priority"] == priority


@pytest.mark.parametrize("database", [0, 1])
def test_a_queue_that_expires_is_told_so_with_each_push(redis_url: str, database: int) -> None:
    """Several commands a message: the push, and the time to live of each of the queue's lists."""
    url = in_database(redis_url, database)
    app = make_app(
        redis_url, broker_url=to_broker_url(url), task_queues=[Queue("celery"), Queue("fleeting", expires=60)]
    )
    dispatch(app, task="sample.echo", options={"queue": "fleeting"})
    broker = connect(url)
    assert 50_000 < broker.pttl("fleeting") <= 60_000
    broker.pexpire("fleeting", 1000)
    link(app).client.zadd("livebeat:ledger", {run_of(broker.lindex("fleeting", 0)): 1})
    broker.delete("fleeting")
    checked_relay(app).run_once()
    assert 50_000 < broker.pttl("fleeting") <= 60_000


def test_a_broker_on_another_server_ends_the_beat_with_what_to_do(redis_url: str, tmp_path: Path) -> None:
    with server(tmp_path / "other") as port:
        conf = {"broker_url": f"redis://127.0.0.1:{port}/0"}
        (tmp_path / "conf.json").write_text(json.dumps(conf))
        with beat(redis_url, tmp_path, *OURS) as running:
            assert running.wait(30) != 0
        assert "two Redis servers" in running.output
        app = make_app(redis_url, **conf)
        ScheduleStore(app).put(ScheduleSpec(name="a", task="sample.echo", recurrence=MINUTE))
        refused: list[Callable[[], Any]] = [
            lambda: ScheduleStore(app).trigger("a"),
            lambda: Dispatcher(link(app), ScheduleStore(app)).run_once(clock.now() + timedelta(seconds=61)),
        ]
        for call in refused:
            with pytest.raises(ConfigurationError) as caught:
                call()
            assert "two Redis servers" in caught.value.text("en")
            assert "서로 다른 Redis 서버" in caught.value.text("ko")
        assert connect(redis_url).zcard("livebeat:ledger") == 0
