"""The stats refresh looked at: its queue, its failures, its figures, one user's last result."""

from typing import Any

import httpx2
import pytest

from app.api import refresh_figures
from app.core.celery_app import celery_app
from app.domains.velog.requests import TASK
from app.history.services import record_events
from livebeat import Run
from livebeat.connection import link
from livebeat.delivery import Ledger
from livebeat.keys import Keys
from support.platform_processes import platform_environment, start
from support.refreshes import make_user, new_id, told
from support.waiting import wait_until

pytest_plugins = ["support.api"]

STATS = "/api/stats"


def ask(api: httpx2.Client) -> str:
    request: str = api.post(f"{STATS}/refresh", json={"userId": make_user()}).json()["requestId"]
    return request


def failed(end: str = "failed", *, ago: float = 600, user: int | None = None, **more: Any) -> str:
    run = new_id()
    record_events(told(run, user or make_user(), "queued", "started", end, ago=ago, **more))
    return run


def test_the_queue_is_empty(api: httpx2.Client) -> None:
    nothing = {"waiting": 0, "running": 0, "retrying": 0, "oldestWaitingSeconds": None, "oldestSeconds": None}
    assert api.get(f"{STATS}/queue").json() == nothing


def test_the_queue_counts_what_waits_runs_and_waits_again(api: httpx2.Client) -> None:
    requests = [ask(api) for _ in range(4)]
    ledger = Ledger(link(celery_app))
    for request in requests[:2]:
        ledger.claim(Run(request, TASK), "owner", "worker")
    ledger.release(Run(requests[1], TASK), "owner", 1, after=3600)
    keys, client = Keys(), link(celery_app).client
    for request, age in ((requests[0], 70), (requests[2], 50), (requests[3], 10)):
        client.hset(keys.run(request), "accepted_at", link(celery_app).now().timestamp() - age)
    queue = api.get(f"{STATS}/queue").json()
    assert (queue["waiting"], queue["running"], queue["retrying"]) == (2, 1, 1)
    assert 50 <= queue["oldestWaitingSeconds"] < 55
    assert 70 <= queue["oldestSeconds"] < 75


def test_the_queue_passes_over_what_ended_while_it_was_read(api: httpx2.Client) -> None:
    ask(api)
    link(celery_app).client.hset(Keys().unique, "stats-refresh:77", "a run that is gone")
    link(celery_app).client.hset(Keys().unique, "crawl:1", "another task's")
    assert api.get(f"{STATS}/queue").json()["waiting"] == 1


def test_failures_with_their_reasons_in_pages(api: httpx2.Client) -> None:
    user = make_user()
    first = failed(error_class="TokensRejectedError", error="expired", ago=500, user=user)
    lost = failed("lost", ago=400)
    record_events(told(new_id(), make_user(), "queued", "started", "succeeded"))
    later = failed(error_class="KeyError", error="'posts'", ago=300, user=user)
    page = api.get(f"{STATS}/failures", params={"limit": 2}, headers={"Accept-Language": "en"}).json()
    rest = api.get(f"{STATS}/failures", params={"limit": 2, "cursor": page["next"]}).json()
    items = [*page["items"], *rest["items"]]
    assert [item["requestId"] for item in items] == [later, lost, first]
    assert [item["code"] for item in items] == ["unexpected", "lost", "tokens_rejected"]
    assert [item["retryable"] for item in items] == [True, True, False]  # the user asked again
    assert items[0]["reason"] == "'posts'"
    assert items[0]["advice"] == "Ask the operator; the log says more."
    assert items[2]["advice"] == "대시보드에 다시 로그인하세요."
    assert [item["requestId"] for item in api.get(f"{STATS}/failures?code=lost").json()["items"]] == [lost]
    assert api.get(f"{STATS}/failures?status=lost&code=unexpected").json()["items"] == []
    for query in ("status=succeeded", "code=A%00", "cursor=x", "limit=201"):
        assert api.get(f"{STATS}/failures?{query}").status_code == 422


def test_figures(api: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for end, error_class in (("succeeded", None), ("succeeded", None), ("failed", "TokensRejectedError")):
        failed(end, error_class=error_class)
    failed("lost")
    failed("cancelled")
    failed(ago=30 * 3600, error_class="KeyError")
    ask(api)
    refresh_figures.workers_uptime.forget()
    told_ = api.get(f"{STATS}/figures").json()
    assert {name: told_[name] for name in ("hours", "processed", "succeeded", "failed", "cancelled")} == {
        "hours": 24,
        "processed": 4,
        "succeeded": 2,
        "failed": 2,
        "cancelled": 1,
    }
    assert told_["reasons"] == {"tokens_rejected": 1, "lost": 1}
    assert (told_["uptimeSeconds"], told_["workers"]) == (0.0, [])
    assert told_["queue"]["waiting"] == 1
    assert api.get(f"{STATS}/figures?hours=48").json()["failed"] == 3
    assert api.get(f"{STATS}/figures?hours=0").status_code == 422


@pytest.mark.timeout(90)
def test_figures_say_since_when_the_workers_of_the_queue_run(api: httpx2.Client, tmp_path: Any) -> None:
    with start("consumer", platform_environment(tmp_path), "-n", "stats-1@here") as worker:
        worker.wait_for_line("ready", 40)

        def workers() -> list[dict[str, Any]]:
            refresh_figures.workers_uptime.forget()
            found: list[dict[str, Any]] = api.get(f"{STATS}/figures", timeout=10).json()["workers"]
            return found

        (found,) = wait_until(workers, 20, "the worker's uptime")
        assert found["name"] == "stats-1@here"
        assert 0 <= found["uptimeSeconds"] < 60


def test_a_users_last_result(api: httpx2.Client) -> None:
    user = make_user(username="누구")
    blank = api.get(f"{STATS}/users/{user}").json()
    assert blank == {
        "userId": user,
        "username": "누구",
        "isActive": True,
        "underWay": None,
        "last": None,
        "lastSucceededAt": None,
        "upToDateSince": None,
    }
    record_events(told(new_id(), user, "queued", "started", "succeeded", ago=3600, result={"failed_posts": 0}))
    last = failed(user=user, error_class="RateLimitedError", error="slow down")
    request = api.post(f"{STATS}/refresh", json={"userId": user}).json()["requestId"]
    state = api.get(f"{STATS}/users/{user}").json()
    assert (state["underWay"], state["last"]["requestId"], state["last"]["code"]) == (request, last, "rate_limited")
    assert state["lastSucceededAt"] is not None
    assert state["upToDateSince"] is None


@pytest.mark.parametrize("user", ["0", "-1", "99999999", "9" * 30])
def test_an_unknown_user_is_404(api: httpx2.Client, user: str) -> None:
    answer = api.get(f"{STATS}/users/{user}")
    assert answer.status_code == 404
    assert user in answer.json()["detail"]


def test_the_forms_are_in_the_openapi_document(api: httpx2.Client) -> None:
    document = api.get("/openapi.json").json()
    assert set(document["components"]["schemas"]) >= {"RefreshForm", "RetryForm"}
    needs = {path: {m: op["x-livebeat-needs"] for m, op in ops.items()} for path, ops in document["paths"].items()}
    assert needs["/api/stats/refresh/{request_id}"] == {"get": "viewer", "delete": "operator"}
    assert needs["/api/stats/refresh/{request_id}/retry"] == {"post": "operator"}
    assert needs["/api/stats/failures/retry"] == {"post": "operator"}
    assert needs["/api/stats-refresh"] == {"post": "operator"}
