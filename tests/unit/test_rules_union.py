"""Several rules as one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livebeat import Cron, Interval, Once, Union
from livebeat.errors import SpecError
from livebeat.rules import Recurrence, from_json

AT = datetime(2026, 1, 1, tzinfo=UTC)
_PARTS = (
    Cron("0 9,12 * * *"),
    Cron("*/30 8-9 * * *", "Europe/Berlin"),
    Interval(seconds=5400, anchor=AT),
    Once(AT + timedelta(hours=9)),
    Union(Cron("0 12 * * *"), Once(AT + timedelta(days=1))),
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(_PARTS), min_size=1, max_size=4),
    st.timedeltas(timedelta(0), timedelta(days=3)),
    st.timedeltas(timedelta(0), timedelta(days=2)),
)
def test_it_is_due_whenever_one_of_its_rules_is_and_once_then(
    parts: list[Recurrence], shift: timedelta, span: timedelta
) -> None:
    rule, after, until = Union(parts), AT + shift, AT + shift + span
    expected = sorted({at for part in parts for at in part.between(after, until)})
    assert rule.between(after, until) == expected
    assert rule.count(after, until) == len(expected)
    assert rule.latest(after, until) == (expected[-1] if expected else None)
    for before, slot in zip([after, *expected], expected, strict=False):
        assert rule.next_after(before) == slot
    assert from_json(rule.to_json()) == rule
    assert Union(*parts) == rule


def test_it_ends_with_the_last_of_its_rules() -> None:
    rule = Union(Once(AT), Once(AT + timedelta(days=1)))
    assert rule.next_after(AT) == AT + timedelta(days=1)
    assert rule.next_after(AT + timedelta(days=1)) is None


def test_what_its_rules_left_open_is_filled_in_and_an_edit_goes_on_counting() -> None:
    plain = Union(Cron("0 9 * * *"), Interval(seconds=60))
    kept = plain.resolved("Asia/Seoul", AT)
    assert kept == Union(Cron("0 9 * * *", "Asia/Seoul"), Interval(seconds=60, anchor=AT))
    assert kept.anchor == AT
    assert plain.going_on(kept, "Asia/Seoul", AT + timedelta(days=1)) is kept


@pytest.mark.parametrize(
    "data",
    [{}, {"rules": []}, {"rules": {}}, {"rules": ["x"]}, {"rules": [{"kind": "cron", "expression": "0 0 31 2 *"}]}],
)
def test_json_that_is_no_union_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as caught:
        from_json({"kind": "union", **data})
    assert caught.value.text("ko") != caught.value.text("en")


def test_only_rules_and_not_too_many_are_taken() -> None:
    for rules in (["0 9 * * *"], [Once(AT)] * 1001, 3):
        with pytest.raises(SpecError) as caught:
            Union(rules)  # type: ignore[arg-type]
        assert caught.value.facts["field"] == "rules"


def test_endless_nesting_is_refused_not_fatal() -> None:
    data: dict[str, Any] = {"kind": "once", "at": AT.isoformat()}
    for _ in range(2000):
        data = {"kind": "union", "rules": [data]}
    with pytest.raises(SpecError, match="nested"):
        from_json(data)
