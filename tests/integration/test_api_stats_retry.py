"""Requests asked for again, and called off: what failed once more, what waits at once, nothing twice."""

import os
from typing import Any

import httpx2
import pytest

from app.core.celery_app import celery_app
from app.domains.velog.models import User
from app.domains.velog.requests import TASK, unique_key
from app.history.services import record_events
from livebeat import Run, run_state
from livebeat.connection import link
from livebeat.delivery import Ledger
from livebeat.delivery.dead import dead_messages
from support.refreshes import make_user, new_id, told
from support.runs import ended

pytest_plugins = ["support.api"]

PATH = "/api/stats/refresh"
RETRY_ALL = "/api/stats/failures/retry"


@pytest.fixture
def user(api: httpx2.Client) -> int:
    return make_user()


def failed(user: int, end: str = "failed", *, ago: float = 600, **more: Any) -> str:
    run = new_id()
    record_events(told(run, user, "queued", "started", end, ago=ago, **more))
    return run


def retry(api: httpx2.Client, request: str) -> httpx2.Response:
    return api.post(f"{PATH}/{request}/retry")


@pytest.mark.parametrize("end", ["failed", "lost", "cancelled", "expired"])
def test_what_failed_is_asked_for_again(api: httpx2.Client, user: int, end: str) -> None:
    first = failed(user, end)
    answer = retry(api, first)
    assert answer.status_code == 202
    told_ = answer.json()
    assert (told_["retryOf"], told_["userId"], told_["status"]) == (first, user, "queued")
    live = run_state(celery_app, told_["requestId"])
    assert live is not None
    assert (live.run.task, live.unique) == (TASK, unique_key(user))


def test_a_lost_one_is_not_run_by_livebeat_dead_as_well(api: httpx2.Client, user: int) -> None:
    of, ledger = link(celery_app), Ledger(link(celery_app))
    request = api.post(PATH, json={"userId": user}).json()["requestId"]
    entry = ledger.read(request)
    assert entry is not None
    assert ledger.end(entry, "run.lost", error="its workers vanished")
    assert [dead.id for dead in dead_messages(of)] == [request]
    assert retry(api, request).status_code == 202
    assert list(dead_messages(of)) == []


@pytest.mark.parametrize("kinds", [("queued",), ("queued", "started"), ("queued", "started", "succeeded")])
def test_what_did_not_fail_is_not(api: httpx2.Client, user: int, kinds: tuple[str, ...]) -> None:
    run = new_id()
    record_events(told(run, user, *kinds))
    answer = retry(api, run)
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("request-not-failed")


def test_what_is_under_way_by_the_ledger_is_not(api: httpx2.Client, user: int) -> None:
    request = api.post(PATH, json={"userId": user}).json()["requestId"]
    assert retry(api, request).json()["requestStatus"] == "queued"


def test_the_later_request_of_the_user_counts(api: httpx2.Client, user: int) -> None:
    first, second = failed(user, ago=900), failed(user, ago=600)
    answer = retry(api, first)
    assert (answer.status_code, answer.json()["requestId"]) == (409, second)
    third = retry(api, second).json()["requestId"]
    answer = retry(api, second)  # not recorded yet: the ledger knows
    assert (answer.status_code, answer.json()["requestId"]) == (409, third)


def test_a_user_who_is_gone_is_404(api: httpx2.Client, user: int) -> None:
    request = failed(user)
    User.objects.all().delete()
    assert retry(api, request).status_code == 404
    assert retry(api, "nobody").status_code == 404


def test_all_that_failed_first_shown_then_done_once(api: httpx2.Client) -> None:
    users = [make_user() for _ in range(4)]
    tokens = failed(users[0], error_class="TokensRejectedError")
    overtaken = failed(users[1], ago=900)
    later = failed(users[1], ago=600)
    record_events(told(new_id(), users[2], "queued", "started", "succeeded"))
    lost = failed(users[3], "lost")

    shown = api.post(RETRY_ALL, json={}).json()
    assert (shown["dryRun"], shown["matching"], shown["more"]) == (True, 3, False)
    assert {each["requestId"] for each in shown["requests"]} == {tokens, later, lost}
    assert link(celery_app).client.llen("stats") == 0

    done = api.post(RETRY_ALL, json={"dryRun": False}).json()
    assert {each["retryOf"] for each in done["retried"]} == {tokens, later, lost}
    assert overtaken not in str(done)
    assert link(celery_app).client.llen("stats") == 3
    again = api.post(RETRY_ALL, json={"dryRun": False}).json()  # nothing was recorded in between
    assert (again["retried"], len(again["refused"])) == ([], 3)
    assert {each["outcome"] for each in again["refused"]} == {"under_way"}
    assert link(celery_app).client.llen("stats") == 3


