"""Check-ins for Sentry's Crons: one a run, from the recorder alone, and never at the recorder's cost."""

import json
import signal
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery.schedules import schedule
from redbeat import RedBeatSchedulerEntry

from app.core.celery_app import celery_app
from app.core.settings import get_settings
from app.history.heartbeat import GROUP
from app.history.models import Run
from app.recorder.crons import slug
from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore, clock
from livebeat.events import emit
from livebeat.keys import Keys
from livebeat.rules import Recurrence
from support.engine import connect
from support.news import event
from support.platform_processes import platform_environment, start
from support.processes import Running, free_port
from support.sentry_server import SentryServer, sentry_server
from support.waiting import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_url"), pytest.mark.timeout(120)]

KEYS = Keys()
WEEKLY, EVERY_MINUTE, EVERY_90_SECONDS = Cron("0 6 * * mon"), Interval(seconds=60), Interval(seconds=90)


@pytest.fixture
def sentry() -> Iterator[SentryServer]:
    with sentry_server() as server:
        yield server


@pytest.fixture
def client() -> "redis.Redis":
    return connect(get_settings().client_url)


def recorder(data_dir: Path, dsn: str, **more: str) -> Running:
    return start("recorder", platform_environment(data_dir, SENTRY_DSN=dsn, **more))


def put(name: str, rule: Recurrence, **options: Any) -> None:
    task = "app.tasks.scheduler.crawl_all_complexes"
    ScheduleStore(celery_app).put(ScheduleSpec(name=name, task=task, recurrence=rule, options=options))


def tell(client: "redis.Redis", run: str, *kinds: str, schedule: str = "주간", **more: Any) -> None:
    for kind in kinds:
        news = event(f"run.{kind}", run=run, schedule=schedule, **more)
        emit(client, KEYS, news.type, news.data)


def recorded(client: "redis.Redis", runs: int) -> None:
    wait_until(lambda: Run.objects.count() == runs, 40, f"{runs} rows")
    wait_until(lambda: client.xpending(KEYS.events, GROUP)["pending"] == 0, 10, "everything acknowledged")


def check_ins(sentry: SentryServer) -> list[dict[str, Any]]:
    return [payload for kind, payload in list(sentry.items) if kind == "check_in"]


def told(sentry: SentryServer) -> Counter[tuple[str, str]]:
    """How often each (id, status) came."""
    return Counter((each["check_in_id"], each["status"]) for each in check_ins(sentry))


def run_id() -> str:
    return str(uuid.uuid4())


def hexed(run: str) -> str:
    return run.replace("-", "")


def test_each_slots_run_is_one_check_in_however_often_it_is_read(
    client: "redis.Redis", sentry: SentryServer, tmp_path: Path
) -> None:
    put("주간", WEEKLY, time_limit=90)
    put("each-minute", EVERY_MINUTE)
    put("90초", EVERY_90_SECONDS)
    before, after, minute = run_id(), run_id(), run_id()
    with recorder(tmp_path, sentry.dsn, SENTRY_CRONS="true", SENTRY_ENVIRONMENT="staging") as process:
        tell(client, before, "queued")
        wait_until(lambda: told(sentry) == {(hexed(before), "in_progress"): 1}, 40, "the first check-in")
        tell(client, before, "started", "retrying", attempt=1)
        wait_until(lambda: told(sentry) == {(hexed(before), "in_progress"): 2}, 20, "the second")
        tell(client, before, "succeeded", attempt=2, duration=1.5)
        tell(client, after, "queued", "started", "failed", attempt=1)
        tell(client, minute, "lost", schedule="each-minute")
        tell(client, run_id(), "queued", schedule="90초")
        tell(client, run_id(), "queued", schedule="deleted meanwhile")
        tell(client, run_id(), "queued", kind="trigger")
        tell(client, run_id(), "queued", kind="task", schedule=None)
        recorded(client, 7)
        ends = {(hexed(before), "ok"), (hexed(after), "error"), (hexed(minute), "error")}
        wait_until(lambda: told(sentry).keys() >= ends, 20, "the ends")
        client.xgroup_setid(KEYS.events, GROUP, "0")  # as after a kill between telling and acknowledging
        wait_until(lambda: told(sentry)[hexed(minute), "error"] == 2, 20, "everything is read again")
        process.send(signal.SIGTERM)
        process.wait(40)
    assert {each["check_in_id"] for each in check_ins(sentry)} == {hexed(run) for run in (before, after, minute)}
    last = {each["check_in_id"]: each for each in check_ins(sentry)}
    assert (last[hexed(before)]["monitor_slug"], last[hexed(before)]["environment"]) == (slug("주간"), "staging")
    assert (last[hexed(before)]["status"], last[hexed(before)]["duration"]) == ("ok", 1.5)
    assert last[hexed(before)]["monitor_config"] == {
        "schedule": {"type": "crontab", "value": "0 6 * * 1"},
        "timezone": "Asia/Seoul",
        "checkin_margin": 5,
        "max_runtime": 2,
    }
    assert last[hexed(minute)]["monitor_slug"] == "each-minute"
    assert last[hexed(minute)]["monitor_config"]["schedule"] == {"type": "interval", "value": 1, "unit": "minute"}


