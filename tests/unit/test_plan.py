"""Which slot runs, which are passed over and why: pure decisions."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livebeat import Cron, Interval, Once, ScheduleSpec, StoredSchedule
from livebeat.beat.plan import NAMESPACE, NONE_GRACE, Skipped, decide, run_id
from livebeat.entry import Raw
from livebeat.rules import Recurrence

DUE = datetime(2026, 11, 22, 9, tzinfo=UTC)


def seconds(number: float) -> datetime:
    return DUE + timedelta(seconds=number)


def stored(recurrence: Recurrence | None = None, **policy: Any) -> StoredSchedule:
    rule = recurrence or Interval(seconds=10, anchor=DUE)
    return StoredSchedule(
        spec=ScheduleSpec(name="a", task="t", recurrence=rule, **policy),
        revision=1,
        incarnation="i",
        next_at=DUE,
        last_run_at=None,
        total_runs=4,
        origin="python",
        by="",
        changed_at=None,
        problem=None,
        ours=True,
        redbeat_exact=True,
        raw=Raw(),
    )


@pytest.mark.parametrize("policy", ["none", "one", "all"])
def test_a_slot_on_time_runs_whatever_the_policy(policy: Any) -> None:
    decision = decide(stored(catchup=policy, catchup_window=60), DUE, seconds(0.2))
    assert (decision.slot, decision.skipped) == (DUE, ())
    assert (decision.after.next_at, decision.after.last_run_at, decision.after.total_runs) == (seconds(10), DUE, 5)


@pytest.mark.parametrize(
    ("policy", "window", "late", "slot", "skipped", "following"),
    [
        ("all", None, 65, 0, [], 10),
        ("one", None, 65, 60, [("skipped_catchup", 0, 50, 6)], 70),
        ("one", None, 15, 10, [("skipped_catchup", 0, 0, 1)], 20),
        ("none", None, 15, 10, [("skipped_catchup", 0, 0, 1)], 20),
        ("one", 25, 65, 60, [("missed_window", 0, 30, 4), ("skipped_catchup", 40, 50, 2)], 70),
        ("all", 25, 65, 40, [("missed_window", 0, 30, 4)], 50),
        ("one", 5, 65, 60, [("missed_window", 0, 50, 6)], 70),
        ("one", 3, 65, None, [("missed_window", 0, 60, 7)], 70),
        ("one", 65, 65, 60, [("skipped_catchup", 0, 50, 6)], 70),  # as old as the window is not older
    ],
)
def test_after_a_downtime(
    policy: Any, window: float | None, late: float, slot: float | None, skipped: list[Any], following: float
) -> None:
    decision = decide(stored(catchup=policy, catchup_window=window), DUE, seconds(late))
    assert decision.slot == (None if slot is None else seconds(slot))
    assert list(decision.skipped) == [Skipped(why, seconds(a), seconds(b), count) for why, a, b, count in skipped]
    assert decision.after.next_at == seconds(following)
    assert decision.after.total_runs == 4 + (slot is not None)


def test_none_runs_only_what_a_hand_over_delayed() -> None:
    hourly = Interval(seconds=3600, anchor=DUE)
    grace = NONE_GRACE.total_seconds()
    assert decide(stored(hourly, catchup="none"), DUE, seconds(grace)).slot == DUE
    late = decide(stored(hourly, catchup="none"), DUE, seconds(grace + 1))
    assert (late.slot, late.skipped) == (None, (Skipped("skipped_catchup", DUE, DUE, 1),))
    assert late.after.next_at == seconds(3600)


def test_both_reasons_at_once_and_nothing_to_run() -> None:
    """The window has passed over the older ones, the policy passes over the rest."""
    decision = decide(stored(Interval(seconds=60, anchor=DUE), catchup="none", catchup_window=100), DUE, seconds(230))
    assert decision.slot is None
    assert [(s.reason, s.count) for s in decision.skipped] == [("missed_window", 3), ("skipped_catchup", 1)]


def test_what_has_no_further_instant_is_finished() -> None:
    assert decide(stored(Once(DUE)), DUE, seconds(1)).after.next_at is None
    missed = decide(stored(Once(DUE), catchup_window=60), DUE, seconds(61))
    assert (missed.slot, missed.skipped) == (None, (Skipped("missed_window", DUE, DUE, 1),))
    assert missed.after.next_at is None


def test_a_long_downtime_is_counted_exactly_where_that_is_cheap() -> None:
    year = timedelta(days=365)
    (skipped,) = decide(stored(Cron("* * * * *")), DUE, DUE + year).skipped
    assert skipped.count == 365 * 24 * 60
    (skipped,) = decide(stored(Interval(seconds=0.1, anchor=DUE)), DUE, DUE + year).skipped
    assert skipped.count == 365 * 24 * 3600 * 10


@given(
    st.sampled_from(["none", "one", "all"]),
    st.one_of(st.none(), st.integers(1, 200)),
    st.integers(0, 300),
    st.sampled_from([Interval(seconds=10, anchor=DUE), Interval(seconds=70, anchor=DUE), Cron("* * * * *")]),
)
def test_every_slot_up_to_now_has_one_outcome(policy: Any, window: int | None, late: int, rule: Recurrence) -> None:
    now = seconds(late)
    entry, found, due = stored(rule, catchup=policy, catchup_window=window), [], DUE
    while due is not None and due <= now:
        decision = decide(entry, due, now)
        for skipped in decision.skipped:
            passed = [skipped.first, *rule.walk(skipped.first, skipped.last)]
            assert (len(passed), passed[-1]) == (skipped.count, skipped.last)
            found += passed
        found += [decision.slot] if decision.slot else []
        assert window is None or decision.slot is None or decision.slot >= now - timedelta(seconds=window)
        due = decision.after.next_at  # type: ignore[assignment]
    assert found == [DUE, *rule.walk(DUE, now)]


@given(incarnation=st.text(max_size=40), micros=st.integers(0, 4 * 10**15))
def test_a_run_id_is_the_uuid5_of_its_slot(incarnation: str, micros: int) -> None:
    slot = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    name = f"livebeat:\n{incarnation}\nschedule\n{slot.timestamp():.6f}"
    assert run_id("livebeat:", incarnation, "schedule", slot) == str(uuid.uuid5(NAMESPACE, name))
