"""A rule from one instant to another."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livebeat import Cron, Interval, Union
from livebeat.rules import Bounded, Recurrence

AT = datetime(2026, 1, 1, tzinfo=UTC)
_spans = st.timedeltas(timedelta(hours=-50), timedelta(hours=50))


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from((Cron("0 */5 * * *"), Interval(seconds=3600, anchor=AT), Union(Cron("7 3 * * *"), Cron("0 0 * * *")))),
    st.none() | _spans,
    st.none() | _spans,
    _spans,
    st.timedeltas(timedelta(0), timedelta(hours=60)),
)  # fmt: skip
def test_its_instants_are_the_rules_within_both_ends(
    rule: Recurrence, start: timedelta | None, end: timedelta | None, shift: timedelta, span: timedelta
) -> None:
    first, last = (None if edge is None else AT + edge for edge in (start, end))
    bounded, after, until = Bounded(rule, first, last), AT + shift, AT + shift + span
    expected = [
        at for at in rule.between(after, until) if (first is None or at >= first) and (last is None or at <= last)
    ]
    assert bounded.between(after, until) == expected
    assert bounded.count(after, until) == len(expected)
    assert bounded.latest(after, until) == (expected[-1] if expected else None)
    slot = bounded.next_after(after)
    assert slot == expected[0] if expected else slot is None or slot > until


def test_the_ends_belong_to_it() -> None:
    hourly = Cron("0 * * * *")
    assert Bounded(hourly, AT, AT).between(AT - timedelta(days=1), AT + timedelta(days=1)) == [AT]
    assert Bounded(hourly, end=AT).next_after(AT) is None


def test_an_interval_counts_from_the_start_unless_it_has_an_anchor() -> None:
    start = AT + timedelta(minutes=7)
    assert Bounded(Interval(seconds=600), start).next_after(AT) == AT + timedelta(minutes=17)
    assert Bounded(Interval(seconds=600, anchor=AT), start).next_after(AT) == AT + timedelta(minutes=10)


@pytest.mark.parametrize("rule", [Cron("0 9 * * *", "Asia/Seoul"), Interval(seconds=60, anchor=AT)])
def test_its_json_is_the_rules(rule: Recurrence) -> None:
    assert Bounded(rule, AT).to_json() == rule.to_json()
    assert "bounded" not in Recurrence.kinds