def test_a_sentry_that_hangs_holds_nothing_up_and_gets_the_whole_batch_in_the_end(
    client: "redis.Redis", sentry: SentryServer, tmp_path: Path
) -> None:
    names = ["주간 업데이트", "주간업데이트", "Weekly", "weekly!", "weekly", "가" * 200, "매일/서울", "weekly?"]
    for name in names:
        put(name, WEEKLY)
        for _ in range(25):
            tell(client, run_id(), "queued", schedule=name)
    sentry.answers.clear()
    with recorder(tmp_path, sentry.dsn, SENTRY_CRONS="true"):
        recorded(client, 200)
        assert check_ins(sentry) == []
        sentry.answers.set()
        wait_until(lambda: len(check_ins(sentry)) == 200, 40, "all of them")
    slugs = Counter(each["monitor_slug"] for each in check_ins(sentry))
    assert slugs == {slug(name): 25 for name in names}
    assert all(each.isascii() and len(each) <= 50 for each in slugs)


def test_what_cannot_be_told_holds_nothing_up(client: "redis.Redis", tmp_path: Path) -> None:
    put("주간", WEEKLY)
    odd: list[dict[str, Any]] = [{"run": "no uuid"}, {"run": ["x"]}, {"run": run_id(), "schedule": {}}]
    for more in odd:
        news = event("run.queued", **{"schedule": "주간", **more})
        emit(client, KEYS, news.type, news.data)
    client.hset("redbeat:broken", "definition", "{not json")
    tell(client, run_id(), "queued", schedule="broken")
    tell(client, run_id(), "queued", "started", "succeeded", attempt=1)
    with recorder(tmp_path, f"http://{'a' * 32}@127.0.0.1:{free_port()}/1", SENTRY_CRONS="true") as process:
        recorded(client, 3)  # the list and the object are no runs to the history, either
        assert "Traceback" not in process.output


def test_off_unless_asked_for(client: "redis.Redis", sentry: SentryServer, tmp_path: Path) -> None:
    put("주간", WEEKLY)
    tell(client, run_id(), "queued")
    with recorder(tmp_path, sentry.dsn) as process:
        recorded(client, 1)
        process.send(signal.SIGTERM)
        process.wait(40)
    assert check_ins(sentry) == []


def test_beat_and_worker_tell_nothing_and_the_recorder_all(
    client: "redis.Redis", sentry: SentryServer, tmp_path: Path
) -> None:
    env = platform_environment(tmp_path, SENTRY_DSN=sentry.dsn, SENTRY_CRONS="true")
    entry = RedBeatSchedulerEntry(
        "매분", "app.tasks.stats.fail", schedule(timedelta(seconds=60)), kwargs={"why": "as asked"}, app=celery_app
    )
    with start("beat", env, app="support.leaky_app") as beat, start("worker", env, app="support.leaky_app") as worker:
        worker.wait_for_line(" ready.", 60)
        beat.wait_for_line("Leading as", 60)
        entry.save().reschedule(clock.now() - timedelta(seconds=57))  # due in three seconds
        ended = wait_until(lambda: events(client, "run.failed"), 40, "a slot that ran")
        for process in (beat, worker):
            process.send(signal.SIGTERM)
            process.wait(40)
    assert sentry.events()
    assert check_ins(sentry) == []
    with start("recorder", env) as process:
        wait_until(lambda: check_ins(sentry), 40, "the recorder's check-in")
        process.send(signal.SIGTERM)
        process.wait(40)
    assert told(sentry) == {(hexed(ended[0]["run"]), "error"): 1}
    assert check_ins(sentry)[0]["monitor_slug"] == slug("매분")


def events(client: "redis.Redis", kind: str) -> list[dict[str, Any]]:
    return [json.loads(values["data"]) for _, values in client.xrange(KEYS.events) if values["type"] == kind]
