"""Redis is killed and started again under a beat, a worker and a sender: each goes on by itself, soon."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import redis
from celery import Celery
from redis.backoff import NoBackoff
from redis.retry import Retry

from livebeat import Interval, ScheduleSpec, ScheduleStore, clock, run_state, send
from support.engine import celery_process, make_app
from support.processes import Running, clean_environment, descendants, free_port
from support.redis_servers import chosen
from support.waiting import wait_until

RESTARTS = 3
#: Seconds after Redis answers again within which each process has done something.
SOON = 10
SCHEDULES = ("every second", "every two seconds", "every three seconds")
pytestmark = pytest.mark.timeout(60 + RESTARTS * 30)


class KillableServer:
    """A Redis that keeps what it answered, appending to a file that it syncs every second."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        port = free_port()
        durable = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
        self._argv = [chosen().path, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *durable]
        self.url = f"redis://127.0.0.1:{port}/0"
        self.client = redis.Redis(port=port, decode_responses=True, retry=Retry(NoBackoff(), 0))
        self.start()

    def start(self) -> None:
        self._process = Running(self._argv, env=clean_environment())
        wait_until(self._answers, 20, "a Redis that answers", every=0.01)

    def kill(self) -> None:
        with self._process:
            self._process.send(signal.SIGKILL)
            self._process.wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.kill()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except (redis.ConnectionError, redis.exceptions.BusyLoadingError):
            return False


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KillableServer]:
    with KillableServer(tmp_path / "redis") as started:
        yield started


def evidence(folder: Path, kind: str) -> list[str]:
    """The ids of the runs of which a task left this evidence, in order."""
    file = folder / "evidence.txt"
    lines = [line.split() for line in file.read_text().splitlines()] if file.exists() else []
    return [run for of, run, _ in lines if of == kind]


def sent(app: Celery, task: str, *args: object) -> str:
    """The id of a run that the sender got accepted; an outage is an error to it, after which it tries again."""

    def accepted() -> str:
        try:
            return send(task, args, app=app).run_id
        except redis.RedisError:
            return ""

    return wait_until(accepted, SOON, "a sender that gets through")


def dispatched_since(server: KillableServer, since: str) -> set[str]:
    """The schedules of which the beat dispatched a slot since that entry of the stream."""
    events = [event for _, event in server.client.xrange("livebeat:events", f"({since}")]
    return {json.loads(event["data"])["schedule"] for event in events if event["type"] == "run.queued"} & {*SCHEDULES}


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_each_process_works_again_soon(server: KillableServer, tmp_path: Path, pool: str) -> None:
    app = make_app(server.url)
    for seconds, name in enumerate(SCHEDULES, 1):
        ScheduleStore(app).put(ScheduleSpec(name=name, task="sample.note", recurrence=Interval(seconds=seconds)))
    runs, slowest = [], 0.0
    with (
        celery_process(
            server.url, tmp_path, "worker", f"--pool={pool}", "--concurrency=4", "--loglevel=info"
        ) as worker,
        celery_process(server.url, tmp_path, "beat", "--pidfile=", "--loglevel=info") as beat,
    ):
        wait_until(lambda: len(evidence(tmp_path, "done")) > 2, 40, "a worker that works")
        for _ in range(RESTARTS):
            under_way = sent(app, "sample.nap", 2)
            wait_until(lambda run=under_way: run in evidence(tmp_path, "start"), SOON, "a run under way")
            server.kill()
            server.start()
            back = clock.monotonic()
            last = server.client.xrevrange("livebeat:events", count=1)[0][0]
            probe = sent(app, "sample.note")
            wait_until(lambda run=probe: run in evidence(tmp_path, "done"), SOON, "a worker that works again")
            wait_until(lambda last=last: dispatched_since(server, last) == {*SCHEDULES}, SOON, "all three schedules")
            slowest = max(slowest, clock.monotonic() - back)
            runs += [under_way, probe]
        wait_until(lambda: not any(run_state(app, run) for run in runs), 30, "the end of every run")
        assert worker.poll() is None
        assert beat.poll() is None
    assert slowest < SOON
    done = evidence(tmp_path, "done")
    assert [done.count(run) for run in runs] == [1] * len(runs)
    for log in ("worker.log", "beat.log"):
        assert "Unrecoverable" not in (tmp_path / log).read_text()


def test_a_child_that_is_killed_while_its_worker_starts_does_not_end_the_worker(
    server: KillableServer, tmp_path: Path
) -> None:
    """Celery takes it for a pool that can't be started; here Redis is away, so that a start lasts."""
    app = make_app(server.url)
    server.kill()
    log = tmp_path / "worker.log"
    with celery_process(server.url, tmp_path, "worker", "--concurrency=2", "--loglevel=info") as worker:
        wait_until(lambda: log.exists() and "Cannot connect" in log.read_text(), 40, "a worker without Redis")
        os.kill(wait_until(lambda: descendants(worker.pid), 10, "its children")[0], signal.SIGKILL)
        server.start()
        run = sent(app, "sample.note")
        wait_until(lambda: run in evidence(tmp_path, "done"), 30, "a worker that works")
        assert worker.poll() is None
    assert "signal 9 (SIGKILL)" in log.read_text()
