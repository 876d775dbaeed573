"""The rows of refresh requests in the old back office's words: whatever order the events come in, they end the same."""

import random
import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from app.domains.velog.models import StatsRefreshRequest, User
from app.domains.velog.requests import TASK
from app.history.models import Run
from app.history.services import record_events
from app.recorder.requests import record_requests_of
from livebeat import clock
from livebeat.events import Event
from support.refreshes import make_user, new_id, told

pytestmark = pytest.mark.django_db


def record(events: list[Event]) -> None:
    record_events(events)
    record_requests_of(events)


def row(run: str) -> StatsRefreshRequest:
    return StatsRefreshRequest.objects.get(request_id=run)


def rows() -> list[dict[str, Any]]:
    found = StatsRefreshRequest.objects.order_by("request_id").values()
    return [{name: value for name, value in dict(each).items() if name not in ("id", "updated_at")} for each in found]


@pytest.fixture
def user() -> int:
    return make_user()


@pytest.mark.parametrize(
    ("kinds", "status", "retries", "error"),
    [
        (("queued",), "QUEUED", 0, ""),
        (("queued", "started"), "PROCESSING", 0, ""),
        (("queued", "started", "retrying"), "PROCESSING", 0, "why"),
        (("queued", "started", "retrying", "requeued"), "PROCESSING", 0, ""),
        (("queued", "started", "retrying", "requeued", "started", "succeeded"), "SUCCESS", 1, ""),
        (("queued", "started", "failed"), "FAILED", 0, "why"),
        (("queued", "started", "retrying", "requeued", "started", "failed"), "FAILED", 1, "why"),
        (("queued", "started", "lost"), "DLQ", 0, "why"),
        (("queued", "cancelled"), "FAILED", 0, "why"),
        (("queued", "expired"), "FAILED", 0, "why"),
    ],
)
def test_old_words(user: int, kinds: tuple[str, ...], status: str, retries: int, error: str) -> None:
    run = new_id()
    events = told(run, user, *kinds, **({"error": "why"} if error else {}))
    record(events)
    found = row(run)
    assert (found.status, found.retry_count, found.last_error, found.user_id) == (status, retries, error, user)
    assert found.created_at == Run.objects.get(pk=run).seen_at
    over = status in ("SUCCESS", "FAILED", "DLQ")
    assert found.finished_at == (Run.objects.get(pk=run).finished_at if over else None)
    assert (found.finished_at is not None) == over


def test_an_error_without_words_has_its_class(user: int) -> None:
    run = new_id()
    record(told(run, user, "queued", "started", "failed", error_class="KeyError"))
    assert row(run).last_error == "KeyError"


def test_any_order_and_any_batches_give_the_same_rows(user: int) -> None:
    life = ("queued", "started", "retrying", "requeued", "started")
    events: list[Event] = []
    for number, end in enumerate(("succeeded", "failed", "lost", "cancelled")):
        events += told(str(uuid.UUID(int=number)), user, *life, end, ago=1000 - number * 10)
    events += told(str(uuid.UUID(int=9)), user, *life[:2], ago=500)
    record(events)
    expected = rows()
    assert [each["status"] for each in expected] == ["SUCCESS", "FAILED", "DLQ", "FAILED", "PROCESSING"]
    for seed in range(8):
        Run.objects.all().delete()
        StatsRefreshRequest.objects.all().delete()
        shuffled = events + random.Random(seed).sample(events, 10)
        random.Random(seed).shuffle(shuffled)
        for begin in range(0, len(shuffled), 3):
            record(shuffled[begin : begin + 3])
        assert rows() == expected, seed


def test_attempts_that_were_lost_and_begun_again_are_counted_in_any_order(user: int) -> None:
    run = new_id()
    events = told(run, user, "queued", "started", "requeued", "started", "requeued", "started", "succeeded")
    for lost, each in enumerate(event for event in events if event.type == "run.started"):
        each.data["losses"] = lost
    for seed in range(8):
        for each in random.Random(seed).sample(events[1:], 6):
            record([events[0], each])
        assert (row(run).retry_count, row(run).reclaimed_count, row(run).status) == (2, 2, "SUCCESS")
        Run.objects.all().delete()
        StatsRefreshRequest.objects.all().delete()


@pytest.mark.parametrize(("said", "counted"), [(10**9, 32767), ("2", 0), (True, 0), (-1, 0), (None, 0), ([1], 0)])
def test_a_count_that_is_none_is_not_believed(user: int, said: object, counted: int) -> None:
    run = new_id()
    record(told(run, user, "queued", "started", losses=said))
    assert row(run).reclaimed_count == counted


