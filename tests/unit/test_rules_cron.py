"""Cron in Celery's meaning, across clock changes, and what it refuses."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import Celery
from celery.schedules import crontab
from hypothesis import given, settings
from hypothesis import strategies as st

from livebeat import Cron
from livebeat.errors import SpecError
from livebeat.rules import from_json

NEW_YORK = "America/New_York"
_app = Celery("rules", set_as_current=False)
_app.conf.timezone = "UTC"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def field(first: int, last: int) -> st.SearchStrategy[str]:
    number = st.integers(first, last).map(str)
    return st.one_of(
        st.just("*"),
        number,
        st.integers(1, last).map(lambda step: f"*/{step}"),
        st.lists(number, min_size=1, max_size=4).map(",".join),
        st.tuples(number, number).map("-".join),
    )


@settings(max_examples=400, deadline=None)
@given(
    st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)),
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),
)
def test_equals_celery_in_utc(fields: tuple[str, ...], at: datetime) -> None:
    at = at.replace(tzinfo=UTC, microsecond=0)
    minute, hour, day, month, weekday = fields
    rule = crontab(
        minute, hour, day_of_month=day, month_of_year=month, day_of_week=weekday, app=_app, nowfun=lambda: at
    )
    assert Cron(" ".join(fields)).next_after(at) == at + rule.remaining_estimate(at)


@pytest.mark.parametrize(
    ("expression", "timezone", "after", "until", "expected"),
    [
        # 02:00–03:00 doesn't exist on 8 March 2026: a fixed time fires once, at the gap's end.
        ("30 2 * * *", NEW_YORK, utc(2026, 3, 8), utc(2026, 3, 9), [utc(2026, 3, 8, 7)]),
        ("0,15,30 2 * * *", NEW_YORK, utc(2026, 3, 8), utc(2026, 3, 9), [utc(2026, 3, 8, 7)]),
        # A wildcard has no instants in the gap, whole or part.
        ("30 * * * *", NEW_YORK, utc(2026, 3, 8, 6), utc(2026, 3, 8, 8), [utc(2026, 3, 8, 6, 30), utc(2026, 3, 8, 7, 30)]),
        ("*/30 2 * * *", NEW_YORK, utc(2026, 3, 8), utc(2026, 3, 8, 23), []),
        # 01:00–02:00 happens twice on 1 November 2026: a fixed time fires at the first pass only.
        ("30 1 * * *", NEW_YORK, utc(2026, 11, 1), utc(2026, 11, 2), [utc(2026, 11, 1, 5, 30)]),
        # A wildcard fires in both passes.
        ("30 * * * *", NEW_YORK, utc(2026, 11, 1, 5), utc(2026, 11, 1, 7), [utc(2026, 11, 1, 5, 30), utc(2026, 11, 1, 6, 30)]),
        # Half-hour change.
        ("15 2 * * *", "Australia/Lord_Howe", utc(2026, 10, 3), utc(2026, 10, 4), [utc(2026, 10, 3, 15, 30)]),
        # Clocks that go back over midnight, from 00:01 to 23:01 of the day before.
        ("30 * * * *", "America/St_Johns", utc(2010, 11, 7, 2, 30, 30), utc(2010, 11, 7, 4, 30),
         [utc(2010, 11, 7, 3), utc(2010, 11, 7, 4)]),
        ("30 23 * * *", "America/St_Johns", utc(2010, 11, 7, 2, 30, 30), utc(2010, 11, 7, 4, 30), []),
        # A whole day that never was.
        ("0 12 30 12 *", "Pacific/Apia", utc(2011, 12, 29), utc(2012, 1, 1), [utc(2011, 12, 30, 10)]),
        ("0 6 * * 1", "Asia/Seoul", utc(2026, 11, 22), utc(2026, 11, 30), [utc(2026, 11, 22, 21), utc(2026, 11, 29, 21)]),
    ],
)  # fmt: skip
def test_across_clock_changes(
    expression: str, timezone: str, after: datetime, until: datetime, expected: list[datetime]
) -> None:
    assert Cron(expression, timezone).between(after, until) == expected


@pytest.mark.parametrize(
    ("rule", "after", "expected"),
    [
        # 02:00–03:00 doesn't exist on 8 March 2026.
        (Cron("30 2 * * *", NEW_YORK, gap="skip"), utc(2026, 3, 8), []),
        (Cron("30 2,3 * * *", NEW_YORK, gap="skip"), utc(2026, 3, 8), [utc(2026, 3, 8, 7, 30)]),
        (Cron("0,30 2,3 * * *", NEW_YORK), utc(2026, 3, 8), [utc(2026, 3, 8, 7), utc(2026, 3, 8, 7, 30)]),
        (Cron("15 30 2 * * *", NEW_YORK), utc(2026, 3, 8), [utc(2026, 3, 8, 7)]),
        # 01:00–02:00 happens twice on 1 November 2026.
        (Cron("30 1 * * *", NEW_YORK, repeat="second"), utc(2026, 11, 1), [utc(2026, 11, 1, 6, 30)]),
        (Cron("30 1 * * *", NEW_YORK, repeat="both"), utc(2026, 11, 1), [utc(2026, 11, 1, 5, 30), utc(2026, 11, 1, 6, 30)]),
        (Cron("30 */25 * * *", NEW_YORK, repeat="second"), utc(2026, 11, 1), [utc(2026, 11, 1, 4, 30)]),
        (Cron("30 0-2/1 * * *", NEW_YORK, repeat="second"), utc(2026, 11, 1),
         [utc(2026, 11, 1, 4, 30), utc(2026, 11, 1, 6, 30), utc(2026, 11, 1, 7, 30)]),
        (Cron("*/30 1 * * *", NEW_YORK, repeat="first"), utc(2026, 11, 1), [utc(2026, 11, 1, 5), utc(2026, 11, 1, 5, 30)]),
        # Clocks that go back over midnight, from 00:01 to 23:01: the day after begins, the day before ends again.
        (Cron("*/59 0,23 * * *", "America/St_Johns"), utc(2010, 11, 7, 2, 28),
         [utc(2010, 11, 7, 2, 29), utc(2010, 11, 7, 2, 30), utc(2010, 11, 7, 3, 29), utc(2010, 11, 7, 3, 30),
          utc(2010, 11, 7, 4, 29)]),
    ],
)  # fmt: skip
def test_a_schedule_can_choose_what_a_clock_change_does(rule: Cron, after: datetime, expected: list[datetime]) -> None:
    until = after + (timedelta(hours=20) if rule.timezone == NEW_YORK else timedelta(hours=2, minutes=5))
    assert rule.between(after, until) == expected
    walked, at = [], rule.next_after(after)
    while at is not None and at <= until:
        walked.append(at)
        at = rule.next_after(at)
    assert walked == expected
    assert rule.count(after, until) == len(expected)
    assert from_json(rule.to_json()) == rule


def test_json_says_the_policies_only_where_they_are_chosen() -> None:
    assert Cron("0 9 * * *").to_json() == {"kind": "cron", "expression": "0 9 * * *"}
    chosen = Cron("0 9 * * *", NEW_YORK, gap="skip", repeat="second")
    assert chosen.to_json() == {
        "kind": "cron", "expression": "0 9 * * *", "timezone": NEW_YORK, "gap": "skip", "repeat": "second",
    }  # fmt: skip
    assert chosen.resolved("Asia/Seoul", utc(2026, 1, 1)) is chosen
    assert Cron("0 9 * * *", gap="skip").resolved(NEW_YORK, utc(2026, 1, 1)) == Cron("0 9 * * *", NEW_YORK, gap="skip")


@pytest.mark.parametrize(
    ("expression", "after", "slots"),
    [
        ("*/20 * * * * *", utc(2026, 1, 1), [utc(2026, 1, 1, 0, 0, 20), utc(2026, 1, 1, 0, 0, 40), utc(2026, 1, 1, 0, 1)]),
        ("5 30 9 * * 1", utc(2026, 1, 1), [utc(2026, 1, 5, 9, 30, 5), utc(2026, 1, 12, 9, 30, 5), utc(2026, 1, 19, 9, 30, 5)]),
        ("59,0 59 23 31 12 *", utc(2026, 1, 1),
         [utc(2026, 12, 31, 23, 59), utc(2026, 12, 31, 23, 59, 59), utc(2027, 12, 31, 23, 59)]),
    ],
)  # fmt: skip
def test_six_fields_begin_with_the_seconds(expression: str, after: datetime, slots: list[datetime]) -> None:
    rule = Cron(expression)
    found = [after]
    for _ in slots:
        slot = rule.next_after(found[-1])
        assert slot is not None
        assert rule.next_after(slot - timedelta(microseconds=1)) == slot
        found.append(slot)
    assert found[1:] == slots
    assert rule.between(after, slots[-1]) == slots


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(field(0, 59), field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6)),
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)),
)
def test_seconds_are_the_five_fields_in_each_minute(fields: tuple[str, ...], at: datetime) -> None:
    try:
        rule, minutes = Cron(" ".join(fields)), Cron(" ".join(fields[1:]))
    except SpecError:
        return
    at = at.replace(tzinfo=UTC)
    slot = rule.next_after(at)
    assert slot is not None
    assert slot > at
    assert minutes.next_after(slot.replace(second=0, microsecond=0) - timedelta(seconds=1)) == slot.replace(second=0)
    following = minutes.next_after(at)
    assert following is not None
    assert slot <= following + timedelta(seconds=59)


@pytest.mark.parametrize(
    ("expression", "field"),
    [
        ("* * * * * * *", "cron"),
        ("60 * * * * *", "second"),
        ("* * * *", "cron"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day_of_month"),
        ("* * * 13 *", "month_of_year"),
        ("* * * * 7", "day_of_week"),
        ("*/0 * * * *", "minute"),
        ("a * * * *", "minute"),
        ("0 0 30 2 *", "cron"),
    ],
)
def test_refuses_with_the_field_named(expression: str, field: str) -> None:
    with pytest.raises(SpecError) as caught:
        Cron(expression)
    assert caught.value.facts["field"] == field
    assert caught.value.text("ko") != caught.value.text("en")


@pytest.mark.parametrize(
    ("policies", "field"), [({"gap": "first"}, "gap"), ({"repeat": "never"}, "repeat"), ({"gap": []}, "gap")]
)
def test_an_unknown_policy_is_refused(policies: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecError) as caught:
        from_json({"kind": "cron", "expression": "* * * * *", **policies})
    assert caught.value.facts["field"] == field
    assert caught.value.text("ko") != caught.value.text("en")


def test_a_rule_that_only_gaps_hold_is_refused_under_skip() -> None:
    second_sundays = "30 2 8-14 3 0"  # when New York's clocks go forward
    assert Cron(second_sundays, NEW_YORK).next_after(utc(2026, 1, 1)) == utc(2026, 3, 8, 7)
    with pytest.raises(SpecError, match="never occurs"):
        Cron(second_sundays, NEW_YORK, gap="skip")


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(SpecError, match="IANA"):
        Cron("* * * * *", "Asia/Nowhere")


def test_latest_finds_the_last_slot_of_a_long_downtime() -> None:
    every_minute = Cron("* * * * *")
    now = utc(2026, 11, 22, 1, 2, 3)
    assert every_minute.latest(now - timedelta(days=3650), now) == utc(2026, 11, 22, 1, 2)
    assert Cron("0 0 1 1 *").latest(utc(2025, 6, 1), now) == utc(2026, 1, 1)
    assert Cron("0 0 1 1 *").latest(utc(2026, 6, 1), now) is None


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(("*/17 * * * *", "30 1,2 * * *", "0 9 * * 1-5", "5 0 1 * *", "0 0 29 2 *")),
    st.sampled_from((NEW_YORK, "Australia/Lord_Howe", "Asia/Seoul")),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1)),
    st.timedeltas(timedelta(0), timedelta(days=20)),
)
def test_counting_equals_walking(expression: str, timezone: str, at: datetime, span: timedelta) -> None:
    after = at.replace(tzinfo=UTC)
    rule = Cron(expression, timezone)
    assert rule.count(after, after + span) == len(rule.between(after, after + span))


def test_years_are_counted_exactly() -> None:
    every_minute = Cron("* * * * *", "Asia/Seoul")
    assert every_minute.count(utc(2020, 1, 1), utc(2026, 1, 1)) == 60 * 24 * (6 * 365 + 2)
