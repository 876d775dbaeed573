"""RFC 5545 rules: as dateutil walked from dtstart, across clock changes, at one cost, and what is refused."""

import time
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from livebeat import RRule
from livebeat.errors import SpecError
from livebeat.rules import from_json
from livebeat.rules.rrule_text import WEEKDAYS, parse
from support.rrules import rules

NEW_YORK = "America/New_York"
START = datetime(2020, 2, 29, 9, 30, 15, tzinfo=UTC)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


#: The calendar comes again after 400 years, so this many on, dateutil's walk soon meets the end of its calendar.
NEAR_THE_END = 7600


def by_dateutil(rule: str, start: datetime, most: int) -> list[datetime]:
    """dateutil's own first readings, walked from dtstart; [] where it finds that there are none."""
    try:
        return [wall.replace(tzinfo=UTC) for wall in islice(rrulestr(rule, dtstart=start.replace(tzinfo=None)), most)]
    except ValueError:
        return []


@settings(max_examples=300, deadline=None)
@given(rules(), st.datetimes(datetime(2395, 1, 1), datetime(2396, 12, 31)))
@example("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SU,MO", datetime(2395, 1, 4))
@example("FREQ=WEEKLY;BYDAY=MO,WE,FR;BYSETPOS=2", datetime(2395, 1, 4, 1))
@example("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", datetime(2395, 1, 31))
@example("FREQ=SECONDLY;INTERVAL=7;BYSECOND=0;BYMINUTE=3,4", datetime(2395, 1, 31, 2, 3, 4))
@example("FREQ=HOURLY;INTERVAL=5;BYMINUTE=0,20,40;BYSETPOS=-2", datetime(2395, 1, 31, 2, 30))
@example("FREQ=HOURLY;BYMINUTE=10,50", datetime(2395, 1, 31, 2, 30))
def test_equals_dateutil_walked_from_the_start(rule: str, start: datetime) -> None:
    start = start.replace(microsecond=0, tzinfo=UTC)
    parts = parse(rule)
    try:
        ours = RRule(rule, start, "UTC")
    except SpecError:
        assume(parts.has_times and "BYEASTER" not in rule)  # dateutil would walk each second of years
        assert by_dateutil(rule, start.replace(year=start.year + NEAR_THE_END), 1) == []
        return
    first = start - timedelta(seconds=1)
    found = list(islice(ours.walk(first, start + timedelta(days=9000 if parts.has_times else 10)), 30))
    assert found == by_dateutil(rule, start, len(found))
    if found:
        assert ours.next_after(start - timedelta(days=400)) == found[0]
    for instant in found[1::7]:
        assert ours.next_after(instant - timedelta(microseconds=1)) == instant


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(("HOURLY", "MINUTELY", "SECONDLY")),
    st.integers(1, 400),
    st.integers(0, 400),
    st.datetimes(datetime(2020, 1, 1), datetime(2020, 12, 31)),
    st.sets(st.sampled_from(("BYHOUR", "BYMINUTE", "BYSECOND", "BYDAY", "BYMONTH", "BYMONTHDAY"))),
)
def test_an_instant_that_fits_every_part_is_a_slot(
    freq: str, interval: int, steps: int, start: datetime, names: set[str]
) -> None:
    start = start.replace(microsecond=0, tzinfo=UTC)
    unit = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}[freq]
    slot = start + timedelta(seconds=unit * interval * steps)
    values = {"BYHOUR": slot.hour, "BYMINUTE": slot.minute, "BYSECOND": slot.second, "BYMONTH": slot.month}
    values |= {"BYMONTHDAY": slot.day}
    parts = [f"{name}={WEEKDAYS[slot.weekday()] if name == 'BYDAY' else values[name]}" for name in sorted(names)]
    rule = RRule(";".join([f"FREQ={freq}", f"INTERVAL={interval}", *parts]), start, "UTC")
    assert rule.next_after(slot - timedelta(seconds=1)) == slot


