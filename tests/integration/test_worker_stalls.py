"""An execution that stalls beyond its lease, or goes on without its worker: one end counts, and effects happen once."""

import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import redis
from celery import Celery

from livebeat import send
from livebeat.delivery.ledger import LEASE
from support.engine import celery_process, connect, make_app
from support.runs import data_of, ended, relaying
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)
WORKER = ("worker", "--concurrency=1", "--without-gossip", "--without-mingle", "--loglevel=info")
REFUSED = "is not this execution's any more; how it ended here doesn't count"


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    app = make_app(redis_url)
    with relaying(app):
        yield app


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def notes(folder: Path, kind: str, run_id: str) -> list[int]:
    """The processes that left this note of a run."""
    lines = (folder / "evidence.txt").read_text().split("\n") if (folder / "evidence.txt").exists() else []
    return [int(line.split()[2]) for line in lines if line.startswith(f"{kind} {run_id} ")]


def effects(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "effects.sqlite")) as database:
        return [run for (run,) in database.execute("SELECT run FROM effects")]


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_call_that_holds_the_interpreter_lock_beyond_the_lease(
    app: Celery, redis_url: str, client: "redis.Redis", tmp_path: Path, pool: str
) -> None:
    run = send("sample.hold", (LEASE + 4,), app=app).run_id
    with celery_process(redis_url, tmp_path, *WORKER, f"--pool={pool}", "-n", "holding@%h"):
        wait_until((tmp_path / f"held-{run}").exists, 30, "the first attempt")
        with celery_process(redis_url, tmp_path, *WORKER, "-n", "other@%h"):
            assert ended(client, run) == "run.succeeded"
            assert len(notes(tmp_path, "done", run)) == 1
            wait_until(lambda: REFUSED in (tmp_path / "worker.log").read_text(), 30, "the refusal of the first attempt")
    assert ended(client, run) == "run.succeeded"
    assert data_of(client, "run.succeeded", run)[0]["attempt"] == 2
    assert len(notes(tmp_path, "done", run)) == 2
    assert effects(tmp_path) == [run]


def test_a_worker_that_is_frozen_beyond_the_lease(
    app: Celery, redis_url: str, client: "redis.Redis", tmp_path: Path
) -> None:
    run = send("sample.nap", (1,), app=app).run_id
    with celery_process(redis_url, tmp_path, *WORKER, "-n", "frozen@%h") as frozen:
        wait_until(lambda: notes(tmp_path, "start", run), 30, "the first attempt")
        os.killpg(frozen.pid, signal.SIGSTOP)
        with celery_process(redis_url, tmp_path, *WORKER, "-n", "other@%h"):
            assert ended(client, run) == "run.succeeded"
            os.killpg(frozen.pid, signal.SIGCONT)
            wait_until(lambda: REFUSED in (tmp_path / "worker.log").read_text(), 30, "the refusal of the first attempt")
            assert ended(client, send("sample.note", app=app).run_id) == "run.succeeded"
    assert ended(client, run) == "run.succeeded"
    assert data_of(client, "run.succeeded", run)[0]["worker"].startswith("other@")
    assert len(notes(tmp_path, "done", run)) == 2
    assert effects(tmp_path) == [run]


def test_a_killed_worker_takes_its_children_along_where_the_kernel_does_that(
    app: Celery, redis_url: str, client: "redis.Redis", tmp_path: Path
) -> None:
    """On Linux, Celery asks for it. Elsewhere the orphan renews its lease, so that nobody else starts, and ends."""
    run = send("sample.nap", (LEASE + 3,), app=app).run_id
    with celery_process(redis_url, tmp_path, *WORKER) as doomed:
        wait_until(lambda: notes(tmp_path, "start", run), 30, "the task's start")
        doomed.kill()
        doomed.wait()
        with celery_process(redis_url, tmp_path, *WORKER, "-n", "other@%h"):
            assert ended(client, run, 60) == "run.succeeded"
    assert data_of(client, "run.succeeded", run)[0]["attempt"] == (2 if sys.platform == "linux" else 1)
    assert len(notes(tmp_path, "done", run)) == 1
    assert not psutil.pid_exists(notes(tmp_path, "start", run)[0])
    assert effects(tmp_path) == [run]
