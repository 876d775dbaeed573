"""`POST /api/stats-refresh` as a front end of the Node API calls it: its four answers, word by word."""

import re

import httpx2
import pytest

from app.access.scopes import Scope
from app.access.services import issue
from app.api import refreshes
from app.core.celery_app import celery_app
from app.history.services import record_events
from livebeat import run_state
from support.access import bearer
from support.refreshes import make_user, new_id, told

pytest_plugins = ["support.api"]

PATH = "/api/stats-refresh"


@pytest.fixture
def user(api: httpx2.Client) -> int:
    return make_user()


def ask(api: httpx2.Client, user: object, **headers: str) -> httpx2.Response:
    return api.post(PATH, json={"userId": user}, headers=headers)


def test_accepted_then_under_way(api: httpx2.Client, user: int) -> None:
    answer = ask(api, user)
    assert answer.status_code == 202
    assert answer.json() == {
        "success": True,
        "message": "통계 새로고침 요청이 성공적으로 등록되었습니다.",
        "data": {},
        "error": None,
    }
    where = answer.headers["location"]
    assert api.get(where).json()["userId"] == user
    assert run_state(celery_app, where.rsplit("/", 1)[1]) is not None

    again = ask(api, str(user))
    assert again.status_code == 409
    assert again.json() == {
        "success": False,
        "message": "이미 통계 새로고침이 진행 중입니다.",
        "data": {},
        "error": None,
    }
    assert again.headers["location"] == where


def test_up_to_date(api: httpx2.Client, user: int) -> None:
    record_events(told(new_id(), user, "queued", "started", "succeeded", result={"failed_posts": 0}))
    answer = ask(api, user)
    assert answer.status_code == 409
    body = answer.json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body["data"].pop("lastUpdatedAt"))
    assert body == {"success": False, "message": "통계가 최신 상태입니다.", "data": {}, "error": None}


def test_an_english_reader_reads_english(api: httpx2.Client, user: int) -> None:
    assert (
        ask(api, user, **{"Accept-Language": "en"}).json()["message"] == "The refresh of the statistics was accepted."
    )


def test_a_redis_that_is_away_has_the_old_members(api: httpx2.Client, user: int, absent_redis: None) -> None:
    answer = ask(api, user)
    assert answer.status_code == 503
    body = answer.json()
    assert (body["success"], body["data"], body["error"]) == (False, {}, "unavailable")
    assert body["message"] == body["detail"] == "Redis에 연결할 수 없습니다. 잠시 후 다시 시도하세요."
    assert answer.headers["retry-after"] == "2"


def test_what_else_goes_wrong_has_the_old_members(
    api: httpx2.Client, user: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for body, status in (({}, 422), ({"userId": user + 1}, 404)):
        answer = api.post(PATH, json=body)
        assert answer.status_code == status
        assert (answer.json()["success"], answer.json()["data"]) == (False, {})
        assert answer.json()["message"] == answer.json()["detail"]
    assert "success" not in api.post("/api/stats/refresh", json={}).json()  # ours alone
    monkeypatch.setattr(refreshes, "send_refresh", lambda user: 1 / 0)
    answer = ask(api, user)
    assert (answer.status_code, answer.json()["message"]) == (500, "서버 내부 에러가 발생하였습니다.")
    assert answer.json()["success"] is False


def test_who_may_ask_shows_a_key(api: httpx2.Client, user: int) -> None:
    key, weak = issue("front", Scope.OPERATOR)[1], issue("reader", Scope.VIEWER)[1]
    refused = ask(api, user)
    assert (refused.status_code, refused.json()["success"]) == (401, False)
    assert ask(api, user, **bearer(weak)).status_code == 403
    assert ask(api, user, **bearer(key)).status_code == 202
