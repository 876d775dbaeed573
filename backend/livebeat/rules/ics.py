"""iCalendar text (RFC 5545) to a rule: when its events begin."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

from livebeat.errors import SpecError
from livebeat.rules.excluding import Excluding
from livebeat.rules.once import Once
from livebeat.rules.recurrence import Recurrence
from livebeat.rules.rrule import RRule
from livebeat.rules.union import Union
from livebeat.rules.zone import zone

_LENGTH = 1_000_000
_ORIGINAL = "RECURRENCE-ID"
_READ = {"DTSTART", "RRULE", "RDATE", "EXDATE", "EXRULE", _ORIGINAL}


def from_ics(text: str, timezone: str = "UTC") -> Recurrence:
    """The instants at which the calendar's events begin: RRULE, RDATE, EXDATE and moved or cancelled occurrences.

    `timezone` is for days and times that name no zone, where the calendar has no X-WR-TIMEZONE.

    Raises:
        SpecError: it is no calendar, has no event, or one that can't be used.
    """
    from icalendar import Calendar  # a third of a second that only who imports a calendar waits

    if not isinstance(text, str) or len(text) > _LENGTH:
        raise _refused("must be text of a million characters at most", "100만 자 이하의 문자열이어야 합니다")
    try:
        calendar = Calendar.from_ical(text)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _refused(
            f"is no iCalendar text, BEGIN:VCALENDAR to END:VCALENDAR ({error})",
            f"BEGIN:VCALENDAR부터 END:VCALENDAR까지의 iCalendar 문서가 아닙니다 ({error})",
        ) from None
    open_zone = str(calendar.get("X-WR-TIMEZONE", timezone))
    rules = list(_rules(calendar.walk("VEVENT"), open_zone))
    if not rules:
        raise _refused("has no VEVENT that takes place", "진행되는 VEVENT가 없습니다")
    return rules[0] if len(rules) == 1 else Union(rules)


def _rules(events: list[Any], open_zone: str) -> Iterator[Recurrence]:
    """One rule for each event that takes place. Occurrences that were moved or cancelled are events of the same UID
    with a RECURRENCE-ID, the instant that they were at."""
    zone(open_zone)
    for event in events:
        _check(event)
    for event in events:
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        if _ORIGINAL in event:
            yield Once(_instant(event["DTSTART"], event["DTSTART"].dt, open_zone))
            continue
        moved = [one[_ORIGINAL] for one in events if _ORIGINAL in one and one.get("UID") == event.get("UID")]
        yield from _rule(event, moved, open_zone)


def _rule(event: Any, moved: list[Any], open_zone: str) -> Iterator[Recurrence]:
    start = event["DTSTART"]
    begin = _instant(start, start.dt, open_zone)
    name = _zone_name(start, start.dt, open_zone)
    rules: list[Recurrence] = [RRule(_text(part), begin, name) for part in _listed(event.get("RRULE"))] or [Once(begin)]
    rules += [Once(_instant(prop, at, open_zone)) for prop, at in _dates(event, "RDATE")]
    whole = rules[0] if len(rules) == 1 else Union(rules)
    out = [*_dates(event, "EXDATE"), *((one, one.dt) for one in moved)]
    # Against an event of whole days, which begins at midnight, an exception is that instant.
    is_timed = isinstance(start.dt, datetime)
    days = [at for _, at in out if is_timed and not isinstance(at, datetime)]
    taken: list[Recurrence] = [Once(_instant(prop, at, open_zone)) for prop, at in out if at not in days]
    taken += [RRule(_text(part), begin, name) for part in _listed(event.get("EXRULE"))]
    try:
        yield Excluding(whole, days, taken, timezone=name) if days or taken else whole
    except SpecError as error:
        if error.facts["field"] != "recurrence":
            raise
        # Each of its occurrences was moved or taken out; those that were moved are events of their own.


def _check(event: Any) -> None:
    broken = [(name, why) for name, why in event.errors if name in _READ]
    if "DTSTART" not in event:
        broken.append(("DTSTART", "is missing"))
    for name, why in broken:
        raise _refused(
            f"has an event whose {name} can't be read: {why}", f"{name}을(를) 읽을 수 없는 일정이 있습니다: {why}"
        )


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _dates(event: Any, name: str) -> Iterator[tuple[Any, date]]:
    """Each day or time of a property, and the property; of a period, where it begins."""
    for prop in _listed(event.get(name)):
        for one in prop.dts:
            yield prop, one.dt[0] if isinstance(one.dt, tuple) else one.dt


def _text(part: Any) -> str:
    """The rule's text; UNTIL with a time, the day's last, where it is a day."""
    text: str = part.to_ical().decode()
    for until in part.get("UNTIL", []):
        if not isinstance(until, datetime):
            text = text.replace(f"UNTIL={until:%Y%m%d}", f"UNTIL={until:%Y%m%d}T235959")
    return text


def _instant(prop: Any, at: date, open_zone: str) -> datetime:
    wall = at if isinstance(at, datetime) else datetime.combine(at, time())
    if wall.tzinfo is None:
        wall = wall.replace(tzinfo=zone(_zone_name(prop, at, open_zone)))
    return wall.astimezone(UTC)


def _zone_name(prop: Any, at: date, open_zone: str) -> str:
    """The IANA name of the zone that a day or time is in."""
    tz = at.tzinfo if isinstance(at, datetime) else None
    named = getattr(tz, "key", None) or ("UTC" if tz is UTC else None)
    written = prop.params.get("TZID")
    if named is None and (tz is not None or written is not None):
        raise _refused(
            f"names the zone {written!r}, which is no IANA zone; write for example TZID=Asia/Seoul",
            f"시간대 {written!r}은(는) IANA 시간대가 아닙니다. 예: TZID=Asia/Seoul",
        )
    return str(named or open_zone)


def _refused(en: str, ko: str) -> SpecError:
    return SpecError("ics", en, ko)
