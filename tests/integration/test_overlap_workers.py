"""Overlap rules, time limits and failures with real workers, which are killed while they run."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import Cron, ScheduleSpec, ScheduleStore, clock, run_state
from livebeat.beat.failing import pause_failing
from livebeat.connection import link
from livebeat.errors import SpecError, StillRunningError
from support.engine import celery_process, connect, make_app
from support.runs import data_of, ended, events_of, relaying
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(300)
#: Seconds; a message that a dying worker took is pushed again after about 45.
LONG = 90
WORKER = ("worker", "--concurrency=2", "--without-gossip", "--loglevel=info")


@pytest.fixture
def app(redis_url: str) -> Iterator[Celery]:
    app = make_app(redis_url)
    with relaying(app):
        yield app


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def put(app: Celery, task: str, **changes: Any) -> ScheduleStore:
    """A schedule that no slot of comes in a test; its runs are triggered."""
    store = ScheduleStore(app)
    store.put(ScheduleSpec(name="a", task=task, recurrence=Cron("0 0 1 1 *"), **changes))
    return store


def trigger(store: ScheduleStore) -> str:
    return store.trigger("a").run_id


def notes(folder: Path, kind: str, run_id: str) -> list[int]:
    """The processes that left this note of a run."""
    lines = (folder / "evidence.txt").read_text().split("\n") if (folder / "evidence.txt").exists() else []
    return [int(line.split()[2]) for line in lines if line.startswith(f"{kind} {run_id} ")]


def order(client: "redis.Redis", *wanted: tuple[str, str]) -> list[tuple[str, str]]:
    """Of these (type of event, run) the order in which they were written."""
    found = [(values["type"], json.loads(values["data"]).get("run")) for _, values in client.xrange("livebeat:events")]
    return [one for one in found if one in wanted]


@pytest.mark.parametrize("task", ["sample.hang", "sample.stubborn"])
def test_a_running_one_is_stopped_and_the_next_starts_after_it(
    app: Celery, client: "redis.Redis", redis_url: str, tmp_path: Path, task: str
) -> None:
    store = put(app, task, overlap="cancel_previous")
    with celery_process(redis_url, tmp_path, *WORKER):
        run = trigger(store)
        (child,) = wait_until(lambda: notes(tmp_path, "start", run), LONG, "the first run")
        asked_at = clock.monotonic()
        second = trigger(store)
        assert ended(client, run, LONG) == "run.cancelled"
        assert clock.monotonic() - asked_at < 9
        (other,) = wait_until(lambda: notes(tmp_path, "start", second), LONG, "the second run")
        assert other != child
        assert bool(notes(tmp_path, "asked", run)) == (task == "sample.stubborn")
        assert order(client, ("run.cancelled", run), ("run.started", second)) == [
            ("run.cancelled", run),
            ("run.started", second),
        ]
        assert [data["attempt"] for data in data_of(client, "run.started", run)] == [1]


def test_a_cancelled_run_whose_worker_is_killed_does_not_keep_the_next_from_running(
    app: Celery, client: "redis.Redis", redis_url: str, tmp_path: Path
) -> None:
    store = put(app, "sample.hang", overlap="cancel_previous")
    with celery_process(redis_url, tmp_path, *WORKER) as worker:
        run = trigger(store)
        wait_until(lambda: notes(tmp_path, "start", run), LONG, "the first run")
        os.killpg(worker.pid, signal.SIGKILL)
    second = trigger(store)
    with celery_process(redis_url, tmp_path, *WORKER):
        assert ended(client, run, LONG) == "run.cancelled"
        wait_until(lambda: notes(tmp_path, "start", second), LONG, "the second run")
        assert len(notes(tmp_path, "start", run)) == 1


def test_a_killed_worker_leaves_no_schedule_stuck_and_no_second_run_beside(
    app: Celery, client: "redis.Redis", redis_url: str, tmp_path: Path
) -> None:
    store = put(app, "sample.hang", overlap="skip")
    with celery_process(redis_url, tmp_path, *WORKER) as worker:
        run = trigger(store)
        wait_until(lambda: notes(tmp_path, "start", run), LONG, "the first run")
        os.killpg(worker.pid, signal.SIGKILL)
    with pytest.raises(StillRunningError):
        trigger(store)
    with celery_process(redis_url, tmp_path, *WORKER):
        assert ended(client, run, LONG) == "run.succeeded"  # its second execution ends at once
        again = trigger(store)
        wait_until(lambda: notes(tmp_path, "start", again), LONG, "the next run")


def test_what_waits_starts_when_the_run_before_it_is_lost(
    app: Celery, client: "redis.Redis", redis_url: str, tmp_path: Path
) -> None:
    store = put(app, "sample.die", overlap="buffer_one", kwargs={"times": 99})
    run = trigger(store)
    waiting = trigger(store)
    with pytest.raises(StillRunningError, match=waiting):
        trigger(store)
    with celery_process(redis_url, tmp_path, *WORKER):
        assert ended(client, run, LONG) == "run.lost"
        assert ended(client, waiting, LONG) == "run.lost"
    assert order(client, ("run.lost", run), ("run.queued", waiting)) == [("run.lost", run), ("run.queued", waiting)]
    assert not client.exists("livebeat:running", "livebeat:ledger")


def test_a_run_that_takes_too_long_fails_once(
    app: Celery, client: "redis.Redis", redis_url: str, tmp_path: Path
) -> None:
    store = put(app, "sample.hang", max_runtime=1.5, pause_after_failures=1)
    with celery_process(redis_url, tmp_path, *WORKER):
        run = trigger(store)
        assert ended(client, run, LONG) == "run.failed"
        (data,) = data_of(client, "run.failed", run)
        assert data["error_class"] == "TimeLimitExceeded"
        assert [kind for kind, _ in events_of(client, run)] == ["run.queued", "run.started", "run.failed"]
    pause_failing(link(app), store)
    assert not store.get("a").spec.enabled


def test_a_worker_that_can_stop_nothing_says_so(
    app: Celery, client: "redis.Redis", redis_url: str, tmp_path: Path
) -> None:
    with celery_process(redis_url, tmp_path, *WORKER, "--pool=solo"):
        wait_until(lambda: client.hlen("livebeat:workers"), LONG, "the worker")
        with pytest.raises(SpecError, match=r"\(solo\)"):
            put(app, "sample.note", overlap="cancel_previous")
        store = put(app, "sample.note", overlap="skip")
        run = trigger(store)
        assert ended(client, run, LONG) == "run.succeeded"
        assert run_state(app, run) is None
