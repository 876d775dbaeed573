"""What only a worker's main process sees of a run: a child that is gone, a hard limit, a revoke while it runs."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import Celery

from livebeat import clock, run_state, send
from livebeat.delivery.ledger import LEASE
from support.engine import celery_process, connect, make_app
from support.runs import data_of, ended, relaying
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)
WORKER = ("worker", "--concurrency=2", "--without-gossip", "--loglevel=info", "--pool=prefork")


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    app = make_app(redis_url)
    with relaying(app):
        yield app


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


@pytest.fixture(params=["fork", "spawn"])
def _worker(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[None]:
    more = () if request.param == "fork" else ("--", "worker.pool_start_method=spawn")
    with celery_process(redis_url, tmp_path, *WORKER, *more):
        yield


def notes(folder: Path, kind: str, run_id: str) -> list[int]:
    """The processes that left this note of a run."""
    lines = (folder / "evidence.txt").read_text().split("\n") if (folder / "evidence.txt").exists() else []
    return [int(line.split()[2]) for line in lines if line.startswith(f"{kind} {run_id} ")]


@pytest.mark.usefixtures("_worker")
def test_a_lost_child_gives_its_run_back_at_once(app: Celery, client: "redis.Redis", tmp_path: Path) -> None:
    run = send("sample.hang", app=app).run_id
    (child,) = wait_until(lambda: notes(tmp_path, "start", run), 30, "the first attempt")
    killed_at = clock.monotonic()
    os.kill(child, signal.SIGKILL)
    assert ended(client, run) == "run.succeeded"
    assert clock.monotonic() - killed_at < LEASE / 2
    assert [data["attempt"] for data in data_of(client, "run.started", run)] == [1, 2]
    (given_back,) = data_of(client, "run.retrying", run)
    assert f"its process {child} was lost" in given_back["error"]
    assert len(notes(tmp_path, "start", run)) == 2
    assert len(notes(tmp_path, "done", run)) == 1


@pytest.mark.usefixtures("_worker")
@pytest.mark.parametrize("how", ["kill", "exit"])
def test_a_task_that_always_ends_its_process_is_set_aside(
    app: Celery, client: "redis.Redis", tmp_path: Path, how: str
) -> None:
    run = send("sample.die", kwargs={"times": 99, "how": how}, app=app).run_id
    assert ended(client, run, 60) == "run.lost"  # three children, each imports everything where it is no fork
    good = [send("sample.note", app=app).run_id for _ in range(5)]
    assert len(notes(tmp_path, "attempt", run)) == 3
    dead = json.loads(client.hget("livebeat:dead-messages", run) or "{}")
    assert "(lost 3 times)" in dead["reason"]
    assert json.loads(dead["text"])["headers"]["task"] == "sample.die"
    assert [ended(client, other) for other in good] == ["run.succeeded"] * 5
    # The broker has not requeued it, too: there is no copy to drop.
    assert f"Run {run} of " not in (tmp_path / "worker.log").read_text()


@pytest.mark.usefixtures("_worker")
def test_retries_are_not_lost_executions(app: Celery, client: "redis.Redis", tmp_path: Path) -> None:
    """A run in its fourth attempt, after three retries of its own, survives the loss of its child."""
    run = send("sample.retry_then_hang", (3,), app=app).run_id
    wait_until((tmp_path / f"hung-{run}").exists, 30, "the fourth attempt")
    os.kill(notes(tmp_path, "start", run)[0], signal.SIGKILL)
    assert ended(client, run) == "run.succeeded"
    assert data_of(client, "run.succeeded", run)[0]["attempt"] == 5


@pytest.mark.usefixtures("_worker")
def test_the_hard_limit_is_a_failure(app: Celery, client: "redis.Redis", tmp_path: Path) -> None:
    run = send("sample.nap", (60,), app=app, time_limit=8).run_id  # counted while a spawned child still imports, too
    assert ended(client, run) == "run.failed"
    (said,) = data_of(client, "run.failed", run)
    assert said["error_class"] == "TimeLimitExceeded"
    assert 8 <= said["duration"] < 20
    assert ended(client, send("sample.note", app=app).run_id) == "run.succeeded"
    assert data_of(client, "run.retrying", run) == []
    assert (len(notes(tmp_path, "start", run)), len(notes(tmp_path, "done", run))) == (1, 0)


@pytest.mark.usefixtures("_worker")
def test_the_soft_limit_is_the_tasks_own_failure(app: Celery, client: "redis.Redis", tmp_path: Path) -> None:
    run = send("sample.nap", (60,), app=app, soft_time_limit=1).run_id
    assert ended(client, run) == "run.failed"
    assert data_of(client, "run.failed", run)[0]["error_class"] == "SoftTimeLimitExceeded"
    assert len(notes(tmp_path, "start", run)) == 1


@pytest.mark.usefixtures("_worker")
@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_revoked_while_it_runs(app: Celery, client: "redis.Redis", tmp_path: Path, how: str) -> None:
    run = send("sample.nap", (60,), app=app).run_id
    wait_until(lambda: notes(tmp_path, "start", run), 30, "the task's start")
    app.control.revoke(run, terminate=True, signal=how)
    assert ended(client, run) == "run.cancelled"
    assert data_of(client, "run.cancelled", run)[0]["error"] == "revoked while it was running"
    assert ended(client, send("sample.note", app=app).run_id) == "run.succeeded"
    assert (len(notes(tmp_path, "start", run)), len(notes(tmp_path, "done", run))) == (1, 0)


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_cold_stop_gives_the_run_to_another_worker(
    app: Celery, redis_url: str, client: "redis.Redis", tmp_path: Path, pool: str
) -> None:
    """After the soft stop's seconds a task is stopped. A thread can't be: its run ends where it is."""
    (tmp_path / "conf.json").write_text(json.dumps({"worker_soft_shutdown_timeout": 1}))
    run = send("sample.hang" if pool == "prefork" else "sample.nap", () if pool == "prefork" else (3,), app=app).run_id
    with celery_process(redis_url, tmp_path, *WORKER, f"--pool={pool}") as process:
        wait_until(lambda: notes(tmp_path, "start", run), 30, "the task's start")
        process.terminate()
        process.wait(20)
    with celery_process(redis_url, tmp_path, *WORKER):
        assert ended(client, run) == "run.succeeded"
    starts = [data["attempt"] for data in data_of(client, "run.started", run)]
    assert starts == ([1, 2] if pool == "prefork" else [1])
    if pool == "prefork":
        assert "interrupted by" in data_of(client, "run.retrying", run)[0]["error"]
    assert run_state(app, run) is None
