"""Statistics refreshed on request: one in flight a user, and a state that can be asked for at every moment."""

import uuid
from typing import Any

import httpx2
import pytest
import redis

from app.core.celery_app import celery_app
from app.domains.velog.models import User
from app.history.services import record_events
from livebeat.connection import link
from livebeat.events import EventReader, emit
from support.news import event

pytest_plugins = ["support.api"]

PATH = "/api/stats/refresh"


@pytest.fixture
def user(api: httpx2.Client) -> int:
    made = User.objects.create(velog_uuid=uuid.uuid4(), access_token="a", refresh_token="r", username="누구")
    return int(made.pk)


def ask(api: httpx2.Client, user: Any) -> httpx2.Response:
    return api.post(PATH, json={"userId": user})


def record() -> None:
    of = link(celery_app)
    reader = EventReader(of.client, of.keys, "test", "test")
    reader.register()
    record_events(reader.read(200, 1))


@pytest.mark.parametrize("form", [int, str])
def test_a_request_is_accepted_and_can_be_followed(api: httpx2.Client, user: int, form: type) -> None:
    accepted = ask(api, form(user))
    assert accepted.status_code == 202
    body = accepted.json()
    assert body == {
        "requestId": body["requestId"],
        "status": "queued",
        "userId": user,
        "message": "통계 새로고침 요청이 성공적으로 등록되었습니다.",
    }
    followed = f"{PATH}/{body['requestId']}"
    unrecorded = api.get(followed).json()
    record()
    recorded = api.get(followed).json()
    for state in (unrecorded, recorded):
        assert (state["requestId"], state["status"], state["attempt"]) == (body["requestId"], "queued", 0)
        assert (state["userId"], state["finishedAt"], state["reason"]) == (user, None, None)
    assert recorded["requestedAt"] is not None


def test_the_message_lies_on_the_stats_queue_once(api: httpx2.Client, user: int, redis_url: str) -> None:
    first = ask(api, user).json()["requestId"]
    second = ask(api, user)
    assert second.status_code == 409
    assert second.json()["requestId"] == first
    assert second.json()["message"] == second.json()["detail"] == "이미 통계 새로고침이 진행 중입니다."
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("stats") == 1


@pytest.mark.parametrize(
    "body", [{}, {"userId": 0}, {"userId": -1}, {"userId": "x"}, {"userId": True}, {"userId": 1.5}]
)
def test_nonsense_is_422(api: httpx2.Client, body: dict[str, Any]) -> None:
    answer = api.post(PATH, json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "userId"


@pytest.mark.parametrize("user", [10**30, "9" * 19, "9" * 5000, "١", None])
def test_ids_that_no_database_has_are_refused(api: httpx2.Client, user: Any) -> None:
    assert ask(api, user).status_code in {404, 422}


def test_an_unknown_or_inactive_user_is_404(api: httpx2.Client, user: int) -> None:
    answer = ask(api, user + 1)
    assert answer.status_code == 404
    assert str(user + 1) in answer.json()["detail"]
    User.objects.update(is_active=False)
    assert ask(api, user).status_code == 404


def test_how_it_ended_and_why(api: httpx2.Client) -> None:
    data: dict[str, Any] = {
        "task": "app.tasks.stats.refresh_user_stats",
        "schedule": None,
        "slot": None,
        "kind": "send",
    }
    record_events(
        [
            event("run.queued", 0, run="req", unique="stats-refresh:123", **data),
            event("run.started", 1, run="req", worker="w", **data),
            event("run.failed", 3, run="req", error_class="TokensRejectedError", error="토큰 만료", **data),
        ]
    )
    assert api.get(f"{PATH}/req").json() == {
        "requestId": "req",
        "userId": 123,
        "status": "failed",
        "requestedAt": "2026-11-22T06:00:00Z",
        "startedAt": "2026-11-22T06:00:01Z",
        "finishedAt": "2026-11-22T06:00:03Z",
        "attempt": 1,
        "reason": "토큰 만료",
        "result": None,
    }


def test_an_end_that_is_not_recorded_yet_is_told_all_the_same(api: httpx2.Client) -> None:
    of = link(celery_app)
    data = {"run": "quick", "task": "app.tasks.stats.refresh_user_stats", "kind": "send"}
    emit(of.client, of.keys, "run.queued", {**data, "attempt": 0, "unique": "stats-refresh:5"})
    of.client.xadd(of.keys.events, {"type": "run.failed", "data": '{"run": "quick"'})  # broken: passed over
    emit(of.client, of.keys, "run.failed", {**data, "attempt": 1, "error": "why"})
    state = api.get(f"{PATH}/quick").json()
    assert (state["status"], state["reason"], state["userId"]) == ("failed", "why", 5)


@pytest.mark.parametrize("request_id", ["nobody", "%00", "%FF", "x" * 3000, "..%2F.."])
def test_an_unknown_request_is_404(api: httpx2.Client, request_id: str) -> None:
    assert api.get(api.base_url.copy_with(raw_path=f"{PATH}/{request_id}".encode())).status_code == 404


def test_another_tasks_run_is_no_request(api: httpx2.Client) -> None:
    record_events([event("run.queued", run="crawl")])
    assert api.get(f"{PATH}/crawl").status_code == 404
