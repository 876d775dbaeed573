"""SIGTERM of a worker and a beat in the middle of their work: they end in time, and others finish it soon."""

import json
import signal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from celery.concurrency import asynpool
from celery.worker import state
from kombu.asynchronous import hub as hubs

from livebeat import Interval, ScheduleSpec, ScheduleStore, clock, run_state, send
from livebeat.connection import link
from livebeat.delivery.ledger import Ledger
from livebeat.delivery.shutdown import end_when_idle, stop_between_turns
from livebeat.wellformed import RUN_HEADER
from support.engine import celery_process, connect, make_app
from support.runs import ended
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(150)
#: Seconds that tasks in hand are given, and that the worker needs beyond them.
SOFT, MORE = 4, 4
JOBS = 120


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def started(folder: Path, kind: str) -> list[str]:
    """The ids of the runs of which a task left this evidence."""
    evidence = folder / "evidence.txt"
    lines = [line.split() for line in evidence.read_text().splitlines()] if evidence.exists() else []
    return [run for of, run, _ in lines if of == kind]


@pytest.mark.parametrize(("pool", "seconds"), [("prefork", 60), ("threads", SOFT + 2)])
def test_nothing_is_lost_and_nothing_waits(
    redis_url: str, client: "redis.Redis", tmp_path: Path, pool: str, seconds: int
) -> None:
    """A task that takes longer than it is given is interrupted and given to another; in a thread it can't be, and ends."""
    (tmp_path / "conf.json").write_text(json.dumps({"worker_soft_shutdown_timeout": SOFT}))
    app = make_app(redis_url)
    ScheduleStore(app).put(ScheduleSpec(name="tick", task="sample.note", recurrence=Interval(seconds=1)))
    worker = ("worker", f"--pool={pool}", "--concurrency=3", "--loglevel=info")
    beat = ("beat", "--pidfile=", "--loglevel=info")
    with celery_process(redis_url, tmp_path, *worker) as first, celery_process(redis_url, tmp_path, *beat) as leader:
        long = send("sample.nap", (seconds,), app=app).run_id
        short = [send("sample.nap", (0.2,), app=app).run_id for _ in range(JOBS)]
        wait_until(lambda: long in started(tmp_path, "start") and started(tmp_path, "done"), 40, "work in hand")
        since = clock.monotonic()
        first.terminate()
        leader.terminate()
        assert leader.wait(MORE) == 0
        first.wait(SOFT + MORE + 20)
        assert clock.monotonic() - since < (SOFT if pool == "prefork" else seconds) + MORE
    left = [run for run in short if run_state(app, run)]
    assert left, "the load was gone before the stop"
    with celery_process(redis_url, tmp_path, *worker), celery_process(redis_url, tmp_path, *beat):
        assert {ended(client, run, 40) for run in short} == {"run.succeeded"}
        executions = 2 if pool == "prefork" else 1
        wait_until(lambda: started(tmp_path, "start").count(long) == executions, 20, "the task that was interrupted")
    assert [started(tmp_path, "done").count(run) for run in short] == [1] * JOBS


#: Where a signal finds the main thread: in the loop, in the loop's pool.
_LOOP = "def create_loop():\n    at_work()\n    said.append('written')"
_POOL = "def _write_job():\n    interrupt()"


def test_a_signal_waits_until_the_job_in_hand_is_written() -> None:
    """Celery's handler stops the pool where it stands; half of a job would keep its child, and the stop, for ever."""
    said: list[str] = []
    soon: list[partial[None]] = []
    hub = SimpleNamespace(call_soon=lambda call, *given: soon.append(partial(call, *given)))
    before = signal.signal(signal.SIGUSR2, lambda *_: said.append("stopped"))
    try:
        stop_between_turns(hub, [signal.SIGUSR2])
        pool: dict[str, Any] = {
            "__name__": asynpool.__name__,
            "interrupt": partial(signal.raise_signal, signal.SIGUSR2),
        }
        exec(_POOL, pool)
        loop: dict[str, Any] = {"__name__": hubs.__name__, "at_work": pool["_write_job"], "said": said}
        exec(_LOOP, loop)
        loop["create_loop"]()
        assert said == ["written"]
        soon.pop()()
        assert said == ["written", "stopped"]
        pool["_write_job"]()  # of a pool that is ending, after the loop
        assert (said, soon) == (["written", "stopped", "stopped"], [])
    finally:
        signal.signal(signal.SIGUSR2, before)


@pytest.mark.parametrize(("given_back", "least"), [(True, 0.0), (False, SOFT / 2)])
def test_a_task_that_gave_its_run_back_is_not_waited_for(
    redis_url: str, monkeypatch: pytest.MonkeyPatch, given_back: bool, least: float
) -> None:
    app = make_app(redis_url)
    app.conf.worker_soft_shutdown_timeout = SOFT
    run_id = send("sample.note", app=app).run_id
    entry, ledger = run_state(app, run_id), Ledger(link(app))
    assert entry is not None
    ledger.claim(entry.run, "a", "w")
    if given_back:
        assert ledger.release(entry.run, "a", 1, after=60)
    request = SimpleNamespace(id=run_id, request_dict={RUN_HEADER: run_id})
    monkeypatch.setattr(state, "active_requests", [request])
    worker: Any = SimpleNamespace(app=app, pool=None, wait_for_soft_shutdown=None)
    end_when_idle(link(app), worker)
    since = clock.monotonic()
    worker.wait_for_soft_shutdown()
    assert least <= clock.monotonic() - since < (SOFT / 2 if given_back else SOFT)
