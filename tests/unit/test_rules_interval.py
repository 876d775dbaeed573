"""Intervals count from their anchor, whatever the lateness."""

from datetime import UTC, datetime, timedelta

import pytest

from livebeat import Interval
from livebeat.errors import SpecError
from livebeat.rules import from_json

ANCHOR = datetime(2026, 1, 1, tzinfo=UTC)


def test_slots_are_anchor_plus_multiples() -> None:
    rule = Interval(seconds=90, anchor=ANCHOR)
    assert rule.next_after(ANCHOR) == ANCHOR + timedelta(seconds=90)
    assert rule.next_after(ANCHOR + timedelta(seconds=89.9)) == ANCHOR + timedelta(seconds=90)
    assert rule.next_after(ANCHOR + timedelta(seconds=90)) == ANCHOR + timedelta(seconds=180)
    assert rule.next_after(ANCHOR - timedelta(days=1)) == ANCHOR + timedelta(seconds=90)


def test_latest_is_arithmetic() -> None:
    rule = Interval(seconds=1, anchor=ANCHOR)
    now = ANCHOR + timedelta(days=400, milliseconds=300)
    assert rule.latest(ANCHOR, now) == ANCHOR + timedelta(days=400)
    assert rule.latest(ANCHOR + timedelta(days=400), now) is None


def test_json_round_trip() -> None:
    rule = Interval(every=timedelta(hours=2), anchor=ANCHOR)
    assert from_json(rule.to_json()) == rule


@pytest.mark.parametrize("seconds", [0, -1, 0.01, 1e12])
def test_refuses_lengths_that_make_no_sense(seconds: float) -> None:
    with pytest.raises(SpecError):
        Interval(seconds=seconds)
