"""Cron in Celery's meaning, across clock changes, and what it refuses."""

from datetime import UTC, datetime, timedelta

import pytest
from celery import Celery
from celery.schedules import crontab
from hypothesis import given, settings
from hypothesis import strategies as st

from livebeat import Cron
from livebeat.errors import SpecError

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
    ("expression", "field"),
    [
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