@pytest.mark.parametrize(
    ("filter_", "matching"),
    [
        ({"code": "tokens_rejected"}, 1),
        ({"code": "lost"}, 1),
        ({"code": "unexpected"}, 1),
        ({"code": "no_such_code"}, 0),
        ({"status": "lost"}, 1),
        ({"hours": 1}, 3),
        ({"hours": 200}, 4),
        ({"limit": 1}, 3),
    ],
)
def test_filters(api: httpx2.Client, filter_: dict[str, Any], matching: int) -> None:
    failed(make_user(), error_class="TokensRejectedError")
    failed(make_user(), error_class="KeyError")
    failed(make_user(), "lost")
    failed(make_user(), ago=100 * 3600, error_class="KeyError")
    shown = api.post(RETRY_ALL, json=filter_).json()
    assert shown["matching"] == matching
    assert len(shown["requests"]) == min(matching, filter_.get("limit", 100))
    assert shown["more"] is (filter_.get("limit") == 1)


@pytest.mark.parametrize("form", [{"limit": 0}, {"limit": 501}, {"status": "succeeded"}, {"hours": 0}, {"all": True}])
def test_a_filter_that_means_nothing_is_refused(api: httpx2.Client, form: dict[str, Any]) -> None:
    assert api.post(RETRY_ALL, json=form).status_code == 422


def test_users_who_are_gone_do_not_keep_the_others(api: httpx2.Client) -> None:
    users = [make_user(), make_user()]
    requests = [failed(user) for user in users]
    User.objects.filter(pk=users[0]).delete()
    done = api.post(RETRY_ALL, json={"dryRun": False}).json()
    assert [each["retryOf"] for each in done["retried"]] == [requests[1]]
    assert done["refused"] == [{"requestId": None, "retryOf": requests[0], "outcome": "unknown_user"}]


def test_what_waits_is_cancelled_at_once(api: httpx2.Client, user: int, redis_url: str) -> None:
    request = api.post(PATH, json={"userId": user}).json()["requestId"]
    answer = api.delete(f"{PATH}/{request}")
    assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert ended(link(celery_app).client, request) == "run.cancelled"
    state = api.get(f"{PATH}/{request}").json()
    assert (state["status"], state["code"]) == ("cancelled", "cancelled")
    assert state["reason"].startswith("cancelled by 127.0.0.1")
    assert api.delete(f"{PATH}/{request}").status_code == 409
    assert api.post(PATH, json={"userId": user}).status_code == 202  # the user is free


def test_what_waits_for_its_next_attempt_is_cancelled_at_once(api: httpx2.Client, user: int) -> None:
    request = api.post(PATH, json={"userId": user}).json()["requestId"]
    ledger, run = Ledger(link(celery_app)), Run(request, TASK)
    ledger.claim(run, f"here:{os.getpid()}:x", "worker")
    assert ledger.release(run, f"here:{os.getpid()}:x", 1, after=3600)
    assert api.get(f"{PATH}/{request}").json()["status"] == "retrying"
    assert api.delete(f"{PATH}/{request}").status_code == 200
    assert ended(link(celery_app).client, request) == "run.cancelled"


def test_what_runs_is_only_asked_to_stop(api: httpx2.Client, user: int) -> None:
    request = api.post(PATH, json={"userId": user}).json()["requestId"]
    Ledger(link(celery_app)).claim(Run(request, TASK), "owner", "worker")
    answer = api.delete(f"{PATH}/{request}")
    assert (answer.status_code, answer.json()["status"]) == (202, "stopping")
    assert api.post(PATH, json={"userId": user}).status_code == 409  # its worker has it still


def test_what_has_ended_or_never_was_cannot_be_cancelled(api: httpx2.Client, user: int) -> None:
    assert api.delete(f"{PATH}/{failed(user)}").status_code == 409
    assert api.delete(f"{PATH}/nobody").status_code == 404
