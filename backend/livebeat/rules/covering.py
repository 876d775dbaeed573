"""Whether rules take away every instant of another one: what can be told from their texts alone."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from livebeat.rules.clocks import HORIZON, TICK
from livebeat.rules.cron import Cron
from livebeat.rules.cron_fields import fields_of
from livebeat.rules.interval import Interval
from livebeat.rules.recurrence import REFERENCE, Recurrence
from livebeat.rules.rrule import RRule
from livebeat.rules.union import Union
from livebeat.rules.zone import keeps_offset, stretch, zone

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class _Grid(NamedTuple):
    """The instants `phase` + k × `step`."""

    step: timedelta
    phase: datetime = _EPOCH

    def holds(self, other: "_Grid") -> bool:
        return not other.step % self.step and not (other.phase - self.phase) % self.step


def is_covered(rule: Recurrence, by: Collection[Recurrence]) -> bool:
    """Whether one of `by` is certainly due at every instant of `rule` (of a union: at every one of each part).

    False where only a search could tell.
    """
    if isinstance(rule, Union):
        return all(is_covered(part, by) for part in rule.rules)
    return any(_covers(one, rule) for one in by)


def _covers(one: Recurrence, rule: Recurrence) -> bool:
    if isinstance(one, Union):
        return is_covered(rule, one.rules)
    if one == rule:
        return True
    filled, lies_on = _filled(one), _lies_on(rule)
    if filled is not None and lies_on is not None and filled.holds(lies_on):
        return not _begins_later(one, rule)
    return isinstance(one, Cron) and isinstance(rule, Cron) and _accepts_all(one, rule)


def _filled(rule: Recurrence) -> _Grid | None:
    """The grid that the rule is due at the whole of."""
    if isinstance(rule, Interval):
        return _Grid(rule.every, rule.anchor or _EPOCH)
    if not isinstance(rule, Cron) or not _has_both_passes(rule):
        return None
    seconds, *others = fields_of(rule.expression)[:6]
    if [len(field) for field in others] != [60, 24, 31, 12, 7]:
        return None
    return _Grid(_SECOND) if len(seconds) == 60 else _Grid(_MINUTE, _EPOCH + seconds[0] * _SECOND)


def _lies_on(rule: Recurrence) -> _Grid | None:
    """A grid that holds every instant of the rule. Clocks are whole minutes from UTC."""
    if isinstance(rule, Interval):
        return _Grid(rule.every, rule.anchor or _EPOCH)
    if isinstance(rule, Cron):
        return _Grid(_MINUTE) if fields_of(rule.expression).seconds == (0,) else _Grid(_SECOND)
    return _Grid(_SECOND) if isinstance(rule, RRule) else None


def _begins_later(one: Recurrence, rule: Recurrence) -> bool:
    """Whether instants of `rule` that are still to come lie before the first one of an interval."""
    since = rule.anchor if isinstance(rule, Interval) else None
    return isinstance(one, Interval) and (one.anchor or REFERENCE) > max(since or REFERENCE, REFERENCE)


def _accepts_all(one: Cron, rule: Cron) -> bool:
    """Whether each field accepts what the other's does, in the same passes, and gaps make no difference."""
    pairs = zip(fields_of(one.expression)[:6], fields_of(rule.expression)[:6], strict=True)
    if one.timezone != rule.timezone or not all(set(accepted) >= set(wanted) for accepted, wanted in pairs):
        return False
    name = rule.timezone or "UTC"
    if keeps_offset(name, REFERENCE):
        return True
    has_passes = _has_both_passes(one) or _repeat(one) == _repeat(rule)
    return has_passes and all(
        one.next_after(end - TICK) == end for end in _gap_ends(zone(name)) if rule.next_after(end - TICK) == end
    )


def _gap_ends(tz: tzinfo) -> Iterator[datetime]:
    at = REFERENCE
    while at < REFERENCE + HORIZON:
        now = stretch(at, tz)
        if now.left < now.opens:
            yield now.begin
        at = now.end


def _has_both_passes(rule: Cron) -> bool:
    return _repeat(rule) == "both"


def _repeat(rule: Cron) -> str:
    return rule.repeat or ("first" if rule.has_times else "both")
