"""A rule without some of its instants: days, holidays, other rules."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from livebeat import Cron, Excluding, Holidays, Interval, Once, RRule, Union
from livebeat.errors import SpecError
from livebeat.rules import Recurrence, from_json

SEOUL, NEW_YORK = "Asia/Seoul", "America/New_York"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def days(rule: Recurrence, first: datetime, last: datetime, hours: int = 9) -> list[str]:
    """The dates of its slots on clocks `hours` ahead of UTC."""
    return [(at + timedelta(hours=hours)).date().isoformat() for at in rule.between(first, last)]


DAILY = Cron("0 8 * * *", SEOUL)  # 23:00 UTC of the day before


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Excluding(DAILY, ["2026-12-25", date(2026, 12, 27)]), ["2026-12-24", "2026-12-26", "2026-12-28"]),
        (Excluding(DAILY, ["2026-12-25/2026-12-27", "2026-12-20/2026-12-25"]), ["2026-12-28"]),
        # On other clocks the slot of the 25th is still on the 24th.
        (Excluding(DAILY, ["2026-12-25"], timezone="UTC"), ["2026-12-24", "2026-12-25", "2026-12-27", "2026-12-28"]),
        (Excluding(DAILY, rules=[Cron("0 8 * * 5,6", SEOUL)]), ["2026-12-24", "2026-12-27", "2026-12-28"]),
        (Excluding(DAILY, rules=[Cron("1 8 * * *", SEOUL), Once(utc(2026, 12, 23, 23))]),
         ["2026-12-25", "2026-12-26", "2026-12-27", "2026-12-28"]),
        (Excluding(DAILY, holidays=Holidays("KR")), ["2026-12-24", "2026-12-26", "2026-12-27", "2026-12-28"]),
        (Excluding(DAILY, holidays=Holidays("kr", add=["2026-12-28"], remove=["2026-12-25"])),
         ["2026-12-24", "2026-12-25", "2026-12-26", "2026-12-27"]),
        (Excluding(DAILY, ["2026-12-24"], [Cron("* * * * 1", SEOUL)], Holidays("KR")), ["2026-12-26", "2026-12-27"]),
    ],
)  # fmt: skip
def test_what_is_left_out_is_left_out(rule: Excluding, expected: list[str]) -> None:
    first, last = utc(2026, 12, 23, 12), utc(2026, 12, 28, 12)
    assert days(rule, first, last) == expected
    assert days(Union(rule), first, last) == expected
    slots = rule.between(first, last)
    for before, slot in zip([first, *slots], slots, strict=False):
        assert rule.next_after(before) == slot
    assert rule.latest(first, last) == slots[-1]
    assert rule.count(first, last) == len(slots)
    assert from_json(rule.to_json()) == rule


def test_koreas_holidays_are_known_with_their_substitutes_and_elections() -> None:
    holidays = Holidays("KR")
    for day in ("2026-02-17", "2026-03-02", "2026-06-03", "2026-09-25", "2026-10-05"):
        assert date.fromisoformat(day) in holidays
    assert date(2026, 2, 19) not in holidays
    assert date(2026, 12, 31) not in holidays


def test_parts_and_categories_of_other_countries_are_known() -> None:
    assert date(2026, 1, 6) in Holidays("DE", "BY")
    assert date(2026, 1, 6) not in Holidays("DE")
    assert date(2026, 10, 12) in Holidays("US", categories=["government", "public"])


def test_a_date_begins_and_ends_where_the_clocks_say_so_when_they_change() -> None:
    hourly = Cron("0 * * * *", NEW_YORK)
    long_day = Excluding(hourly, ["2026-11-01"])  # 25 hours
    assert (
        long_day.between(utc(2026, 11, 1, 3), utc(2026, 11, 2, 6))
        == [utc(2026, 11, 1, 3), utc(2026, 11, 2, 5), utc(2026, 11, 2, 6)][1:]
    )
    short_day = Excluding(hourly, ["2026-03-08"])  # 23 hours
    assert short_day.between(utc(2026, 3, 8, 4), utc(2026, 3, 9, 5)) == [utc(2026, 3, 9, 4), utc(2026, 3, 9, 5)]


def test_its_days_are_those_of_the_rules_own_clocks_unless_told_otherwise() -> None:
    assert Excluding(DAILY, ["2026-12-25"]).timezone == SEOUL
    open_rule = Excluding(Cron("0 8 * * *"), ["2026-12-25"])
    assert open_rule.timezone is None
    assert open_rule.resolved(SEOUL, utc(2026, 1, 1)) == Excluding(DAILY, ["2026-12-25"], timezone=SEOUL)
    counting = Excluding(Interval(seconds=60), rules=[Interval(seconds=120)])
    kept = counting.resolved("UTC", utc(2026, 1, 1))
    assert counting.going_on(kept, "UTC", utc(2026, 5, 1)) is kept


def test_long_runs_of_taken_instants_are_passed() -> None:
    seconds = Excluding(Interval(seconds=1, anchor=utc(2026, 1, 1)), rules=[Cron("* * 0-2 * * *")])
    assert seconds.next_after(utc(2026, 1, 1, 23, 59, 59)) == utc(2026, 1, 2, 3)
    years = Excluding(Cron("* * * * *", NEW_YORK), ["2027-01-01/2036-12-31"])
    assert years.next_after(utc(2026, 12, 31, 12)) == utc(2026, 12, 31, 12, 1)
    assert years.next_after(utc(2027, 1, 1, 5)) == utc(2037, 1, 1, 5)


def test_a_rule_that_is_over_is_over_and_not_refused() -> None:
    over = Excluding(RRule("FREQ=DAILY;UNTIL=20120301T000000Z", utc(2012, 2, 1), "UTC"), ["2012-02-03"])
    assert len(over.between(utc(2000, 1, 1), utc(2020, 1, 1))) == 29
    assert over.next_after(utc(2026, 1, 1)) is None


_KOREAN_CHRISTMAS = Holidays("KR")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Excluding(DAILY, rules=[DAILY]),
        lambda: Excluding(DAILY, rules=[Cron("* 8 * * *", SEOUL)]),
        lambda: Excluding(Interval(seconds=1), rules=[Cron("* * * * * *")]),
        lambda: Excluding(Cron("* * * * * *"), rules=[Interval(seconds=0.5)]),
        lambda: Excluding(Cron("* * * * *"), ["2000-01-01/2100-01-01"]),
        lambda: Excluding(Once(utc(2026, 12, 25)), ["2026-12-25"]),
        lambda: Excluding(Cron("0 9 25 12 *", SEOUL), holidays=_KOREAN_CHRISTMAS),
        lambda: Excluding(Cron("0 8 * * *", NEW_YORK), rules=[Cron("* 8 * * *", NEW_YORK)]),
        lambda: Excluding(Cron("0 * * * *", SEOUL), rules=[Cron("* * * * *", SEOUL, repeat="first")]),
        lambda: Excluding(Cron("30 2 * * *", NEW_YORK), rules=[Cron("* * * * *", NEW_YORK)]),
        lambda: Excluding(Interval(seconds=120), rules=[Once(utc(2026, 1, 1)), Interval(seconds=60)]),
        lambda: Excluding(RRule("FREQ=DAILY", utc(2026, 1, 1), NEW_YORK), rules=[Cron("* * * * * *")]),
        lambda: Excluding(Union(DAILY, Cron("5 * * * *")), rules=[Union(DAILY, Cron("*/5 * * * *"))]),
        lambda: Excluding(Excluding(DAILY, ["2026-12-25"]), rules=[Cron("* 8 * * *", SEOUL)]),
    ],
)
def test_what_never_occurs_is_refused_at_once(make: Callable[[], Recurrence]) -> None:
    begun = time.thread_time()
    with pytest.raises(SpecError, match="never occurs") as caught:
        make()
    assert time.thread_time() - begun < 1
    assert caught.value.text("ko") != caught.value.text("en")


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        # Ten months of taken minutes.
        (Excluding(Cron("* 9 * * *", SEOUL), rules=[Cron("* 9-18 * 1-10 *", SEOUL)]), utc(2026, 11, 1, 0)),
        # The hour that comes twice, on a Sunday.
        (
            Excluding(Cron("2-26 * * * */3", "Antarctica/Macquarie"), rules=[
                Cron("* * * * *", "Antarctica/Macquarie", repeat="second"),
            ]),
            utc(2026, 4, 4, 15, 2),
        ),
        (
            Excluding(Cron("0 * * * *", NEW_YORK), rules=[Cron("* * * * *", NEW_YORK, repeat="first")]),
            utc(2026, 11, 1, 6),
        ),
        # The end of the gap, at which the readings that it swallowed are due.
        (Excluding(Cron("30 2 * * *", NEW_YORK), rules=[Cron("* 2 * * *", NEW_YORK)]), utc(2026, 3, 8, 7)),
        # Six years of taken days.
        (
            Excluding(Cron("0 9 * * *", "UTC"), rules=[RRule("FREQ=DAILY;UNTIL=20320101T000000Z", utc(2020, 1, 1, 9), "UTC")]),
            utc(2032, 1, 1, 9),
        ),
        (Excluding(Interval(seconds=60), rules=[Interval(seconds=120)]), utc(2026, 1, 1, 0, 1)),
        # What takes all of it begins later.
        (Excluding(Interval(seconds=60), rules=[Interval(seconds=60, anchor=utc(2030, 1, 1))]), utc(2026, 1, 1, 0, 1)),
    ],
)  # fmt: skip
def test_what_is_left_once_in_a_long_while_is_found(rule: Excluding, first: datetime) -> None:
    assert rule.next_after(utc(2026, 1, 1)) == first


def test_what_only_a_long_search_could_tell_is_accepted_and_over() -> None:
    nothing = Excluding(Cron("0 9 * * *", NEW_YORK), rules=[RRule("FREQ=DAILY;BYHOUR=9", utc(2026, 1, 1), NEW_YORK)])
    assert nothing.next_after(utc(2027, 1, 1)) is None


def test_a_long_run_of_taken_instants_now_is_not_taken_for_never() -> None:
    no_thursdays = Excluding(Interval(seconds=1), rules=[Cron("* * * * * 4")])  # whole days of taken seconds
    assert no_thursdays.next_after(utc(2026, 1, 1, 23, 59, 58)) == utc(2026, 1, 2)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"dates": ["2026-02-30"]}, "dates"),
        ({"dates": ["2026-12-31/2026-12-24"]}, "dates"),
        ({"dates": ["9999-12-31"]}, "dates"),
        ({"dates": [3]}, "dates"),
        ({"dates": 3}, "dates"),
        ({"rules": {}}, "rules"),
        ({"rules": [3]}, "recurrence"),
        ({"rule": None}, "recurrence"),
        ({"timezone": "Asia/Nowhere"}, "timezone"),
        ({"timezone": 9}, "timezone"),
        ({"holidays": "KR"}, "holidays"),
        ({"holidays": {}}, "holidays"),
        ({"holidays": {"country": "XX"}}, "holidays"),
        ({"holidays": {"country": "__class__"}}, "holidays"),
        ({"holidays": {"country": "US", "subdivision": "ZZ"}}, "holidays"),
        ({"holidays": {"country": "KR", "categories": ["school"]}}, "holidays"),
        ({"holidays": {"country": "KR", "categories": []}}, "holidays"),
        ({"holidays": {"country": "KR", "add": ["soon"]}}, "holidays"),
        ({"holidays": {"country": "KR", "year": 2026}}, "holidays"),
        ({"holidays": {"country": 3}}, "holidays"),
    ],
)
def test_json_that_makes_no_sense_is_refused_with_the_field_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecError) as caught:
        from_json({"kind": "excluding", "rule": DAILY.to_json(), **changes})
    assert caught.value.facts["field"] == field
    assert caught.value.text("ko") != caught.value.text("en")
