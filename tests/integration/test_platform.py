"""The platform's Celery app: what may be scheduled, where it is routed, and the shell's report."""

import json
from pathlib import Path

import pytest
import redis

from app import check_schedules
from app.core.celery_app import QUEUES, celery_app, schedulable_tasks
from app.core.settings import get_settings
from livebeat import Cron, ScheduleSpec, ScheduleStore
from livebeat.connection import link
from livebeat.message import build
from livebeat.seedfile import parse
from support.engine import connect

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_url")]


def test_only_tasks_that_opted_in_may_be_scheduled() -> None:
    tasks = schedulable_tasks()
    assert "app.tasks.scheduler.crawl_all_complexes" in tasks
    assert "app.tasks.scheduler.crawl_complex" not in tasks
    assert not [name for name in tasks if name.startswith("celery.")]


@pytest.mark.parametrize(
    ("task", "kwargs", "queue"),
    [
        ("app.tasks.scheduler.crawl_all_complexes", {}, "crawl"),
        ("app.tasks.scheduler.crawl_complex", {"complex_id": "1"}, "crawl"),
        ("app.tasks.stats.refresh_user_stats", {"user_id": 1}, "stats"),
    ],
)
def test_tasks_go_to_their_queues(task: str, kwargs: dict[str, object], queue: str) -> None:
    schedulable_tasks()  # loads the tasks
    assert build(celery_app, task, kwargs=kwargs, run_id="r", headers={}).queue == queue
    assert queue in QUEUES


def test_the_shipped_file_is_sound() -> None:
    path = Path(get_settings().livebeat_schedules_file)
    specs = parse(path.read_text(encoding="utf-8"), path)
    assert {name: str(spec.recurrence) for name, spec in specs.items()} == {
        "주간업데이트": "<crontab: 0 6 * * 1 (m/h/dM/MY/d)>",
        "주간브리핑": "<crontab: 0 9 * * 1 (m/h/dM/MY/d)>",
        "스냅샷정리": "<crontab: 0 6 1 1,4,7,10 * (m/h/dM/MY/d)>",
    }
    assert {spec.task for spec in specs.values()} <= set(schedulable_tasks())


def report(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    status = check_schedules.main(list(arguments))
    return status, capsys.readouterr().out


def test_the_report_without_a_beat(capsys: pytest.CaptureFixture[str]) -> None:
    status, text = report(capsys, "--lang", "ko")
    assert status == check_schedules.DOWN
    assert "⚠️  등록된 스케줄이 없습니다." in text
    assert "실행 중인 Beat가 없습니다" in text


def test_the_report_in_both_languages_and_for_programs(capsys: pytest.CaptureFixture[str], redis_url: str) -> None:
    connect(redis_url).set("redbeat::lock", "livebeat:host:1:abc:1")
    assert report(capsys, "--lang", "en")[0] == check_schedules.NO_SCHEDULES
    ScheduleStore(celery_app).put(
        ScheduleSpec(
            name="주간 업데이트",
            task="app.tasks.scheduler.crawl_complex_async",
            args=("109208",),
            recurrence=Cron("0 6 * * 1"),
            description="설명",
        ),
        by="kim",
        origin="api",
    )
    status, korean = report(capsys, "--lang", "ko")
    assert status == check_schedules.HEALTHY
    for line in (
        "🔹 주간 업데이트",
        '인자: "109208"',
        "스케줄: 매주 월요일 06:00 (Asia/Seoul)",
        "남은 시간:",
        "출처: api (kim)",
    ):
        assert line in korean
    _, english = report(capsys, "--lang", "en")
    assert "schedule: every Monday 06:00 (Asia/Seoul)" in english
    _, text = report(capsys, "--json")
    data = json.loads(text)
    assert data["schedules"][0]["name"] == "주간 업데이트"
    assert data["differences"] == {"주간업데이트": "pending", "주간브리핑": "pending", "스냅샷정리": "pending"}


def test_the_report_while_redis_is_away(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery_app, "_livebeat_link", type(link(celery_app))(celery_app, redis.Redis(port=1)))
    assert check_schedules.main(["--lang", "ko"]) == check_schedules.DOWN
    assert "Redis에 연결할 수 없습니다" in capsys.readouterr().err
