"""The Sentry SDK's own Celery integration in an adopter's beat and worker: nothing breaks, and the price is told."""

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from celery import Celery

from livebeat import Interval, ScheduleSpec, ScheduleStore
from livebeat.beat.heartbeat import newest
from livebeat.connection import link
from support.beats import environment
from support.engine import connect, make_app
from support.processes import Running
from support.sentry_server import SentryServer, sentry_server
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)
BEAT = ("beat", "--pidfile=")
WORKER = ("worker", "--concurrency", "1", "--without-gossip", "--without-mingle", "--without-heartbeat")


@pytest.fixture
def sentry() -> Iterator[SentryServer]:
    with sentry_server() as server:
        yield server


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


def started(redis_url: str, folder: Path, *arguments: str) -> Running:
    celery = [sys.executable, "-m", "celery", "-A", "support.traced_app", *arguments, "--loglevel=info"]
    return Running(celery, env={**environment(redis_url, folder), "PYTHONUNBUFFERED": "1"}, cwd=folder)


@contextmanager
def beat_and_worker(redis_url: str, folder: Path) -> Iterator[tuple[Running, Running]]:
    with started(redis_url, folder, *BEAT) as beat, started(redis_url, folder, *WORKER) as worker:
        worker.wait_for_line(" ready.", 60)
        beat.wait_for_line("Leading as", 60)
        yield beat, worker


def configure(folder: Path, sentry: SentryServer, terminated_at: str = "", **integration: bool) -> None:
    given = {"dsn": sentry.dsn, "terminated_at": terminated_at, "integration": integration}
    (folder / "sentry.json").write_text(json.dumps(given))


def test_a_beat_that_is_told_to_stop_while_the_sdk_swallows_everything_stops(
    redis_url: str, sentry: SentryServer, tmp_path: Path
) -> None:
    configure(tmp_path, sentry, terminated_at="Leading as")
    with started(redis_url, tmp_path, *BEAT) as beat:
        beat.wait_for_line("Leading as", 60)
        assert beat.wait(40) == 0
    assert not connect(redis_url).exists("redbeat::lock")


def events(redis_url: str, kind: str) -> list[str]:
    entries = connect(redis_url).xrange("livebeat:events")
    return [json.loads(values["data"])["run"] for _, values in entries if values["type"] == kind]


def uncached(app: Celery) -> tuple[str, ...] | None:
    found = newest(link(app))
    return found[0].uncached if found else None


def test_slots_are_dispatched_and_run_once_and_the_beat_says_what_it_costs(
    app: Celery, redis_url: str, sentry: SentryServer, tmp_path: Path
) -> None:
    configure(tmp_path, sentry, monitor_beat_tasks=True)
    store = ScheduleStore(app)
    with beat_and_worker(redis_url, tmp_path) as (beat, worker):
        store.put(ScheduleSpec(name="매초", task="sample.note", recurrence=Interval(seconds=1)))
        store.put(ScheduleSpec(name="fails", task="sample.fail", recurrence=Interval(seconds=1)))
        wait_until(lambda: len(events(redis_url, "run.succeeded")) >= 3, 40, "three slots that ran")
        wait_until(lambda: len(sentry.events()) >= 2, 40, "the errors of the failing one")
        told = wait_until(lambda: uncached(app), 10, "the reason in the heartbeat")
        for process in (beat, worker):
            process.send(signal.SIGTERM)
            process.wait(40)
    reason = "Celery builds its messages differently from run to run"
    assert [text.partition(": ")[0] for text in sorted(told)] == ["sample.fail", "sample.note"]
    assert all(reason in text and "sentry-task-enqueued-time" in text for text in told)
    queued, done = events(redis_url, "run.queued"), events(redis_url, "run.succeeded") + events(redis_url, "run.failed")
    assert len(set(queued)) == len(queued)
    assert set(done) <= set(queued)
    assert len(set(done)) == len(done) >= len(queued) - 2
    notes = [line.split()[1] for line in (tmp_path / "evidence.txt").read_text().splitlines()]
    assert sorted(notes) == sorted(events(redis_url, "run.succeeded"))
    assert {event["exception"]["values"][0]["value"] for event in sentry.events()} == {"as asked"}
    assert not [kind for kind, _ in sentry.items if kind == "check_in"]


def test_without_traces_in_messages_nothing_is_slower(
    app: Celery, redis_url: str, sentry: SentryServer, tmp_path: Path
) -> None:
    configure(tmp_path, sentry, monitor_beat_tasks=True, propagate_traces=False)
    with beat_and_worker(redis_url, tmp_path):
        ScheduleStore(app).put(ScheduleSpec(name="a", task="sample.note", recurrence=Interval(seconds=1)))
        wait_until(lambda: len(events(redis_url, "run.succeeded")) >= 2, 40, "two slots that ran")
        assert uncached(app) == ()
