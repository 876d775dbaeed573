"""Whatever arrives twice, late or out of order: the same row comes out, and it never goes back."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.history.models import Run
from app.history.news import RESULT_BYTES, BadNewsError, blank_row, fold, news_of
from livebeat.events import Event
from support.news import START, event, life


def row_of(events: Sequence[Event]) -> Run:
    news = [item for item in map(news_of, events) if item is not None]
    row = blank_row(news[0])
    for item in news:
        fold(row, item)
    return row


def facts(row: Run) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if not name.startswith("_")}


def test_a_whole_life() -> None:
    row = row_of(life())
    assert (row.state, row.attempt, row.worker, row.result) == ("succeeded", 2, "b@host", {"ok": 1})
    assert (row.schedule, row.slot, row.revision, row.kind, row.queue) == (
        "주간업데이트",
        START,
        3,
        "schedule",
        "crawl",
    )
    assert row.unique_key == "key"
    assert row.dispatched_at == row.seen_at == START
    assert row.started_at == START + timedelta(seconds=4)
    assert row.finished_at == START + timedelta(seconds=6)
    assert row.duration == timedelta(seconds=2)
    assert row.error is None


@given(st.permutations(life()), st.lists(st.sampled_from(life()), max_size=6))
def test_order_and_repetition_do_not_matter(events: list[Event], again: list[Event]) -> None:
    assert facts(row_of([*events, *again])) == facts(row_of(life()))


@given(st.integers(1, 6), st.lists(st.sampled_from(life()), max_size=8))
def test_a_replay_changes_nothing(upto: int, replayed: list[Event]) -> None:
    known = life()[:upto]
    row = row_of(known)
    before = facts(row)
    ids = {(item.type, item.data.get("attempt")) for item in known}
    for item in replayed:
        news = news_of(item)
        if news is not None and (item.type, item.data.get("attempt")) in ids:
            assert fold(row, news) is False
    assert facts(row) == before


@pytest.mark.parametrize(
    ("count", "state"),
    [(1, "queued"), (2, "running"), (3, "retrying"), (4, "queued"), (5, "running"), (6, "succeeded")],
)
def test_the_state_after_each_event(count: int, state: str) -> None:
    row = row_of(life()[:count])
    assert row.state == state
    assert (row.finished_at is None) == (state != "succeeded")


@pytest.mark.parametrize("kind", ["succeeded", "failed", "cancelled", "expired"])
def test_an_ended_run_stays_ended(kind: str) -> None:
    ended = event(f"run.{kind}", 5, error="why")
    for later in (event("run.started", 6), event("run.queued", 7), event("run.lost", 8), event("run.failed", 9)):
        assert row_of([ended, later]).state == kind


def test_a_lost_run_that_ends_after_all_has_ended() -> None:
    lost, ended = event("run.lost", 5, error="silent"), event("run.succeeded", 9, result=1)
    for events in ([lost, ended], [ended, lost]):
        row = row_of(events)
        assert (row.state, row.error, row.finished_at) == ("succeeded", None, START + timedelta(seconds=9))


TOLD = [
    event("run.started", 1, attempt=1, lateness=0.25),
    event("run.progress", 2, attempt=1, progress={"done": 1, "total": 3, "note": "first"}),
    event("run.progress", 3, attempt=1, progress={"done": 2, "total": 3, "note": "second"}),
    event("run.retrying", 4, attempt=1, progress={"done": 2, "total": 3, "note": "second"}),
    event("run.started", 5, attempt=2, lateness=4.5),
    event("run.progress", 6, attempt=2, progress={"done": 1, "total": 3, "note": "again\x00"}),
]


@given(st.permutations(TOLD), st.lists(st.sampled_from(TOLD), max_size=4))
def test_lateness_is_the_first_starts_and_progress_the_last_told(events: list[Event], again: list[Event]) -> None:
    row = row_of([*events, *again])
    assert (row.state, row.attempt, row.lateness) == ("running", 2, 0.25)
    at = (START + timedelta(seconds=6)).isoformat(timespec="milliseconds")
    assert row.progress == {"done": 1, "total": 3, "note": "again", "attempt": 2, "at": at}


@pytest.mark.parametrize("progress", [None, 5, {}, {"done": "all"}, {"done": True}, {"done": float("nan")}])
def test_progress_that_says_nothing_is_passed_over(progress: Any) -> None:
    row = row_of([event("run.progress", 1, attempt=1, progress=progress)])
    assert (row.state, row.progress) == ("running", None)


def test_a_lost_run_that_is_queued_again_goes_on() -> None:
    events = [event("run.started", attempt=3), event("run.lost", 1, attempt=3), event("run.requeued", 2, attempt=3)]
    assert row_of(events).state == "lost"
    assert row_of([*events, event("run.started", 3, attempt=4)]).state == "running"


def test_an_end_without_an_attempt_ends_the_attempt_under_way() -> None:
    row = row_of([event("run.queued"), event("run.started", 1, attempt=3), event("run.cancelled", 2, attempt=None)])
    assert (row.state, row.attempt) == ("cancelled", 3)


def test_a_task_of_plain_celery() -> None:
    data = {"schedule": None, "slot": None, "revision": None, "kind": "task"}
    row = row_of(
        [event("run.started", 1, worker="w", **data), event("run.failed", 2, error_class="E", error="x", **data)]
    )
    assert (row.state, row.schedule, row.kind, row.dispatched_at) == ("failed", None, "task", None)
    assert (row.error_class, row.error, row.seen_at) == ("E", "x", START + timedelta(seconds=1))


def test_numbers_of_a_redis_script_are_whole() -> None:
    assert row_of([event("run.started", attempt=2.0, revision=7.0)]).revision == 7


def test_other_news_is_none() -> None:
    assert news_of(event("schedule.changed", name="x")) is None
    assert news_of(event("", run=None)) is None


@pytest.mark.parametrize(
    "bad",
    [
        {"run": None},
        {"run": ""},
        {"run": 7},
        {"run": "x" * 65},
        {"task": None},
        {"task": ["x"]},
        {"kind": "unheard"},
        {"kind": None},
        {"attempt": -1},
        {"attempt": "1"},
        {"attempt": True},
        {"attempt": 2**40},
        {"attempt": None},
        {"revision": "3"},
        {"revision": 2**70},
        {"slot": "yesterday"},
        {"slot": "2026-11-22T06:00:00"},
        {"slot": 7},
        {"slot": "9999-12-31T23:59:59-12:00"},
        {"schedule": {"a": 1}},
        {"schedule": "x" * 201},
        {"worker": 3},
    ],
)
def test_unusable_data_is_named(bad: dict[str, Any]) -> None:
    with pytest.raises(BadNewsError):
        news_of(event("run.started", **bad))


def test_text_that_a_database_refuses_is_mended() -> None:
    row = row_of(
        [
            event(
                "run.failed",
                error="a\x00b\ud800" + "x" * 3000,
                error_class="E" * 300,
                result={"k\x00": ["\x00", "\udfff", float("nan"), float("inf"), "\\u0000", 1, None]},
            )
        ]
    )
    assert row.error is not None
    assert row.error.startswith("ab?")
    assert len(row.error) == 2000
    assert row.error_class == "E" * 255
    assert row.result == {"k": ["", "?", "nan", "inf", "\\u0000", 1, None]}


def test_a_large_result_is_cut_with_a_note() -> None:
    row = row_of([event("run.succeeded", result=["가" * RESULT_BYTES])])
    assert row.result is not None
    assert set(row.result) == {"cut", "head"}
    assert len(row.result["head"]) == 1000


def test_a_row_that_never_started_has_no_duration() -> None:
    assert row_of([event("run.queued"), event("run.expired", 5)]).duration is None
