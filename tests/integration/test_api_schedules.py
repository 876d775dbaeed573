"""The old API over real HTTP: its shapes, its messages, its statuses, minus its defects."""

import json
from typing import Any

import httpx2
import pytest
import redis
from celery.schedules import crontab
from redbeat import RedBeatSchedulerEntry

from app.core.celery_app import celery_app
from livebeat import Interval, ScheduleSpec, ScheduleStore

pytest_plugins = ["support.api"]

ALL = "app.tasks.scheduler.crawl_all_complexes"
PATH = "/api/scheduler/schedule"
NOTE = "RedBeat이 자동으로 감지하여 5초 이내 적용됩니다."


def create(api: httpx2.Client, **more: Any) -> httpx2.Response:
    return api.post(PATH, json={"name": "주간업데이트", "task": ALL, "hour": 6, "minute": 0, **more})


def stored(api: httpx2.Client, name: str = "주간업데이트") -> dict[str, Any]:
    return dict(api.get(PATH).json()["schedule"][name])


def test_the_documented_walk(api: httpx2.Client) -> None:
    assert api.get(PATH).json() == {"schedule": {}, "timezone": "Asia/Seoul"}
    body = {"name": "테스트_크롤링", "task": ALL, "hour": 14, "minute": 30, "day_of_week": "3"}
    created = api.post(PATH, json={**body, "description": "매주 수요일 오후 2시 30분"})
    assert created.status_code == 200
    assert created.json() == {
        "message": "스케줄 '테스트_크롤링'이 생성되었습니다.",
        "schedule": {**body, "description": "매주 수요일 오후 2시 30분"},
        "note": NOTE,
    }
    entry = stored(api, "테스트_크롤링")
    assert entry["task"] == ALL
    assert entry["schedule"] == "<crontab: 30 14 * * 3 (m/h/dM/MY/d)>"
    assert entry["options"] == {"expires": 3600}

    changed = api.put(f"{PATH}/테스트_크롤링", json={"hour": 15, "minute": 0})
    assert changed.status_code == 200
    assert changed.json()["message"] == "스케줄 '테스트_크롤링'이 수정되었습니다."
    assert changed.json()["schedule"]["hour"] == 15
    assert changed.json()["note"] == NOTE
    assert stored(api, "테스트_크롤링")["schedule"] == "<crontab: 0 15 * * 3 (m/h/dM/MY/d)>"

    deleted = api.delete(f"{PATH}/테스트_크롤링")
    assert deleted.status_code == 200
    assert deleted.json()["message"] == "스케줄 '테스트_크롤링'이 삭제되었습니다."
    assert set(deleted.json()) == {"message", "note"}
    assert api.get(PATH).json()["schedule"] == {}


def test_entries_are_redbeats_own(api: httpx2.Client, redis_url: str) -> None:
    create(api, day_of_week="MONTHLY_15", options={"expires": 60, "priority": 3}, kwargs={"job_type": "수동"})
    entry = RedBeatSchedulerEntry.from_key("redbeat:주간업데이트", app=celery_app)
    assert (entry.name, entry.task, entry.kwargs) == ("주간업데이트", ALL, {"job_type": "수동"})
    assert entry.options == {"expires": 60, "priority": 3}
    assert (entry.schedule.day_of_month, entry.schedule.hour) == ({15}, {6})
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        definition = json.loads(str(client.hget("redbeat:주간업데이트", "definition")))
    assert set(definition) == {"name", "task", "args", "kwargs", "options", "schedule", "enabled"}


def test_an_entry_saved_by_redbeat_is_listed_and_editable(api: httpx2.Client) -> None:
    RedBeatSchedulerEntry("임시_테스트", ALL, crontab(hour=16, minute=0, day_of_week=3), app=celery_app).save()
    assert stored(api, "임시_테스트")["schedule"] == "<crontab: 0 16 * * 3 (m/h/dM/MY/d)>"
    assert api.put(f"{PATH}/임시_테스트", json={"minute": 5}).status_code == 200
    assert stored(api, "임시_테스트")["schedule"] == "<crontab: 5 16 * * 3 (m/h/dM/MY/d)>"