@pytest.mark.parametrize(
    ("rule", "timezone", "after", "until", "expected"),
    [
        # 02:00–03:00 doesn't exist on 8 March 2026: a fixed time runs once, at the gap's end.
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30", NEW_YORK, utc(2026, 3, 8), utc(2026, 3, 9), [utc(2026, 3, 8, 7)]),
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=0,15,30", NEW_YORK, utc(2026, 3, 8), utc(2026, 3, 9), [utc(2026, 3, 8, 7)]),
        # All day long: no instants in the gap, both passes of a repeat.
        ("FREQ=HOURLY;BYMINUTE=30", NEW_YORK, utc(2026, 3, 8, 6), utc(2026, 3, 8, 8), [utc(2026, 3, 8, 6, 30), utc(2026, 3, 8, 7, 30)]),
        ("FREQ=MINUTELY;BYHOUR=2", NEW_YORK, utc(2026, 3, 8), utc(2026, 3, 9), []),
        ("FREQ=DAILY;BYHOUR=1;BYMINUTE=30", NEW_YORK, utc(2026, 11, 1), utc(2026, 11, 2), [utc(2026, 11, 1, 5, 30)]),
        ("FREQ=HOURLY;BYMINUTE=30", NEW_YORK, utc(2026, 11, 1, 5), utc(2026, 11, 1, 7), [utc(2026, 11, 1, 5, 30), utc(2026, 11, 1, 6, 30)]),
        ("FREQ=MINUTELY;BYHOUR=1;BYMINUTE=20,40", NEW_YORK, utc(2026, 11, 1, 5, 30), utc(2026, 11, 2, 5),
         [utc(2026, 11, 1, 5, 40), utc(2026, 11, 1, 6, 20), utc(2026, 11, 1, 6, 40)]),
        # Clocks that go back over midnight, from 00:01 to 23:01 of the day before.
        ("FREQ=HOURLY;BYMINUTE=30", "America/St_Johns", utc(2010, 11, 7, 2, 30, 30), utc(2010, 11, 7, 4, 30),
         [utc(2010, 11, 7, 3), utc(2010, 11, 7, 4)]),
        # A whole day that never was.
        ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=30;BYHOUR=12;BYMINUTE=0", "Pacific/Apia", utc(2011, 12, 29), utc(2012, 1, 1),
         [utc(2011, 12, 30, 10)]),
        ("FREQ=MONTHLY;BYDAY=2MO;BYHOUR=9;BYMINUTE=0", "Asia/Seoul", utc(2026, 10, 1), utc(2026, 12, 1),
         [utc(2026, 10, 12), utc(2026, 11, 9)]),
        ("FREQ=HOURLY;BYMINUTE=0,20,40;BYSETPOS=-2", "UTC", utc(2026, 11, 1), utc(2026, 11, 1, 2),
         [utc(2026, 11, 1, 0, 20), utc(2026, 11, 1, 1, 20)]),
        # An UNTIL that the clocks never show, and one that they show twice.
        ("FREQ=HOURLY;BYMINUTE=0,30;UNTIL=20260308T021500", NEW_YORK, utc(2026, 3, 8, 6), utc(2026, 3, 9), [utc(2026, 3, 8, 6, 30)]),
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30;UNTIL=20260308T024500", NEW_YORK, utc(2026, 3, 8), utc(2026, 3, 10), [utc(2026, 3, 8, 7)]),
        ("FREQ=DAILY;BYHOUR=2;BYMINUTE=30;UNTIL=20260308T021500", NEW_YORK, utc(2026, 3, 8), utc(2026, 3, 10), []),
        ("FREQ=HOURLY;BYMINUTE=15,45;UNTIL=20261101T013000", NEW_YORK, utc(2026, 11, 1, 5), utc(2026, 11, 2),
         [utc(2026, 11, 1, 5, 15), utc(2026, 11, 1, 6, 15)]),
        # A plain weekday beside an nth one: each of them.
        ("FREQ=MONTHLY;BYDAY=MO,2TU;BYHOUR=0;BYMINUTE=0", "UTC", utc(2026, 11, 1), utc(2026, 11, 15),
         [utc(2026, 11, 2), utc(2026, 11, 9), utc(2026, 11, 10)]),
    ],
)  # fmt: skip
def test_across_clock_changes_and_zones(
    rule: str, timezone: str, after: datetime, until: datetime, expected: list[datetime]
) -> None:
    assert RRule(f"{rule};BYSECOND=0", utc(2010, 1, 1), timezone).between(after, until) == expected


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(("FREQ=DAILY;BYHOUR=1,2,3;BYMINUTE=30", "FREQ=HOURLY;BYMINUTE=0,30", "FREQ=MINUTELY;INTERVAL=7")),
    st.sampled_from((NEW_YORK, "Europe/Berlin", "Australia/Lord_Howe", "Asia/Seoul")),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 30)),
)
@example("FREQ=HOURLY;BYMINUTE=0,30", NEW_YORK, datetime(2026, 11, 1, 0))
@example("FREQ=MINUTELY;INTERVAL=7", "Australia/Lord_Howe", datetime(2026, 4, 4, 9))
def test_in_a_zone_it_is_every_instant_whose_clock_shows_a_reading(rule: str, timezone: str, at: datetime) -> None:
    """Against dateutil's readings and the clock itself, asked about each minute of a day."""
    tz, after = ZoneInfo(timezone), at.replace(second=0, microsecond=0, tzinfo=UTC)
    begin = after - timedelta(days=2)
    ours = RRule(rule, begin, timezone)
    start = begin.astimezone(tz).replace(tzinfo=None)
    near = after.astimezone(tz).replace(tzinfo=None)
    wanted = set(rrulestr(rule, dtstart=start).between(near - timedelta(days=1), near + timedelta(days=3)))
    minutes = [after + timedelta(minutes=minute) for minute in range(1, 24 * 60 + 1)]
    clocks = {minute: minute.astimezone(tz) for minute in minutes}
    expected = [m for m, local in clocks.items() if local.replace(tzinfo=None, fold=0) in wanted]
    if parse(rule).has_times:  # once in a repeat, and once at the end of a gap
        expected = [m for m in expected if not clocks[m].fold]
        for before, minute in pairwise(minutes):
            gap = clocks[minute].replace(tzinfo=None) - clocks[before].replace(tzinfo=None)
            swallowed = {
                clocks[before].replace(tzinfo=None) + timedelta(minutes=m) for m in range(1, gap.seconds // 60)
            }
            if gap.days == 0 and swallowed & wanted and minute not in expected:
                expected.append(minute)
    assert ours.between(after, minutes[-1]) == sorted(expected)


def test_what_the_rule_leaves_out_comes_from_dtstart_on_the_clocks_of_its_zone() -> None:
    start = datetime(2026, 1, 31, 9, 30, tzinfo=ZoneInfo(NEW_YORK))
    rule = RRule("FREQ=MONTHLY", start)
    assert (rule.timezone, rule.dtstart) == (NEW_YORK, utc(2026, 1, 31, 14, 30))
    assert rule.between(utc(2026, 1, 1), utc(2026, 6, 1)) == [
        utc(2026, 1, 31, 14, 30),
        utc(2026, 3, 31, 13, 30),
        utc(2026, 5, 31, 13, 30),
    ]
    assert RRule("FREQ=MONTHLY", start, "UTC").start == datetime(2026, 1, 31, 14, 30)


@pytest.mark.parametrize(
    ("end", "slots"),
    [
        ("COUNT=3", 3),
        ("UNTIL=20260104T000000Z", 4),  # 09:00 in Seoul
        ("UNTIL=20260104T085959", 3),
        ("UNTIL=20260104T090000", 4),
        ("COUNT=9;UNTIL=20260104T090000", 4),
        ("COUNT=1;UNTIL=20260104T090000", 1),
        ("UNTIL=99991231T235959", 10),
    ],
)
def test_it_ends(end: str, slots: int) -> None:
    rule = RRule(f"FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0;{end}", utc(2025, 12, 31, 20), "Asia/Seoul")
    found = rule.between(utc(2025, 12, 1), utc(2026, 1, 10, 12))
    assert found == [utc(2026, 1, 1) + timedelta(days=day) for day in range(slots)]


@pytest.mark.parametrize("rule", ["FREQ=MINUTELY", "FREQ=SECONDLY", "FREQ=SECONDLY;BYMONTH=2;BYHOUR=9;BYMINUTE=59"])
def test_a_year_old_rule_costs_no_more_than_a_new_one(rule: str) -> None:
    at = utc(2026, 11, 22, 1, 2, 3)
    old = RRule(rule, at - timedelta(days=365), "Asia/Seoul")
    old.next_after(at)
    took = []
    for _ in range(20):
        begun = time.thread_time()
        old.next_after(at)
        took.append(time.thread_time() - begun)
    assert min(took) < 0.001


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MINUTELY;INTERVAL=2;BYMINUTE=1",
        "FREQ=SECONDLY;INTERVAL=604800;BYDAY=TU",
        "FREQ=DAILY;INTERVAL=7;BYDAY=TU",
        "FREQ=SECONDLY;INTERVAL=86399;BYHOUR=10;BYMINUTE=0;BYSECOND=0",
        "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31;BYSETPOS=1",
        "FREQ=WEEKLY;BYSETPOS=2",
        "FREQ=HOURLY;BYMINUTE=5;BYSETPOS=3",
    ],
)
def test_what_never_occurs_is_refused_at_once(rule: str) -> None:
    begun = time.thread_time()
    with pytest.raises(SpecError, match="never occurs") as caught:
        RRule(rule, utc(2020, 2, 29, 9, 30), "UTC")
    assert time.thread_time() - begun < 0.5
    assert caught.value.text("ko") != caught.value.text("en")


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "DAILY",
        "FREQ=FORTNIGHTLY",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=YEARLY;INTERVAL=99999999999",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;BYHOUR=24",
        "FREQ=DAILY;BYHOUR=",
        "FREQ=DAILY;BYHOUR=+-5",
        "FREQ=DAILY;BYMONTHDAY=0",
        "FREQ=DAILY;BYDAY=2MO",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=MONTHLY;BYDAY=XX",
        "FREQ=DAILY;UNTIL=20271231",
        "FREQ=DAILY;UNTIL=20271331T000000Z",
        "FREQ=DAILY;WKST=1",
        "DTSTART:20260101T000000\nRRULE:FREQ=DAILY",
        "FREQ=DAILY;X=1",
        "FREQ=DAILY;BYMINUTE=²",
        "FREQ=DAILY;" * 500,
    ],
)
def test_refuses_with_the_part_named(rule: str) -> None:
    with pytest.raises(SpecError) as caught:
        RRule(rule)
    assert caught.value.facts["field"] == "rule"
    assert caught.value.text("ko") != caught.value.text("en")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"dtstart": datetime(2026, 1, 1)}, "dtstart"),
        ({"dtstart": datetime(9000, 1, 1, tzinfo=UTC)}, "dtstart"),
        ({"timezone": "Asia/Nowhere"}, "timezone"),
        ({"rule": 3}, "rule"),
    ],
)
def test_other_fields_are_checked_too(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecError) as caught:
        RRule(**{"rule": "FREQ=DAILY", **changes})
    assert caught.value.facts["field"] == field


@given(rules())
def test_round_trips_through_text_and_json(rule: str) -> None:
    assert parse(str(parse(rule))) == parse(rule)
    try:
        whole = RRule(rule, START, "Asia/Seoul")
    except SpecError:
        return
    assert from_json(whole.to_json()) == whole
    assert from_json(RRule("rrule:freq=daily; byhour=9").to_json()) == RRule("FREQ=DAILY;BYHOUR=9")


def test_resolving_fills_in_only_what_is_open_and_an_edit_goes_on_from_the_kept_start() -> None:
    plain, now = RRule("FREQ=DAILY;INTERVAL=3"), utc(2026, 5, 1)
    kept = plain.resolved("Asia/Seoul", START)
    assert kept == RRule("FREQ=DAILY;INTERVAL=3", START, "Asia/Seoul")
    assert kept.resolved("UTC", now) is kept
    assert plain.going_on(kept, "Asia/Seoul", now) is kept
    assert plain.going_on(kept, "UTC", now) == plain.resolved("UTC", now)
    assert RRule("FREQ=DAILY").going_on(kept, "Asia/Seoul", now).anchor == now