def test_at_most_one_of_a_user_is_shown_as_under_way(user: int) -> None:
    first, second = new_id(), new_id()
    record(told(first, user, "queued", "started", ago=100))
    record(told(second, user, "queued", ago=50))  # the first one's end comes later
    assert (row(first).status, row(second).status) == ("FAILED", "QUEUED")
    assert "not recorded yet" in row(first).last_error
    record(told(first, user, "queued", "started", ago=100))  # read twice
    assert (row(first).status, row(second).status) == ("FAILED", "QUEUED")
    record(told(first, user, "queued", "started", "succeeded", ago=100))
    assert (row(first).status, row(first).last_error, row(second).status) == ("SUCCESS", "", "QUEUED")


def test_reading_twice_writes_nothing(user: int) -> None:
    events = told(new_id(), user, "queued", "started", "succeeded")
    record(events)
    before = StatsRefreshRequest.objects.get().updated_at
    record(events)
    assert StatsRefreshRequest.objects.get().updated_at == before


def test_users_that_are_not_there_are_left_out_and_logged(user: int, caplog: pytest.LogCaptureFixture) -> None:
    known = new_id()
    record([*told(new_id(), user + 1, "queued"), *told(known, user, "queued"), *told(new_id(), 10**17, "queued")])
    assert [str(each.request_id) for each in StatsRefreshRequest.objects.all()] == [known]
    assert f"refresh of user {user + 1} is not shown" in caplog.text
    assert Run.objects.count() == 3


def test_what_is_no_request_is_passed_over(user: int) -> None:
    other = told(new_id(), user, "queued")
    other[0].data["task"] = "app.tasks.scheduler.crawl_complex"
    foreign = told(new_id(), user, "queued")
    foreign[0].data["unique"] = "stats-refresh:" + "9" * 30
    record([*other, *foreign, *told("no-uuid", user, "queued"), Event("1-1", clock.now(), "run.started", {"run": []})])
    assert not StatsRefreshRequest.objects.exists()


def test_what_came_over_the_bridge_has_a_row_as_well(user: int) -> None:
    run = new_id()
    events = told(run, user, "queued", "started", "succeeded")
    for each in events:
        each.data["kind"] = "bridge"
    record(events)
    assert (Run.objects.get(pk=run).kind, row(run).status) == ("bridge", "SUCCESS")


@pytest.mark.parametrize(("lost", "counted"), [(0, 2), (1, 2), (3, 3)])
def test_a_row_that_the_old_back_office_made_goes_on(user: int, lost: int, counted: int) -> None:
    run = new_id()
    asker = make_user()
    StatsRefreshRequest.objects.create(request_id=run, user_id=user, requested_by_id=asker, reclaimed_count=2)
    record(told(run, user, "queued", "started", losses=lost))
    record(told(run, user, "queued", "started", "succeeded"))
    found = row(run)
    assert (found.status, found.requested_by_id, found.reclaimed_count) == ("SUCCESS", asker, counted)


def test_a_row_that_the_old_consumer_left_behind_is_closed_by_the_next_request(user: int) -> None:
    dead = StatsRefreshRequest.objects.create(request_id=new_id(), user_id=user, status="PROCESSING")
    StatsRefreshRequest.objects.update(created_at=clock.now() - timedelta(days=3))
    run = new_id()
    record(told(run, user, "queued"))
    dead.refresh_from_db()
    assert (dead.status, row(run).status) == ("FAILED", "QUEUED")


def test_a_request_that_became_part_of_another_is_closed(user: int) -> None:
    theirs, ours = new_id(), new_id()
    StatsRefreshRequest.objects.create(request_id=theirs, user_id=user)
    coalesced = {"task": TASK, "user_id": user, "request": theirs, "run": ours}
    record([Event("1-1", clock.now(), "request.coalesced", coalesced)])
    assert row(theirs).status == "FAILED"
    assert ours in row(theirs).last_error
    without = {**coalesced, "request": None}
    record([Event("1-2", clock.now(), "request.coalesced", without)])


def test_a_batch_is_a_few_queries_however_large() -> None:
    users = [make_user() for _ in range(60)]
    events = [each for user in users for each in told(new_id(), user, "queued", "started", "succeeded")]
    record_events(events)
    with CaptureQueriesContext(connection) as captured:
        record_requests_of(events)
    assert StatsRefreshRequest.objects.filter(status="SUCCESS").count() == 60
    assert len(captured) <= 14
    assert "users_user" in str(captured.captured_queries)


@pytest.mark.django_db(transaction=True)
def test_two_recorders_at_once_end_the_same() -> None:
    user = make_user()
    events: list[Event] = []
    for number in range(20):
        events += told(str(uuid.UUID(int=number)), user, "queued", "started", "failed", ago=1000 - number * 10)
    events += told(str(uuid.UUID(int=50)), user, "queued", "started", ago=100)
    record(events[:200])
    expected = rows()
    Run.objects.all().delete()
    StatsRefreshRequest.objects.all().delete()
    problems: list[BaseException] = []

    def run(part: list[Event]) -> None:
        try:
            for begin in range(0, len(part), 3):
                record(part[begin : begin + 3])
        except BaseException as error:
            problems.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(events[n::2],)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    assert not problems
    assert rows() == expected
    User.objects.all().delete()
