"""A schedules.json by REST: planned, applied and exported."""

import json
from typing import Any

import httpx2
import pytest

from app.core.celery_app import celery_app
from livebeat import Cron, ScheduleStore
from livebeat.connection import link
from livebeat.seedfile.memory import Memory
from livebeat.seedfile.seeding import Seeding

pytest_plugins = ["support.api"]
pytestmark = pytest.mark.timeout(90)

ALL = "app.tasks.scheduler.crawl_all_complexes"
BASE = "/api/scheduler"
FILE: dict[str, Any] = {
    "weekly": {"task": ALL, "schedule": {"hour": 6, "minute": 0, "day_of_week": "1"}},
    "daily": {"task": ALL, "recurrence": {"kind": "cron", "expression": "0 9 * * *"}, "overlap": "skip"},
}


def post(api: httpx2.Client, what: str, file: Any, **query: Any) -> httpx2.Response:
    content = file if isinstance(file, bytes) else json.dumps(file).encode()
    return api.post(f"{BASE}/{what}", content=content, params=query, headers={"Accept-Language": "en"})


def actions(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {one["name"]: one["action"] for one in answer.json()["schedules"]}


def test_planned_applied_and_planned_again(api: httpx2.Client) -> None:
    assert actions(post(api, "plan", FILE)) == {"weekly": "create", "daily": "create"}
    assert api.get(f"{BASE}/schedule").json()["schedule"] == {}
    assert post(api, "apply", FILE).json()["changes"] == 2
    stored = ScheduleStore(celery_app).get("daily")
    assert (stored.spec.overlap, stored.by, stored.origin) == ("skip", "127.0.0.1", "api")
    assert actions(post(api, "plan", FILE)) == {"weekly": "same", "daily": "same"}


def test_a_live_edit_survives_and_is_told(api: httpx2.Client) -> None:
    post(api, "apply", FILE)
    assert api.put(f"{BASE}/schedule/weekly", json={"hour": 7}).status_code == 200
    moved = {**FILE, "daily": {**FILE["daily"], "overlap": "allow"}}
    planned = post(api, "plan", moved)
    assert actions(planned) == {"weekly": "same", "daily": "change"}
    (kept,) = planned.json()["schedules"][0]["fields"]
    assert (kept["field"], kept["wins"], kept["live"]["expression"]) == ("recurrence", "live", "0 7 * * 1")
    assert post(api, "apply", moved).status_code == 200
    assert ScheduleStore(celery_app).get("weekly").spec.recurrence == Cron("0 7 * * 1", "Asia/Seoul")
    assert post(api, "apply", moved, policy="overwrite").status_code == 200
    assert ScheduleStore(celery_app).get("weekly").spec.recurrence == Cron("0 6 * * 1", "Asia/Seoul")


def test_what_can_not_be_used_says_where_and_changes_nothing(api: httpx2.Client) -> None:
    for what in ("plan", "apply"):
        for file, part in (
            (b'{"a": {"task": "x",\n "hour": }', "line 2"),
            (b"", "request"),
            (b"\xff", "UTF-8"),
            ({"a": {"task": ALL, "schedule": {"hour": 99, "minute": 0}}}, "a"),
            ({"a": {"task": "not.ours", "schedule": {"hour": 9, "minute": 0}}}, "not.ours"),
        ):
            answer = post(api, what, file)
            assert answer.status_code == 422, answer.text
            assert part in answer.json()["detail"]
        assert post(api, what, FILE, policy="mine").status_code == 422
    assert api.get(f"{BASE}/schedule").json()["schedule"] == {}


def test_more_than_half_gone_has_to_be_meant(api: httpx2.Client) -> None:
    post(api, "apply", FILE)
    assert post(api, "apply", {}).status_code == 422
    assert len(api.get(f"{BASE}/schedule").json()["schedule"]) == 2
    assert actions(post(api, "apply", {}, force="true")) == {"weekly": "remove", "daily": "remove"}
    assert api.get(f"{BASE}/schedule").json()["schedule"] == {}


def test_what_is_exported_is_applied_to_the_same(api: httpx2.Client) -> None:
    post(api, "apply", FILE)
    exported = api.get(f"{BASE}/export")
    assert exported.headers["content-type"] == "application/json"
    assert list(exported.json()) == ["daily", "weekly"]
    assert set(actions(post(api, "apply", exported.content)).values()) == {"same"}
    assert api.get(f"{BASE}/export").content == exported.content
    assert list(api.get(f"{BASE}/export", params={"name": "daily"}).json()) == ["daily"]
    assert api.get(f"{BASE}/export", params={"name": "none"}).status_code == 404


def test_the_beats_own_file_does_not_undo_it(api: httpx2.Client, tmp_path: Any) -> None:
    own = tmp_path / "schedules.json"
    own.write_text(json.dumps(FILE))
    beat = Seeding(link(celery_app), own)
    beat.apply_if_changed()
    assert post(api, "apply", {**FILE, "daily": {**FILE["daily"], "overlap": "allow"}}).status_code == 200
    beat.apply_if_changed()
    assert ScheduleStore(celery_app).get("daily").spec.overlap == "allow"
    assert Memory(link(celery_app)).mark.done
