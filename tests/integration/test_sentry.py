"""What a Sentry gets to see: each error once, with its tags, from every process, and no secret."""

import json
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from celery.schedules import schedule
from redbeat import RedBeatSchedulerEntry

from app.core.celery_app import celery_app
from app.core.settings import get_settings
from livebeat import send
from support.engine import connect
from support.news import event as event_of_a_run
from support.platform_processes import platform_environment, start
from support.processes import Running
from support.sentry_server import KEY, SentryServer, sentry_server
from support.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_url"), pytest.mark.timeout(120)]

LEAKY = "support.leaky_app"
CANARY = "canary9f2c7d1e"


@pytest.fixture
def sentry() -> Iterator[SentryServer]:
    with sentry_server() as server:
        yield server


@pytest.fixture
def env(sentry: SentryServer, tmp_path: Path) -> dict[str, str]:
    return platform_environment(
        tmp_path, SENTRY_DSN=sentry.dsn, SENTRY_ENVIRONMENT="staging", POSTGRES_PASSWORD=f"{CANARY}#pass"
    )


def worker(env: dict[str, str], *arguments: str) -> Running:
    return start("worker", env, *arguments, app=LEAKY)


def run(task: str, **kwargs: Any) -> str:
    return send(task, kwargs=kwargs, options={"queue": "stats"}, app=celery_app).run_id


def errors(sentry: SentryServer, count: int) -> list[dict[str, Any]]:
    """The errors that arrived, once there are so many."""
    wait_until(lambda: len(sentry.events()) >= count, 40, f"{count} events, there are {len(sentry.events())}")
    return sentry.events()


def stop(process: Running) -> None:
    """An orderly end: what an SDK still holds is sent."""
    process.send(signal.SIGTERM)
    process.wait(40)


def test_an_error_in_a_task_arrives_once_with_its_tags(env: dict[str, str], sentry: SentryServer) -> None:
    with worker(env) as process:
        process.wait_for_line(" ready.", 60)
        first, second = run("app.tasks.stats.fail", why="one"), run("app.tasks.stats.fail", why="two")
        errors(sentry, 2)
        stop(process)
    assert [event["exception"]["values"][0]["value"] for event in sentry.events()] == ["one", "two"]
    for event, run_id in zip(sentry.events(), (first, second), strict=True):
        tags = event["tags"]
        assert (tags["process"], tags["task"], tags["run"]) == ("worker", "app.tasks.stats.fail", run_id)
        assert (event["environment"], event["exception"]["values"][0]["type"]) == ("staging", "RuntimeError")
    assert sentry.transactions() == []


#: The last is macOS's way: children that are no forks.
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo", "prefork -- worker.pool_start_method=spawn"])
def test_no_secret_arrives_from_any_pool(env: dict[str, str], sentry: SentryServer, pool: str) -> None:
    with worker({**env, "SENTRY_TRACES_SAMPLE_RATE": "1"}, "--pool", *pool.split()) as process:
        process.wait_for_line(" ready.", 60)
        run("app.tasks.stats.leak", access_token=f"{CANARY}-token", password=CANARY)
        wait_until(lambda: "login failed" in "".join(sentry.raw), 40, "the task's own error")
        wait_until(sentry.transactions, 40, "the task's trace")
        stop(process)
    everything = "".join(sentry.raw)
    assert "login failed: password=***" in everything
    assert CANARY not in everything
    assert not [key for index in range(10) if (key := get_settings().aes_key(index) or "") in everything]
    for event in sentry.events():
        values = event.get("exception", {"values": []})["values"]
        assert not [frame for value in values for frame in value["stacktrace"]["frames"] if "vars" in frame]
    assert {event["tags"]["process"] for event in sentry.events()} == {"worker"}
    (trace,) = sentry.transactions()
    assert trace["tags"]["task"] == "app.tasks.stats.leak"


