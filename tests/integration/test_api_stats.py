"""Statistics refreshed on request: one in flight a user, and a state that can be asked for at every moment."""

import uuid
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
import redis

from app.api import refreshes
from app.core.celery_app import celery_app
from app.core.settings import get_settings
from app.domains.velog.models import Post, PostDailyStatistics, User
from app.domains.velog.requests import TASK
from app.history.services import record_events
from livebeat import Run, clock
from livebeat.connection import link
from livebeat.delivery import Ledger
from livebeat.events import EventReader, emit
from support.news import event
from support.refreshes import new_id, told

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
    assert second.json()["lastFinishedAt"] is None
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


def test_one_under_way_says_when_the_last_one_ended(api: httpx2.Client, user: int) -> None:
    record_events(told(new_id(), user, "queued", "started", "failed", ago=3600))
    ask(api, user)
    ended = datetime.fromisoformat(ask(api, user).json()["lastFinishedAt"])
    assert timedelta(minutes=59) < clock.now() - ended < timedelta(minutes=60)


def test_what_was_refreshed_a_moment_ago_is_not_refreshed_again(api: httpx2.Client, user: int) -> None:
    record_events(told(new_id(), user, "queued", "started", "succeeded", ago=14 * 60, result={"failed_posts": 0}))
    answer = ask(api, user)
    assert (answer.status_code, answer.json()["message"]) == (409, "통계가 최신 상태입니다.")
    assert clock.now() - datetime.fromisoformat(answer.json()["lastUpdatedAt"]) < timedelta(minutes=14)
    english = api.post(PATH, json={"userId": user}, headers={"Accept-Language": "en"}).json()
    assert english["detail"] == "The statistics are up to date."


@pytest.mark.parametrize(
    ("end", "ago", "result"),
    [("failed", 60, None), ("succeeded", 16 * 60, {"failed_posts": 0}), ("succeeded", 60, {"failed_posts": 1})],
    ids=["failed", "long ago", "not all posts"],
)
def test_what_is_not_up_to_date_is_refreshed(
    api: httpx2.Client, user: int, end: str, ago: float, result: dict[str, int] | None
) -> None:
    record_events(told(new_id(), user, "queued", "started", end, ago=ago, result=result))
    assert ask(api, user).status_code == 202


def test_what_the_old_consumer_wrote_counts_as_it_did_there(api: httpx2.Client, user: int) -> None:
    post = Post.objects.create(post_uuid=uuid.uuid4(), user_id=user, title="t")
    row = PostDailyStatistics.objects.create(post=post, date=clock.now())
    assert ask(api, user).status_code == 409
    PostDailyStatistics.objects.filter(pk=row.pk).update(run_id="a run of ours, which failed later")
    assert ask(api, user).status_code == 202


def test_the_time_is_a_setting(api: httpx2.Client, user: int, monkeypatch: pytest.MonkeyPatch) -> None:
    record_events(told(new_id(), user, "queued", "started", "succeeded"))
    never = get_settings().model_copy(update={"stats_up_to_date_minutes": 0.0})
    monkeypatch.setattr(refreshes, "get_settings", lambda: never)
    assert ask(api, user).status_code == 202


def test_a_users_requests_newest_first_in_pages(api: httpx2.Client, user: int) -> None:
    ids = [new_id() for _ in range(5)]
    for number, run in enumerate(ids):
        record_events(told(run, user, "queued", "started", "failed", ago=1000 - number * 10))
    record_events(told(new_id(), user + 1, "queued"))
    first = api.get(PATH, params={"userId": user, "limit": 3}).json()
    rest = api.get(PATH, params={"userId": user, "limit": 3, "cursor": first["next"]}).json()
    assert [each["requestId"] for each in [*first["items"], *rest["items"]]] == ids[::-1]
    assert rest["next"] is None
    assert len(api.get(PATH).json()["items"]) == 6
    assert len(api.get(PATH, params={"status": "queued"}).json()["items"]) == 1
    for query in ("userId=0", "userId=x", "status=x", "limit=0", "cursor=x"):
        assert api.get(f"{PATH}?{query}").status_code == 422


def test_a_success_says_how_many_posts_failed(api: httpx2.Client) -> None:
    record_events(told("part", 5, "queued", "started", "succeeded", result={"failed_posts": 2, "posts": 9}))
    state = api.get(f"{PATH}/part").json()
    assert (state["status"], state["failedPosts"], state["code"]) == ("succeeded", 2, None)


def test_what_runs_is_ahead_of_its_row(api: httpx2.Client, user: int) -> None:
    request = ask(api, user).json()["requestId"]
    record()
    ledger = Ledger(link(celery_app))
    ledger.claim(Run(request, TASK), "owner", "worker")
    state = api.get(f"{PATH}/{request}").json()
    assert (state["status"], state["attempt"], state["userId"]) == ("running", 1, user)
    ledger.finish(Run(request, TASK), "owner", 1, "run.failed", error="why")
    state = api.get(f"{PATH}/{request}").json()  # recorded as queued, not in the ledger any more
    assert (state["status"], state["reason"]) == ("failed", "why")


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
        "kind": "send",
        "progress": None,
        "reason": "토큰 만료",
        "code": "tokens_rejected",
        "advice": "대시보드에 다시 로그인하세요.",
        "result": None,
        "failedPosts": None,
    }
    english = api.get(f"{PATH}/req", headers={"Accept-Language": "en"}).json()
    assert english["advice"] == "Sign in to the dashboard again."


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
