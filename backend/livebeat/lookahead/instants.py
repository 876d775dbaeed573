"""The next instants of a rule or a schedule on its own clocks, and what an edit would change, before it is saved."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from livebeat.cadence import changed
from livebeat.entry import StoredSchedule
from livebeat.errors import Language
from livebeat.lookahead.shifts import shift
from livebeat.rules import Bounded, Excluding, Recurrence, Union
from livebeat.rules.zone import zone as zone_of
from livebeat.spec import ScheduleSpec

_TICK = timedelta(microseconds=1)
#: Of rules that are due once in a decade; and the end of a zone's arithmetic.
_LOOK_BACK, _LAST_YEAR = timedelta(days=400), 9_900


@dataclass(frozen=True)
class Upcoming:
    """An instant to come, in UTC and on the rule's clocks. `shift` says in words what those clocks do there, if they do."""

    at: datetime
    local: datetime
    shift: str | None = None


@dataclass(frozen=True)
class Preview:
    """The next instants before and after an edit. `lost` and `gained` are those of the time that both lists cover."""

    before: tuple[Upcoming, ...]
    after: tuple[Upcoming, ...]
    lost: tuple[datetime, ...]
    gained: tuple[datetime, ...]


def upcoming(
    rule_or_stored: Recurrence | StoredSchedule,
    after: datetime,
    count: int,
    language: Language = "ko",
    *,
    zone: str = "UTC",
) -> list[Upcoming]:
    """The next `count` instants after `after`, fewer where there are no more.

    A rule's are those that it names; a schedule's those that it will run: none while it is paused without an end, set
    aside or finished, and not more than `max_runs` leaves. `zone` is for rules that have none, such as intervals.
    """
    if isinstance(rule_or_stored, StoredSchedule):
        rule, found = rule_or_stored.spec.rule, slots(rule_or_stored, after)
    else:
        rule, found = rule_or_stored, _instants(rule_or_stored, after)
    shown, previous = [], after
    for at in islice(found, count):
        shown.append(_upcoming(rule, previous, at, zone, language))
        previous = at
    return shown


def preview(
    stored: StoredSchedule | None,
    spec: ScheduleSpec,
    now: datetime,
    count: int,
    language: Language = "ko",
    *,
    zone: str = "UTC",
) -> Preview:
    """What saving `spec` at `now` would change; `stored` is the schedule as it is, None for a new one.

    `zone` is the Celery app's, which a rule without one gets.
    """
    edited = changed(spec, stored, by="", origin="", zone=zone, now=now)
    before = upcoming(stored, now, count, language, zone=zone) if stored else []
    after = upcoming(edited, now, count, language, zone=zone)
    seen = [at for at in (_seen_until(before, count), _seen_until(after, count)) if at is not None]
    old, new = {each.at for each in before}, {each.at for each in after}
    return Preview(
        tuple(before),
        tuple(after),
        _within(old - new, min(seen, default=None)),
        _within(new - old, min(seen, default=None)),
    )


def _seen_until(shown: list[Upcoming], count: int) -> datetime | None:
    """The instant up to which nothing is missing in a list; None where it is whole."""
    return shown[-1].at if shown and len(shown) == count else None


def _within(found: set[datetime], until: datetime | None) -> tuple[datetime, ...]:
    return tuple(sorted(at for at in found if until is None or at <= until))


def _instants(rule: Recurrence, after: datetime) -> Iterator[datetime]:
    instant = rule.next_after(after)
    while instant is not None:
        yield instant
        instant = rule.next_after(instant)


def slots(stored: StoredSchedule, after: datetime) -> Iterator[datetime]:
    """The slots that a schedule will run, as far as is known now."""
    if stored.problem:
        return
    ends, slot = stored.pause.until if stored.pause else None, stored.next_at
    if slot is None and ends is not None:
        slot = stored.spec.rule.next_after(ends)
    if slot is None:
        return
    found = _instants(stored.spec.rule, slot - _TICK)
    if stored.spec.max_runs is not None:
        found = islice(found, max(stored.spec.max_runs - stored.total_runs, 0))
    for at in found:
        if at > after:
            yield at


def _upcoming(rule: Recurrence, previous: datetime, at: datetime, zone: str, language: Language) -> Upcoming:
    due = next((leaf for leaf in _leaves(rule) if leaf.next_after(at - _TICK) == at), rule)
    tz = zone_of(getattr(due, "timezone", None) or zone)
    if at.year > _LAST_YEAR:
        return Upcoming(at, at)
    return Upcoming(at, at.astimezone(tz), shift(due, max(previous, at - _LOOK_BACK), at, tz, language))


def _leaves(rule: Recurrence) -> Iterator[Recurrence]:
    """The rules that name instants themselves."""
    if isinstance(rule, Union):
        for each in rule.rules:
            yield from _leaves(each)
    elif isinstance(rule, Excluding | Bounded):
        yield from _leaves(rule.rule)
    else:
        yield rule