def test_english_for_those_who_ask(api: httpx2.Client) -> None:
    english = {"Accept-Language": "en"}
    body = {"name": "weekly", "task": ALL, "hour": 6, "minute": 0}
    assert api.post(PATH, json=body, headers=english).json()["message"] == "Schedule 'weekly' was created."
    taken = api.post(PATH, json=body, headers=english)
    assert taken.json()["detail"] == "A schedule named 'weekly' already exists."
    assert api.delete(f"{PATH}/weekly", headers=english).json()["message"] == "Schedule 'weekly' was deleted."


def test_a_taken_name_is_400_and_changes_nothing(api: httpx2.Client) -> None:
    create(api)
    taken = create(api, hour=9)
    assert taken.status_code == 400
    assert taken.headers["content-type"] == "application/problem+json"
    assert taken.json()["detail"] == "'주간업데이트' 스케줄이 이미 존재합니다."
    assert stored(api)["schedule"] == "<crontab: 0 6 * * * (m/h/dM/MY/d)>"


def test_the_name_is_free_again_after_a_delete(api: httpx2.Client) -> None:
    create(api)
    api.delete(f"{PATH}/주간업데이트")
    assert create(api, hour=9).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_an_unknown_name_is_404(api: httpx2.Client, method: str) -> None:
    answer = api.request(method, f"{PATH}/없는것", json={"hour": 1} if method == "PUT" else None)
    assert answer.status_code == 404
    assert answer.json()["detail"] == "'없는것' 스케줄을 찾을 수 없습니다."
    assert api.get(PATH).json()["schedule"] == {}


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("a/b", "a%2Fb"),
        ("a/b", "a/b"),
        ("a b", "a%20b"),
        ("100%", "100%25"),
        ("%2F", "%252F"),
        ("a+b", "a+b"),
        ("한글 이름/하나?", "%ED%95%9C%EA%B8%80%20%EC%9D%B4%EB%A6%84%2F%ED%95%98%EB%82%98%3F"),
        ("x#y", "x%23y"),
        ("/", "%2F"),
        ("..", "%2E%2E"),
        ("a/../b", "a%2F..%2Fb"),
        ("👨‍👩‍👧", "%F0%9F%91%A8%E2%80%8D%F0%9F%91%A9%E2%80%8D%F0%9F%91%A7"),
    ],
)
def test_any_name_can_be_addressed(api: httpx2.Client, name: str, quoted: str) -> None:
    assert create(api, name=name).status_code == 200
    url = api.base_url.copy_with(raw_path=f"{PATH}/{quoted}".encode())
    assert api.get(url).json()["name"] == name
    assert api.put(url, json={"hour": 9}).status_code == 200
    assert stored(api, name)["schedule"] == "<crontab: 0 9 * * * (m/h/dM/MY/d)>"
    assert api.delete(url).status_code == 200


