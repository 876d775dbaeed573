"""What hurt in the old system's two sources of truth, one test a pain, each under the name of what is right now."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from app.core.celery_app import celery_app
from livebeat import Cron, ScheduleStore
from livebeat.connection import link
from livebeat.seedfile import Seeding, problem_of

pytest_plugins = ["support.api"]
pytestmark = pytest.mark.timeout(90)

PATH = "/api/scheduler/schedule"
ALL = "app.tasks.scheduler.crawl_all_complexes"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "schedules.json"


def entry(hour: int, **more: Any) -> dict[str, Any]:
    return {"task": ALL, "schedule": {"hour": hour, "minute": 0}, **more}


def write(path: Path, **entries: dict[str, Any]) -> None:
    path.write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")


def start(path: Path) -> Seeding:
    """What a beat does with the file when it comes to lead."""
    leader = Seeding(link(celery_app), path)
    leader.apply_if_changed()
    return leader


def hours() -> dict[str, str]:
    return {one.spec.name: one.spec.recurrence.expression.split()[1] for one in ScheduleStore(celery_app).list()}


def test_7_edits_pauses_arguments_and_deletions_by_the_api_survive_every_start(api: httpx2.Client, path: Path) -> None:
    write(path, 주간=entry(6), 분기=entry(7), 매일=entry(8))
    start(path)
    assert api.put(f"{PATH}/주간", json={"hour": 9}).status_code == 200
    assert api.put(f"{PATH}/분기", json={"enabled": False}).status_code == 200
    assert api.delete(f"{PATH}/매일").status_code == 200
    store = ScheduleStore(celery_app)
    store.put(store.get("분기").spec.with_changes(args=()), origin="api")
    for _ in range(2):
        start(path)
    write(path, 주간=entry(6, description="바뀜"), 분기=entry(7), 매일=entry(8))
    start(path)
    assert hours() == {"주간": "9", "분기": "7"}
    assert store.get("주간").spec.description == "바뀜"
    assert store.get("분기").spec.enabled is False


@pytest.mark.parametrize("text", [None, "", "{", '{"주간": {"task": 5}}', "[]", '{"x": 1}'])
def test_8_a_broken_or_missing_file_deletes_nothing_and_is_never_rewritten(
    api: httpx2.Client, path: Path, text: str | None
) -> None:
    write(path, 주간=entry(6), 분기=entry(7))
    start(path)
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    start(path)
    assert hours() == {"주간": "6", "분기": "7"}
    assert problem_of(link(celery_app)) is not None
    created = api.post(PATH, json={"name": "새것", "task": ALL, "hour": 1, "minute": 0})
    assert created.status_code == 200
    assert (path.read_text() if path.exists() else None) == text


def test_9_one_edit_in_one_place_is_enough_and_the_running_beat_applies_it(api: httpx2.Client, path: Path) -> None:
    write(path, 주간=entry(6), 분기=entry(7))
    leader = start(path)
    write(path, 주간=entry(10), 분기=entry(7))
    leader.apply_if_changed()  # once a second; that it is within five is in test_seed_reload
    assert hours() == {"주간": "10", "분기": "7"}
    assert "0 10 * * *" in api.get(PATH).json()["schedule"]["주간"]["schedule"]


def test_10_no_call_of_the_api_writes_the_file_and_two_hosts_copies_do_not_flap(
    api: httpx2.Client, tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lead(host: str) -> None:
        monkeypatch.setattr("socket.gethostname", lambda: host)
        start(tmp_path / host)

    for host in ("one", "two"):
        write(tmp_path / host, 주간=entry(6), 분기=entry(7))
        lead(host)
    write(tmp_path / "one", 주간=entry(9), 분기=entry(7))
    before = {host: (tmp_path / host).read_bytes() for host in ("one", "two")}
    lead("one")
    assert api.put(f"{PATH}/분기", json={"hour": 8}).status_code == 200
    for host in ("two", "one", "two"):
        lead(host)
        assert hours() == {"주간": "9", "분기": "8"}
        assert (problem_of(link(celery_app)) is not None) == (host == "two")
    assert {host: (tmp_path / host).read_bytes() for host in ("one", "two")} == before
    assert ScheduleStore(celery_app).get("주간").spec.recurrence == Cron("0 9 * * *", "Asia/Seoul")
