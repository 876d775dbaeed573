"""Real workers: each way a task can end, and what a kill -9 leaves behind."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import clock, send
from livebeat.connection import link
from livebeat.delivery.relay import Relay
from livebeat.message import build
from support.engine import celery_process, connect, make_app, start_celery
from support.runs import data_of, ended
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)
WORKER = ("worker", "--concurrency=2", "--without-gossip", "--without-mingle", "--loglevel=info")


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


@pytest.fixture(params=["prefork", "threads", "prefork -- worker.pool_start_method=spawn"])
def worker(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[Any]:
    """Spawned children, the default on macOS, build their own tasks."""
    pool, *more = request.param.split()
    with celery_process(redis_url, tmp_path, *WORKER, f"--pool={pool}", *more) as process:
        yield process


@pytest.mark.usefixtures("worker")
def test_success_failure_and_retry(app: Celery, client: "redis.Redis") -> None:
    good = send("sample.echo", kwargs={"value": {"k": "값"}}, app=app).run_id
    bad = send("sample.fail", app=app).run_id
    again = send("sample.retry", kwargs={"times": 2}, app=app).run_id
    assert ended(client, good) == "run.succeeded"
    assert data_of(client, "run.succeeded", good)[0]["result"] == {"k": "값"}
    assert ended(client, bad) == "run.failed"
    failure = data_of(client, "run.failed", bad)[0]
    assert (failure["error_class"], failure["error"]) == ("ValueError", "as asked")
    relay = Relay(link(app))
    wait_until(lambda: relay.run_once() * 0 or data_of(client, "run.succeeded", again), 30, "the third attempt")
    assert [data["attempt"] for data in data_of(client, "run.started", again)] == [1, 2, 3]
    assert len(data_of(client, "run.retrying", again)) == 2
    assert client.zcard("livebeat:ledger") == 0


@pytest.mark.usefixtures("worker")
def test_a_late_copy_is_dropped(app: Celery, client: "redis.Redis", tmp_path: Path) -> None:
    run_id = send("sample.note", app=app).run_id
    message = build(app, "sample.note", run_id=run_id, headers={})  # as the broker would deliver it a second time
    assert ended(client, run_id) == "run.succeeded"
    client.lpush("celery", message.text)
    last = send("sample.note", app=app).run_id
    assert ended(client, last) == "run.succeeded"
    lines = (tmp_path / "evidence.txt").read_text().splitlines()
    assert len([line for line in lines if f"done {run_id}" in line]) == 1


def test_two_copies_in_one_process_run_once(app: Celery, redis_url: str, client: "redis.Redis", tmp_path: Path) -> None:
    with celery_process(redis_url, tmp_path, "worker", "-P", "threads", "-c", "4", "--loglevel=info"):
        run_id = send("sample.nap", (2,), app=app).run_id
        message = build(app, "sample.nap", (2,), run_id=run_id, headers={})
        wait_until(lambda: data_of(client, "run.started", run_id), 30, "the first copy")
        client.lpush("celery", message.text)
        assert ended(client, run_id) == "run.succeeded"
    lines = (tmp_path / "evidence.txt").read_text().splitlines()
    assert len([line for line in lines if f"start {run_id}" in line]) == 1


@pytest.mark.usefixtures("worker")
def test_a_plain_celery_task_runs_and_is_told(redis_url: str, client: "redis.Redis") -> None:
    plain = make_app(redis_url).send_task("sample.echo", kwargs={"value": 1}, ignore_result=True)
    assert ended(client, plain.id) == "run.succeeded"
    assert data_of(client, "run.started", plain.id)[0]["kind"] == "task"
    assert client.zcard("livebeat:ledger") == 0


def test_kill_9_of_the_worker_gives_the_run_to_another(
    app: Celery, redis_url: str, client: "redis.Redis", tmp_path: Path
) -> None:
    run_id = send("sample.hang", app=app).run_id
    doomed = start_celery(redis_url, tmp_path, *WORKER)
    wait_until((tmp_path / f"hung-{run_id}").exists, 30, "the first attempt")
    os.killpg(doomed.pid, signal.SIGKILL)
    doomed.wait()
    relay = Relay(link(app))
    with celery_process(redis_url, tmp_path, *WORKER):
        wait_until(lambda: relay.run_once() * 0 or data_of(client, "run.succeeded", run_id), 40, "the second attempt")
    assert ended(client, run_id) == "run.succeeded"
    assert [data["attempt"] for data in data_of(client, "run.started", run_id)] == [1, 2]


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_stop_waits_for_the_task_in_hand_and_no_longer(
    app: Celery, redis_url: str, client: "redis.Redis", tmp_path: Path, pool: str
) -> None:
    """Celery's own soft shutdown would take its whole 20 seconds."""
    with celery_process(redis_url, tmp_path, *WORKER, f"--pool={pool}") as process:
        run_id = send("sample.nap", kwargs={"seconds": 2}, app=app).run_id
        evidence = tmp_path / "evidence.txt"
        wait_until(lambda: evidence.exists() and f"start {run_id}" in evidence.read_text(), 30, "the task's start")
        stopping_at = clock.monotonic()
        process.terminate()
        process.wait(15)
        assert clock.monotonic() - stopping_at < 10
    assert ended(client, run_id) == "run.succeeded"
    assert evidence.read_text().count(f"done {run_id}") == 1
