"""Livebeat's answers about a stretch of time beside the oracle's."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from livebeat.errors import SpecError
from livebeat.rules import from_json
from oracle.expected import due
from oracle.wallclock import Line, instant_of

_TICK = timedelta(microseconds=1)
_SHOWN = 3
#: A rule that is never due from here on is refused, whatever it was before.
_REFUSED_SINCE = datetime(2026, 1, 1, tzinfo=UTC)
#: So dense a rule is not walked a second time for its latest instant.
_DENSE = 500


def differences(
    rule: dict[str, Any], line_of: Callable[[str], Line], begin: int, length: int, asked: Iterable[datetime]
) -> Iterator[str]:
    """What differs in [begin, begin + length) minutes, and for the next instant after each one asked about.

    A part that Livebeat refuses because it never occurs must have no instant here that is still to come.
    """
    after, until = instant_of(begin) - _TICK, instant_of(begin + length) - _TICK
    try:
        ours = from_json(rule)
    except SpecError as error:
        part = _refused(rule)
        if any(at >= _REFUSED_SINCE for at in due(part, line_of)) or "never occurs" not in str(error):
            yield f"refused: {error} {part}"
        return
    expected = sorted(due(rule, line_of))
    found = ours.between(after, until)
    if found != expected:
        lacking, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
        yield f"between: lacking {_some(lacking)}, beyond {_some(extra)}, {len(found)} of {len(expected)}"
        return
    count = ours.count(after, until)
    if count not in {None, len(expected)}:
        yield f"count: {count} instead of {len(expected)}"
    if len(expected) < _DENSE and ours.latest(after, until) != (expected[-1] if expected else None):
        yield f"latest: {ours.latest(after, until)} instead of {expected[-1:]}"
    for instant in asked:
        index = bisect_right(expected, instant)
        slot = ours.next_after(instant)
        right = slot == expected[index] if index < len(expected) else slot is None or slot > until
        if not right:
            yield f"next_after({instant}): {slot} instead of {expected[index : index + 1]}"


def _refused(rule: dict[str, Any]) -> dict[str, Any]:
    """The innermost part of it that Livebeat refuses; itself where that is each part's fault together."""
    parts = [*rule.get("rules", ()), *([rule["rule"]] if isinstance(rule.get("rule"), dict) else ())]
    for part in parts:
        try:
            from_json(part)
        except SpecError:
            return _refused(part)
    return rule


def _some(instants: list[datetime]) -> str:
    more = "" if len(instants) <= _SHOWN else f" and {len(instants) - _SHOWN} more"
    return ", ".join(at.isoformat() for at in instants[:_SHOWN]) + more or "none"
