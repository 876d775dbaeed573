"""Calendars as they are exported: when their events begin."""

from datetime import UTC, datetime
from textwrap import dedent

import pytest

from livebeat import Once, RRule
from livebeat.errors import SpecError
from livebeat.rules import from_ics, from_json

SEOUL = "Asia/Seoul"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def calendar(*events: str, head: str = "") -> str:
    body = "".join(f"BEGIN:VEVENT\nUID:{n}\n{dedent(event).strip()}\nEND:VEVENT\n" for n, event in enumerate(events))
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//test//EN\n{head}{body}END:VCALENDAR\n"


@pytest.mark.parametrize(
    ("event", "rule"),
    [
        ("DTSTART;TZID=Asia/Seoul:20260105T090000\nRRULE:FREQ=WEEKLY;BYDAY=MO",
         RRule("FREQ=WEEKLY;BYDAY=MO", utc(2026, 1, 5), SEOUL)),
        ("DTSTART:20260105T090000Z\nRRULE:FREQ=DAILY;COUNT=3", RRule("FREQ=DAILY;COUNT=3", utc(2026, 1, 5, 9), "UTC")),
        ("DTSTART;TZID=Korea Standard Time:20260105T090000", Once(utc(2026, 1, 5))),
        ("DTSTART;VALUE=DATE:20260105\nRRULE:FREQ=YEARLY", RRule("FREQ=YEARLY", utc(2026, 1, 5), "UTC")),
        ("DTSTART:20260105T090000\nRRULE:FREQ=MONTHLY;BYDAY=2MO", RRule("FREQ=MONTHLY;BYDAY=2MO", utc(2026, 1, 5, 9), "UTC")),
        ("DTSTART;TZID=Asia/Seoul:20260105T090000\nRRULE:FREQ=DAILY;UNTIL=20260331",
         RRule("FREQ=DAILY;UNTIL=20260331T235959", utc(2026, 1, 5), SEOUL)),
    ],
)  # fmt: skip
def test_one_event_is_one_rule(event: str, rule: RRule | Once) -> None:
    assert from_ics(calendar(event)) == rule


@pytest.mark.parametrize(
    ("events", "slots"),
    [
        # Days taken out and put in.
        (["""
          DTSTART;TZID=Asia/Seoul:20260105T090000
          RRULE:FREQ=DAILY;COUNT=5
          EXDATE;TZID=Asia/Seoul:20260106T090000,20260107T090000
          EXDATE;VALUE=DATE:20260108
          RDATE;TZID=Asia/Seoul:20260120T100000
          """], [utc(2026, 1, 5), utc(2026, 1, 9), utc(2026, 1, 20, 1)]),
        # One occurrence of three moved by a day, one cancelled.
        (["""
          DTSTART;TZID=Asia/Seoul:20260105T090000
          RRULE:FREQ=WEEKLY;COUNT=3
          END:VEVENT
          BEGIN:VEVENT
          UID:0
          RECURRENCE-ID;TZID=Asia/Seoul:20260112T090000
          DTSTART;TZID=Asia/Seoul:20260113T090000
          END:VEVENT
          BEGIN:VEVENT
          UID:0
          RECURRENCE-ID;TZID=Asia/Seoul:20260119T090000
          DTSTART;TZID=Asia/Seoul:20260119T090000
          STATUS:CANCELLED
          """], [utc(2026, 1, 5), utc(2026, 1, 13)]),
        # A single event that was moved: nothing is left of the original.
        (["""
          DTSTART:20260105T090000Z
          END:VEVENT
          BEGIN:VEVENT
          UID:0
          RECURRENCE-ID:20260105T090000Z
          DTSTART:20260106T090000Z
          """], [utc(2026, 1, 6, 9)]),
        # Whole days: their exceptions are midnights as well.
        (["""
          DTSTART;VALUE=DATE:20260105
          RRULE:FREQ=DAILY;COUNT=3
          EXDATE;VALUE=DATE:20260106
          """], [utc(2026, 1, 5), utc(2026, 1, 7)]),
        # Two events are one union; a cancelled one is none.
        (["DTSTART:20260105T090000Z", "DTSTART:20260104T090000Z", "DTSTART:20260103T090000Z\nSTATUS:CANCELLED"],
         [utc(2026, 1, 4, 9), utc(2026, 1, 5, 9)]),
        (["DTSTART:20260105T090000Z\nRDATE;VALUE=PERIOD:20260107T090000Z/PT1H"], [utc(2026, 1, 5, 9), utc(2026, 1, 7, 9)]),
    ],
)  # fmt: skip
def test_occurrences_that_were_added_taken_out_moved_or_cancelled(events: list[str], slots: list[datetime]) -> None:
    rule = from_ics(calendar(*events))
    assert rule.between(utc(2025, 1, 1), utc(2027, 1, 1)) == slots
    assert from_json(rule.to_json()) == rule


def test_days_and_times_without_a_zone_are_in_the_calendars_or_in_the_one_given() -> None:
    event = "DTSTART;VALUE=DATE:20260105"
    assert from_ics(calendar(event, head="X-WR-TIMEZONE:America/New_York\n"), SEOUL) == Once(utc(2026, 1, 5, 5))
    assert from_ics(calendar(event), SEOUL) == Once(utc(2026, 1, 4, 15))
    assert from_ics(calendar("DTSTART:20260105T090000"), SEOUL) == Once(utc(2026, 1, 5))


def test_folded_lines_and_windows_line_ends_are_read() -> None:
    text = calendar("DTSTART;TZID=Asia/Seoul:20260105T090000\nRRULE:FREQ=WEEKLY;\n BYDAY=MO").replace("\n", "\r\n")
    assert from_ics(text) == RRule("FREQ=WEEKLY;BYDAY=MO", utc(2026, 1, 5), SEOUL)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "ics"),
        ("hello", "ics"),
        (calendar(), "ics"),
        (calendar("DTSTART:20260105T090000Z\nSTATUS:CANCELLED"), "ics"),
        (calendar("SUMMARY:no start"), "ics"),
        (calendar("DTSTART:soon"), "ics"),
        (calendar("DTSTART;TZID=Nowhere:20260105T090000"), "ics"),
        (calendar("DTSTART:20260105T090000Z\nRRULE:FREQ=FORTNIGHTLY"), "ics"),
        (calendar("DTSTART:20260105T090000Z\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "rule"),
        (calendar("DTSTART:20260105T090000Z", head="X-WR-TIMEZONE:Nowhere\n"), "timezone"),
        ("x" * 1_000_001, "ics"),
        (3, "ics"),
    ],
)
def test_what_cannot_be_used_is_refused(text: str, field: str) -> None:
    with pytest.raises(SpecError) as caught:
        from_ics(text)
    assert caught.value.facts["field"] == field
    assert caught.value.text("ko") != caught.value.text("en")
