"""Installed workers say what they consume and what they hold, whatever their pool, and take it back when they end."""

import os
import signal
from pathlib import Path

import pytest
import redis
from celery import Celery

from livebeat import clock, send
from livebeat.connection import link
from livebeat.delivery.workers import PERIOD, Worker, workers
from support.engine import celery_process, connect, make_app, start_celery
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)
QUIET = ("--without-gossip", "--without-mingle", "--loglevel=info", "-n", "w1@here")
POOLS = ["prefork", "threads", "solo"]


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def only(app: Celery) -> Worker:
    """The one worker that there is, once it says so."""
    wait_until(lambda: workers(link(app)), 30, "a worker's heartbeat")
    (worker,) = workers(link(app))
    return worker


@pytest.mark.parametrize("pool", POOLS)
def test_a_worker_says_what_it_consumes_and_holds_until_it_ends(
    app: Celery, redis_url: str, tmp_path: Path, pool: str
) -> None:
    (tmp_path / "conf.json").write_text('{"worker_prefetch_multiplier": 4}')
    arguments = ("worker", f"--pool={pool}", "--concurrency=1", "-Q", "celery,more", *QUIET)
    with celery_process(redis_url, tmp_path, *arguments) as process:
        first = only(app)
        assert (first.name, first.queues, first.received) == ("w1@here", ("celery", "more"), frozenset())
        assert first.pid == process.pid
        active = send("sample.nap", kwargs={"seconds": 5}, app=app).run_id
        waiting = send("sample.nap", kwargs={"seconds": 0}, app=app).run_id
        expected = {active} if pool == "solo" else {active, waiting}  # solo takes nothing while it is busy
        wait_until(lambda: expected <= only(app).received, 10, "both messages among those received")
        wait_until(lambda: not only(app).received, 20, "the end of both")
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        assert workers(link(app), silent=True) == []


def test_a_message_that_waits_for_its_rate_is_held_too(app: Celery, redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "conf.json").write_text(
        '{"worker_prefetch_multiplier": 4, "task_annotations": {"sample.note": {"rate_limit": "1/m"}}}'
    )
    with celery_process(redis_url, tmp_path, "worker", "--pool=threads", "--concurrency=1", *QUIET):
        only(app)
        runs = {send("sample.note", app=app).run_id for _ in range(3)}
        wait_until(lambda: len(only(app).received & runs) == 2, 10, "two wait in the worker")


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_changed_queues_are_told_at_once(app: Celery, redis_url: str, tmp_path: Path, pool: str) -> None:
    with celery_process(redis_url, tmp_path, "worker", f"--pool={pool}", "--concurrency=1", *QUIET):
        before = only(app)
        took = []
        for left, new in [("celery", "more"), ("more", "celery"), ("celery", "more")]:  # the machine may be busy once
            app.control.add_consumer(new, destination=["w1@here"])
            changed = clock.monotonic()
            wait_until(lambda: only(app).queues == ("celery", "more"), 10, "the new queue")
            took.append(clock.monotonic() - changed)
            app.control.cancel_consumer(left, destination=["w1@here"])
            wait_until(lambda new=new: only(app).queues == (new,), 10, "the queue that is left")
        assert sorted(took)[1] < PERIOD / 2
        assert only(app).at > before.at


def test_one_that_is_killed_falls_silent_and_its_successor_is_not_taken_for_it(
    app: Celery, redis_url: str, client: "redis.Redis", tmp_path: Path
) -> None:
    arguments = ("worker", "--pool=solo", *QUIET)
    doomed = start_celery(redis_url, tmp_path, *arguments)
    killed = only(app)
    os.killpg(doomed.pid, signal.SIGKILL)
    doomed.wait()
    with celery_process(redis_url, tmp_path, *arguments) as process:
        wait_until(lambda: only(app).pid == process.pid, 20, "the successor's heartbeat")
        whose = f'"host": "{killed.host}", "pid": {killed.pid}'
        assert link(app).script("leave", ["livebeat:workers"], ["w1@here", whose]) == 0
        assert only(app).pid == process.pid
    client.hset("livebeat:workers", "w1@here", f'{{"at": {clock.to_epoch(killed.at) - 60:.6f}, "queues": []}}')
    assert workers(link(app)) == []


def test_what_is_no_heartbeat_is_left_out(app: Celery, client: "redis.Redis") -> None:
    for name, text in {"a": "nonsense", "b": "[]", "c": '{"at": "x"}', "d": '{"at": 1e300, "queues": 3}'}.items():
        client.hset("livebeat:workers", name, text)
    assert workers(link(app), silent=True) == []
