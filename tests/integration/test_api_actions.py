"""Pause, resume, trigger and backfill of a schedule by REST, and the load of what is to come."""

import json
from typing import Any

import httpx2
import pytest
import redis

from app.core.celery_app import celery_app
from livebeat import Backfills
from livebeat.backfill.record import MOST

pytest_plugins = ["support.api"]
pytestmark = pytest.mark.timeout(90)

ALL = "app.tasks.scheduler.crawl_all_complexes"
PATH = "/api/scheduler/schedule"
ENGLISH = {"Accept-Language": "en"}
HOURLY = {"kind": "cron", "expression": "0 * * * *", "timezone": "UTC"}
RANGE = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-01T05:00:00Z"}


def create(api: httpx2.Client, name: str = "n", **more: Any) -> None:
    answer = api.post(PATH, json={"name": name, "task": ALL, "recurrence": HOURLY, **more})
    assert answer.status_code == 200, answer.text


def raw(api: httpx2.Client, path: str) -> httpx2.URL:
    return api.base_url.copy_with(raw_path=f"{PATH}/{path}".encode())


def queued(redis_url: str) -> list[dict[str, Any]]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        return [json.loads(text)["headers"] for text in client.lrange("crawl", 0, -1)]


def test_a_pause_with_a_note_and_an_end(api: httpx2.Client) -> None:
    create(api)
    paused = api.post(f"{PATH}/n/pause", json={"note": "공사 중", "until": "2100-01-01T00:00:00+09:00"})
    assert paused.status_code == 200
    assert paused.json()["message"] == "스케줄 'n'이 일시정지되었습니다."
    found = api.get(f"{PATH}/n").json()
    assert (found["enabled"], found["next_run_at"]) == (False, None)
    pause = found["pause"]
    assert (pause["note"], pause["until"], pause["by"]) == ("공사 중", "2099-12-31T15:00:00Z", "127.0.0.1")
    resumed = api.post(f"{PATH}/n/resume", headers=ENGLISH)
    assert resumed.json()["message"] == "Schedule 'n' runs again."
    assert (resumed.json()["schedule"]["pause"], resumed.json()["schedule"]["enabled"]) == (None, True)
    assert api.get(f"{PATH}/n").json()["next_run_at"]


def test_a_pause_needs_no_body(api: httpx2.Client) -> None:
    create(api)
    assert api.post(f"{PATH}/n/pause").status_code == 200
    assert api.post(f"{PATH}/n/pause", json={}).status_code == 200
    assert api.get(f"{PATH}/n").json()["revision"] == 2


@pytest.mark.parametrize("body", [{"until": "2020-01-01T00:00:00Z"}, {"until": "soon"}, {"note": 1}, {"why": "x"}, []])
def test_a_pause_that_can_not_be(api: httpx2.Client, body: Any) -> None:
    create(api)
    assert api.post(f"{PATH}/n/pause", json=body).status_code == 422
    assert api.get(f"{PATH}/n").json()["enabled"]


def test_a_trigger_sends_one_run_and_moves_nothing(api: httpx2.Client, redis_url: str) -> None:
    create(api, kwargs={"job_type": "x"})
    before = api.get(f"{PATH}/n").json()
    sent = api.post(f"{PATH}/n/trigger")
    assert sent.status_code == 200
    (headers,) = queued(redis_url)
    assert (headers["id"], headers["livebeat_kind"]) == (sent.json()["task_id"], "trigger")
    assert api.get(f"{PATH}/n").json() == before


def test_a_trigger_beside_a_run_that_allows_no_second_is_409(api: httpx2.Client, redis_url: str) -> None:
    create(api, overlap="skip")
    first = api.post(f"{PATH}/n/trigger").json()["task_id"]
    refused = api.post(f"{PATH}/n/trigger", headers=ENGLISH)
    assert refused.status_code == 409
    assert first in refused.json()["detail"]
    assert len(queued(redis_url)) == 1


@pytest.mark.parametrize("action", ["pause", "resume", "trigger", "preview", "backfill"])
def test_what_is_not_there_is_404(api: httpx2.Client, action: str) -> None:
    answer = api.post(f"{PATH}/none/{action}", json=RANGE if action == "backfill" else {})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert api.get(f"{PATH}/none/backfill").status_code == 404


@pytest.mark.parametrize("name", ["a/pause", "a/b", "한글 이름", "pause", "%2F"])
def test_a_name_is_the_path_up_to_the_last_slash(api: httpx2.Client, name: str) -> None:
    create(api, name)
    create(api, "a")
    quoted = "".join(f"%{byte:02X}" for byte in name.encode())
    assert api.post(raw(api, f"{quoted}/pause")).status_code == 200
    assert api.get(raw(api, quoted)).json()["enabled"] is False
    assert api.get(f"{PATH}/a").json()["enabled"] is True
    assert api.post(raw(api, f"{quoted}/backfill"), json={**RANGE, "dry_run": True}).json()["name"] == name
    assert api.get(raw(api, f"{quoted}/backfill")).json() == {"backfills": []}