@pytest.mark.parametrize("name", ["", ":lock", ":schedule", ":statics", "a\nb", "a\x00b", "x" * 201])
def test_names_that_are_no_schedules_are_refused(api: httpx2.Client, redis_url: str, name: str) -> None:
    answer = create(api, name=name)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "name"
    with redis.Redis.from_url(redis_url) as client:
        assert not list(client.scan_iter("redbeat*"))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"hour": 24}, "hour"),
        ({"hour": 25}, "hour"),
        ({"hour": "14"}, "hour"),
        ({"minute": -1}, "minute"),
        ({"minute": 1.5}, "minute"),
        ({"day_of_week": "7"}, "day_of_week"),
        ({"day_of_week": "MON"}, "day_of_week"),
        ({"day_of_week": {"a": 1}}, "day_of_week"),
        ({"hour": 10**400}, "hour"),
        ({"unknown": 1}, "unknown"),
        ({"kwargs": {"no_such": 1}}, "args"),
        ({"options": {"queue": "celery"}}, "options"),
        ({"options": {"routing_key": "x"}}, "options"),
        ({"name": None}, "name"),
        ({"kwargs": {"x": "y" * 70_000}}, "kwargs"),
    ],
)
def test_bad_fields_are_422_with_a_sentence(api: httpx2.Client, body: dict[str, Any], field: str) -> None:
    for language in ("ko", "en"):
        answer = api.post(
            PATH,
            json={"name": "n", "task": ALL, "hour": 1, "minute": 2, **body},
            headers={"Accept-Language": language},
        )
        assert answer.status_code == 422, answer.text
        assert answer.json()["detail"]
        assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert api.get(PATH).json()["schedule"] == {}


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b'"x"', b"7", b"\xff\xfe", b'{"name": "\\ud800"}', b"[" * 100_000, b'{"hour": NaN}'],
)
def test_what_is_no_schedule_at_all_is_a_client_error(api: httpx2.Client, content: bytes) -> None:
    for method, path in (("POST", PATH), ("PUT", f"{PATH}/x"), ("POST", "/api/stats/refresh")):
        answer = api.request(method, path, content=content, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


def test_a_form_is_not_json(api: httpx2.Client) -> None:
    answer = api.post(PATH, content=b'{"name": "n"}', headers={"Content-Type": "text/plain"})
    assert answer.status_code == 422
    assert "application/json" in answer.json()["detail"]


def test_one_field_edits_keep_everything_else(api: httpx2.Client) -> None:
    create(api, day_of_week="QUARTERLY_15", description="분기", options={"expires": 7}, enabled=True)
    before = stored(api)
    api.put(f"{PATH}/주간업데이트", json={"hour": 8})
    after = stored(api)
    assert after["schedule"] == "<crontab: 0 8 15 1,4,7,10 * (m/h/dM/MY/d)>"
    for name in ("task", "options", "args", "kwargs", "enabled", "description"):
        assert after[name] == before[name]
    api.put(f"{PATH}/주간업데이트", json={"enabled": False})
    assert (stored(api)["enabled"], stored(api)["next_run_at"]) == (False, None)
    api.put(f"{PATH}/주간업데이트", json={"enabled": True})
    assert stored(api)["next_run_at"] == after["next_run_at"]


def test_a_put_that_changes_nothing_writes_nothing(api: httpx2.Client) -> None:
    create(api)
    for body in ({}, {"hour": 6}, {"hour": None}, {"name": "주간업데이트"}):
        assert api.put(f"{PATH}/주간업데이트", json=body).status_code == 200
    assert api.get(f"{PATH}/주간업데이트").json()["revision"] == 1


def test_one_schedule_shows_its_next_runs(api: httpx2.Client) -> None:
    create(api, day_of_week=[1, 3])
    shown = api.get(f"{PATH}/주간업데이트").json()
    assert len(shown["next_runs"]) == 10
    assert shown["next_runs"][0] == shown["next_run_at"]
    assert shown["next_runs"] == sorted(shown["next_runs"])
    assert (shown["hour"], shown["minute"], shown["day_of_week"]) == (6, 0, "1,3")
    assert (shown["timezone"], shown["last_run_at"], shown["changed_by"]) == ("Asia/Seoul", None, "127.0.0.1")


def test_a_rule_that_the_old_form_cannot_say_is_shown_as_text(api: httpx2.Client) -> None:
    ScheduleStore(celery_app).put(ScheduleSpec(name="often", task=ALL, recurrence=Interval(seconds=90)))
    assert stored(api, "often")["schedule"] == "90초마다"
    assert api.get(f"{PATH}/often").json()["hour"] is None
    assert api.put(f"{PATH}/often", json={"hour": 3}).status_code == 422


def test_methods_and_paths_that_are_none(api: httpx2.Client) -> None:
    assert api.patch(PATH).status_code == 405
    assert api.get("/api/scheduler/nothing").status_code == 404
    for answer in (api.patch(PATH), api.get("/api/scheduler/nothing")):
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_schedule_whose_task_is_no_task_of_ours_is_told_and_stays(api: httpx2.Client) -> None:
    RedBeatSchedulerEntry("theirs", "somewhere.else", crontab(minute=0, hour=6), app=celery_app).save()
    refused = api.put("/api/scheduler/schedule/theirs", json={"hour": 7})
    assert refused.status_code == 422
    assert "somewhere.else" in refused.json()["detail"]
    assert api.get("/api/scheduler/schedule/theirs").json()["hour"] == 6
