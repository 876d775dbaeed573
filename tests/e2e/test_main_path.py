"""The main job on real input: a schedule made by curl crawls, its rows and its run are there, whatever is killed."""

import json
import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from support.copies import Copy
from support.processes import free_port
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(240)
SEOUL = ZoneInfo("Asia/Seoul")

REDBEAT_SNIPPET = """
from redbeat import RedBeatSchedulerEntry
from celery.schedules import schedule
from app.core.celery_app import celery_app
entry = RedBeatSchedulerEntry(
    name='임시_테스트',
    task='app.tasks.scheduler.cleanup_old_snapshots',
    schedule=schedule(1),
    app=celery_app,
)
entry.save()
print(entry.name)
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    made = Copy(tmp_path_factory.mktemp("main-path"), free_port())
    with made.start_and_wait():
        yield made


@pytest.fixture(scope="module")
def steady(copy: Copy) -> str:
    """The document's snippet in a second terminal: a schedule that is due each second from then on."""
    return copy.python(REDBEAT_SNIPPET).splitlines()[-1]


def runs(copy: Copy, query: str = "") -> list[dict[str, Any]]:
    status, body = copy.send("GET", f"/api/scheduler/runs?limit=200&{quote(query, safe='=&')}")
    assert status == 200, body
    items: list[dict[str, Any]] = body["items"]
    return items


def test_a_schedule_made_for_the_next_minute_crawls_and_saves(copy: Copy) -> None:
    at = datetime.now(SEOUL) + timedelta(seconds=65)  # noqa: TID251  a person reads the wall clock, too
    body = {
        "name": "테스트_크롤링",
        "task": "app.tasks.scheduler.crawl_all_complexes",
        "hour": at.hour,
        "minute": at.minute,
        "day_of_week": "*",
    }
    status, answer = copy.send("POST", "/api/scheduler/schedule", body)
    assert (status, answer["message"]) == (200, "스케줄 '테스트_크롤링'이 생성되었습니다.")

    def succeeded(task: str) -> list[dict[str, Any]]:
        return runs(copy, f"task=app.tasks.scheduler.{task}&state=succeeded")

    (run,) = wait_until(lambda: succeeded("crawl_all_complexes"), 90, "the crawl's run", every=0.5)
    assert run["schedule"] == "테스트_크롤링"
    assert datetime.fromisoformat(run["slot"]).astimezone(SEOUL).minute == at.minute
    lateness = datetime.fromisoformat(run["started_at"]) - datetime.fromisoformat(run["slot"])
    assert timedelta(0) <= lateness < timedelta(seconds=2)
    each = wait_until(
        lambda: len(succeeded("crawl_complex")) == run["result"]["total_complexes"] and succeeded("crawl_complex"),
        60,
        "every complex",
        every=0.5,
    )
    assert all(one["result"]["articles_collected"] > 0 for one in each)
    complexes = copy.send("GET", "/api/realestate/complexes")[1]["items"]
    by_number = {one["complex_id"]: one for one in complexes}
    assert by_number["109208"]["complex_name"] == "시범반도유보라아이비파크4.0"
    assert "crawl_all_complexes" in copy.get("/flower/tasks")[1] + copy.get("/flower/workers")[1] + flower_rows(copy)


def flower_rows(copy: Copy) -> str:
    """What Flower's task table loads."""
    return copy.get("/flower/tasks/datatable?draw=1&start=0&length=100&search[value]=&order[0][column]=0")[1]


def test_a_stats_refresh_saves_posts_and_statistics(copy: Copy) -> None:
    status, asked = copy.send("POST", "/api/stats/refresh", {"userId": 1})
    assert status == 202, asked
    path = f"/api/stats/refresh/{asked['requestId']}"
    done = wait_until(
        lambda: copy.send("GET", path)[1]["status"] in {"succeeded", "failed"} and copy.send("GET", path)[1],
        60,
        "the end of the refresh",
        every=0.3,
    )
    assert done["status"] == "succeeded", done
    assert done["result"]["posts"] > 0
    assert done["result"]["statistics"] > 0
    figures = wait_until(
        lambda: copy.send("GET", "/api/stats/figures")[1]["processed"] and copy.send("GET", "/api/stats/figures")[1],
        20,
        "its record",
        every=0.3,
    )
    assert (figures["processed"], figures["succeeded"]) == (1, 1)
    assert figures["uptimeSeconds"] > 0
    status, again = copy.send("POST", "/api/stats/refresh", {"userId": 1})
    assert (status, again["type"]) == (409, "urn:livebeat:problem:statistics-up-to-date")


def test_the_documented_python_snippet_in_a_second_terminal(copy: Copy, steady: str) -> None:
    assert steady == "임시_테스트"
    wait_until(lambda: runs(copy, f"schedule={steady}&state=succeeded"), 15, "its run", every=0.3)


@pytest.mark.parametrize("name", ["api", "beat", "worker", "recorder", "flower", "valkey"])
def test_kill_9_and_the_next_schedule_runs(copy: Copy, steady: str, name: str) -> None:
    killed = copy.pid_of(name)
    os.kill(killed, signal.SIGKILL)
    at = datetime.now(UTC)  # noqa: TID251  compared with slots

    def runs_after() -> bool:
        if copy.pid_of(name) in {0, killed} or copy.get("/api/health/ready")[0] != 200:
            return False
        slots = [datetime.fromisoformat(run["slot"]) for run in runs(copy, f"schedule={steady}&state=succeeded")]
        return any(slot > at + timedelta(seconds=2) for slot in slots)

    wait_until(runs_after, 60, f"a run after the kill of {name}", every=0.5)


def test_check_schedules_says_so(copy: Copy, steady: str) -> None:
    shown = copy.script("check_schedules.sh", "--json")
    assert shown.returncode == 0, shown.stderr
    names = {each["name"] for each in json.loads(shown.stdout)["schedules"]}
    assert {"주간업데이트", "주간브리핑", "스냅샷정리", steady} <= names
