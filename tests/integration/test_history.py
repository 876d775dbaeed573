"""Rows in a real database: each run once, whatever is delivered twice; pages that stay right while rows arrive."""

import random
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from app.history.models import Run
from app.history.queries import CursorError, recent_runs, run_by_id
from app.history.services import BATCH, record_events
from livebeat.events import Event
from support.news import START, event, life

pytestmark = pytest.mark.django_db


def rows() -> list[dict[str, Any]]:
    return [dict(row) for row in Run.objects.order_by("id").values()]


def test_a_run_is_one_row() -> None:
    assert record_events(life()) == 1
    row = Run.objects.get()
    assert (row.id, row.state, row.attempt, row.schedule) == ("r1", "succeeded", 2, "주간업데이트")
    assert row.duration == timedelta(seconds=2)


def test_reading_twice_changes_nothing() -> None:
    record_events(life())
    before = rows()
    assert record_events(life()) == 0
    assert record_events(life()[:2]) == 0
    assert rows() == before


def test_any_order_and_any_batches_give_the_same_rows() -> None:
    events = [item for n in range(6) for item in life(f"r{n}", n)]
    record_events(events)
    expected = rows()
    for seed in range(5):
        Run.objects.all().delete()
        shuffled = events + random.Random(seed).sample(events, 10)
        random.Random(seed).shuffle(shuffled)
        for start in range(0, len(shuffled), 7):
            record_events(shuffled[start : start + 7])
        assert rows() == expected


def test_an_unusable_event_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    bad = event("run.started", run=None)
    assert record_events([bad, event("schedule.changed"), *life()]) == 1
    assert [record.message for record in caplog.records if bad.id in record.message]


def test_text_that_the_database_refuses_does_not_stop_the_others() -> None:
    odd = event("run.failed", run="odd", error="\x00\ud800", result={"\x00": float("nan")})
    assert record_events([odd, *life()]) == 2
    assert run_by_id("odd") is not None


def test_a_batch_is_a_few_queries_however_large() -> None:
    events = [item for n in range(BATCH // 4) for item in life(f"r{n:03}", n)[:4]]
    with CaptureQueriesContext(
        connection,
    ) as captured:
        record_events(events)
    assert Run.objects.count() == BATCH // 4
    assert len(captured) <= 12


def test_a_batch_has_a_limit() -> None:
    with pytest.raises(ValueError, match="at most"):
        record_events([event("run.queued")] * (BATCH + 1))


@pytest.mark.django_db(transaction=True)
def test_two_recorders_at_once_lose_nothing() -> None:
    events = [item for n in range(20) for item in life(f"r{n:02}", n)]
    record_events(events)
    expected = rows()
    Run.objects.all().delete()
    failed: list[BaseException] = []

    def record(part: list[Event]) -> None:
        try:
            for start in range(0, len(part), 5):
                record_events(part[start : start + 5])
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=record, args=(events[n::2],)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failed
    assert rows() == expected


def queued(run: str, seconds: float, **data: Any) -> Event:
    return event("run.queued", seconds, run=run, **data)


def test_pages_newest_first() -> None:
    record_events([queued(f"r{n:02}", n // 2) for n in range(25)])
    seen: list[str] = []
    cursor: str | None = None
    for expected in (10, 10, 5):
        page, cursor = recent_runs(limit=10, cursor=cursor)
        assert len(page) == expected
        seen += [row.id for row in page]
        record_events([queued(f"new{len(seen)}", 1000 + len(seen))])  # arrives while we read
    assert cursor is None
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 25


def test_filters() -> None:
    record_events(
        [*life("a", 0), queued("b", 5, schedule="다른"), queued("c", 6, schedule=None, task="t", kind="send")]
    )
    assert [row.id for row in recent_runs()[0]] == ["c", "b", "a"]
    assert [row.id for row in recent_runs(schedule="다른")[0]] == ["b"]
    assert [row.id for row in recent_runs(task="t")[0]] == ["c"]
    assert [row.id for row in recent_runs(state="succeeded")[0]] == ["a"]
    assert [row.id for row in recent_runs(schedule="다른", state="succeeded")[0]] == []
    assert recent_runs(state="queued")[0][0].seen_at == START + timedelta(seconds=6)


@pytest.mark.parametrize("cursor", ["", "x", "!!!!", "MjAyNg", "OTk5OS0xMi0zMVQyMzo1OTo1OS0xMjowMCByMQ", "가"])
def test_a_foreign_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(CursorError):
        recent_runs(cursor=cursor)


def test_an_unknown_run_is_none() -> None:
    assert run_by_id("nobody") is None