def test_a_backfill_from_its_dry_run_to_its_end(api: httpx2.Client, redis_url: str) -> None:
    create(api, enabled=False)
    planned = api.post(f"{PATH}/n/backfill", json={**RANGE, "dry_run": True})
    assert planned.status_code == 200
    assert (planned.json()["total"], planned.json()["id"], planned.json()["state"]) == (6, None, "planned")
    assert planned.json()["slots"][0] == "2026-11-01T00:00:00Z"
    assert api.get(f"{PATH}/n/backfill").json() == {"backfills": []}
    started = api.post(f"{PATH}/n/backfill", json={**RANGE, "rate": 1000, "overlap": "allow"})
    assert started.status_code == 202
    where = f"/api/scheduler/backfills/{started.json()['id']}"
    assert (started.json()["state"], started.json()["by"]) == ("running", "127.0.0.1")
    while api.get(where).json()["sent"] < 6:
        Backfills(celery_app).work()
    assert [headers["livebeat_slot"][11:13] for headers in reversed(queued(redis_url))] == [
        "00",
        "01",
        "02",
        "03",
        "04",
        "05",
    ]
    assert api.get(f"{PATH}/n/backfill").json()["backfills"] == [api.get(where).json()]
    cancelled = api.delete(where, headers=ENGLISH).json()
    assert (cancelled["state"], cancelled["reason"]) == ("cancelled", "cancelled by 127.0.0.1")
    assert "취소" in api.get(where).json()["reason"]
    assert api.delete(where).status_code == 200


def test_a_backfill_that_nobody_started(api: httpx2.Client) -> None:
    for method in ("GET", "DELETE"):
        answer = api.request(method, "/api/scheduler/backfills/nobody", headers=ENGLISH)
        assert answer.status_code == 404
        assert "no backfill nobody" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"start": None}, "start"),
        ({"end": "2026-11-01"}, "end"),
        ({"end": "2026-10-01T00:00:00Z"}, "end"),
        ({"start": "2026-11-01T00:10:00Z", "end": "2026-11-01T00:20:00Z"}, "start"),
        ({"end": "2100-11-01T00:00:00Z"}, "end"),
        ({"rate": 0}, "rate"),
        ({"rate": "1"}, "rate"),
        ({"overlap": "skip"}, "overlap"),
        ({"more": 1}, "more"),
    ],
)
def test_a_backfill_that_can_not_be(api: httpx2.Client, body: dict[str, Any], field: str) -> None:
    create(api)
    answer = api.post(f"{PATH}/n/backfill", json={**RANGE, **body})
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert api.get(f"{PATH}/n/backfill").json() == {"backfills": []}


def test_a_backfill_of_too_much_says_so(api: httpx2.Client) -> None:
    create(api, recurrence={"kind": "interval", "every": 1, "anchor": "2026-01-01T00:00:00+00:00"})
    answer = api.post(f"{PATH}/n/backfill", json={**RANGE, "end": "2026-11-30T00:00:00Z"}, headers=ENGLISH)
    assert answer.status_code == 422
    assert f"more than {MOST:,} slots" in answer.json()["detail"]


def test_the_load_of_a_day(api: httpx2.Client) -> None:
    for name in ("a", "b", "c"):
        create(api, name)
    times = {"from": "2030-11-01T00:00:00+00:00", "to": "2030-11-02T00:00:00+00:00"}
    found = api.get("/api/scheduler/load", params={**times, "bucket": 3600, "crowd": 2})
    assert found.status_code == 200, found.text
    assert (found.json()["total"], found.json()["counts"]) == (72, [3] * 24)
    assert found.json()["crowds"][0] == {"at": "2030-11-01T00:00:00Z", "starts": 3}
    assert {each["name"] for each in found.json()["suggestions"]} == {"a", "b", "c"}


def test_the_load_of_the_next_day_where_nothing_is_said(api: httpx2.Client) -> None:
    create(api)
    found = api.get("/api/scheduler/load").json()
    assert (found["bucket"], len(found["counts"]), found["total"]) == (600, 144, 24)
    assert (found["crowds"], found["suggestions"]) == ([], [])


@pytest.mark.parametrize(
    "query",
    ["from=soon", "from=2030-11-02T00:00:00Z&to=2030-11-01T00:00:00Z", "bucket=0", "bucket=x", "crowd=0",
     "from=2030-01-01T00:00:00Z&to=2031-01-01T00:00:00Z", "from=2030-01-01T00:00:00Z&to=2030-01-31T00:00:00Z&bucket=1"],
)  # fmt: skip
def test_a_load_that_can_not_be(api: httpx2.Client, query: str) -> None:
    answer = api.get(f"/api/scheduler/load?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"]


def test_the_plus_of_an_offset_may_stand_bare_in_a_query(api: httpx2.Client) -> None:
    url = api.base_url.copy_with(raw_path=b"/api/scheduler/load?from=2030-11-01T09:00:00+09:00&to=2030-11-02T00:00:00Z")
    assert len(api.get(url).json()["counts"]) == 144