def test_a_scheduled_run_names_schedule_and_slot_and_nothing_breaks_the_beat(
    env: dict[str, str], sentry: SentryServer, tmp_path: Path
) -> None:
    traced = {**env, "SENTRY_TRACES_SAMPLE_RATE": "1"}
    with start("beat", traced, app=LEAKY) as beat, worker(traced) as process:
        process.wait_for_line(" ready.", 60)
        beat.wait_for_line("Leading as", 60)
        rule, kwargs = schedule(timedelta(seconds=1)), {"why": "as asked"}
        RedBeatSchedulerEntry("통계 실패", "app.tasks.stats.fail", rule, kwargs=kwargs, app=celery_app).save()
        errors(sentry, 3)
        stop(beat)
        stop(process)
    failed = [event for event in sentry.events() if event["exception"]["values"][0]["value"] == "as asked"]
    slots = [event["tags"]["slot"] for event in failed]
    assert {event["tags"]["schedule"] for event in failed} == {"통계 실패"}
    assert len(slots) == len(set(slots)) >= 3
    assert not [kind for kind, _ in sentry.items if kind == "check_in"]
    client = connect(get_settings().client_url)
    dispatched = [
        json.loads(values["data"]) for _, values in client.xrange("livebeat:events") if values["type"] == "run.queued"
    ]
    assert {run["slot"] for run in dispatched} >= set(slots)


def test_the_beats_own_errors(env: dict[str, str], sentry: SentryServer) -> None:
    connect(get_settings().client_url).hset("redbeat:broken", "definition", "{not json")
    connect(get_settings().client_url).zadd("redbeat::schedule", {"redbeat:broken": 1})
    with start("beat", env) as beat:
        beat.wait_for_line("set aside", 60)
        (event,) = errors(sentry, 1)
        stop(beat)
    assert event["tags"]["process"] == "beat"
    assert event["logger"] == "livebeat.beat.prepare"


def test_the_recorders_own_errors(env: dict[str, str], sentry: SentryServer, tmp_path: Path) -> None:
    nowhere = {**env, "DATABASE_URL": f"postgresql://user:{CANARY}@127.0.0.1:1/none"}
    data = json.dumps(event_of_a_run("run.queued", unique="key").data)
    connect(get_settings().client_url).xadd("livebeat:events", {"type": "run.queued", "data": data})
    with start("recorder", nowhere) as recorder:
        recorder.wait_for_line("waiting for the database", 60)
        (event,) = errors(sentry, 1)
        stop(recorder)
    assert event["tags"]["process"] == "recorder"
    assert CANARY not in "".join(sentry.raw)


def test_the_api_reports_an_error_once_and_nothing_of_the_request(env: dict[str, str], sentry: SentryServer) -> None:
    with start("api", {**env, "SENTRY_TRACES_SAMPLE_RATE": "1"}, app="support.failing_api") as api:
        address = api.wait_for_line("Uvicorn running on", 60).partition(" on ")[2].split()[0]
        answer = httpx2.post(
            f"{address}/api/fail?token={CANARY}",
            json={"password": CANARY, "note": f"{CANARY}-body"},
            headers={"Cookie": f"sessionid={CANARY}", "Authorization": f"Bearer {CANARY}", "X-API-Key": CANARY},
        )
        assert answer.status_code == 500
        (event,) = errors(sentry, 1)
        wait_until(sentry.transactions, 40, "the request's trace")
        stop(api)
    assert len(sentry.events()) == 1
    assert event["tags"]["process"] == "api"
    assert event["exception"]["values"][0]["value"] == "failed with password=***"
    assert CANARY not in "".join(sentry.raw)
    assert not {"data", "cookies", "env"} & set(event["request"])


def test_without_a_dsn_nothing_is_loaded(tmp_path: Path, sentry: SentryServer) -> None:
    with worker(platform_environment(tmp_path)) as process:
        process.wait_for_line(" ready.", 60)
        run("app.tasks.stats.fail", why="as asked")
        process.wait_for_line("raised unexpected", 40)
    assert sentry.raw == []
    assert KEY not in process.output
