"""A rule as Celery's objects and RedBeat's JSON say it, to ours and back.

What RedBeat can't express gets its nearest form, and `is_redbeat_exact` says so.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import Any

from celery.schedules import crontab, schedule
from dateutil.rrule import weekday
from redbeat.decoder import RedBeatJSONEncoder
from redbeat.schedules import rrule

from livebeat import clock
from livebeat.errors import SpecError
from livebeat.rules import Cron, Excluding, Interval, Once, Recurrence, RRule, Union, from_json
from livebeat.rules.cron_fields import fields_of
from livebeat.rules.rrule_text import FREQUENCIES, MONTHLY, WEEKDAYS, Parts
from livebeat.rules.zone import keeps_offset, zone

_CRON_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
_RRULE_FIELDS = (
    "bysetpos", "bymonth", "bymonthday", "byyearday", "byeaster", "byweekno", "byhour", "byminute", "bysecond",
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_redbeat_exact(recurrence: Recurrence, app_zone: str) -> bool:
    """Whether RedBeat's nearest form fires at the same instants.

    RedBeat reads a cron rule in the app's zone, without seconds, and an rrule at the offset from UTC that its dtstart
    had. It knows no ordinal weekdays (2MO), though most have another form, no fractions of a second, no unions and
    nothing left out; and what a clock change does to a rule can't be chosen there.
    """
    if isinstance(recurrence, Interval):
        return True
    if isinstance(recurrence, Cron):
        is_plain = recurrence.gap == "next_valid" and recurrence.repeat is None
        return is_plain and recurrence.timezone in {None, app_zone} and fields_of(recurrence.expression).seconds == (0,)
    if isinstance(recurrence, Once):
        return not recurrence.at.microsecond
    if isinstance(recurrence, RRule):
        parts = recurrence.parts
        has_one_end = parts.count is None or parts.until is None
        fixed = keeps_offset(recurrence.timezone or app_zone, recurrence.dtstart or _EPOCH)
        return fixed and has_one_end and (_without_ordinals(parts) is not None)
    return False


def from_celery(rule: Any) -> Recurrence:
    """The rule of a Celery schedule object (`crontab`, `schedule`, seconds or timedelta), or RedBeat's `rrule`.

    Raises:
        SpecError: a kind that has no rule here.
    """
    if isinstance(rule, int | float | timedelta):
        rule = schedule(rule)
    if isinstance(rule, crontab):
        return Cron(" ".join(_cron_field(getattr(rule, f"_orig_{name}")) for name in _CRON_FIELDS))
    if isinstance(rule, schedule):
        return Interval(every=rule.run_every)
    if isinstance(rule, rrule):
        return RRule(_rrule_text(lambda name: getattr(rule, name), rule.until), rule.dtstart, _zone_name(rule.dtstart))
    raise SpecError(
        "schedule",
        f"{type(rule).__name__} is not supported; use crontab, schedule, rrule or seconds",
        f"{type(rule).__name__}은(는) 지원하지 않습니다. crontab, schedule, rrule 또는 초를 사용하세요",
    )


def to_celery(recurrence: Recurrence) -> Any:
    """The Celery object nearest to a rule, which RedBeat's encoder can write.

    Of a union its first rule, so that nothing runs when nothing is due; of a rule without some instants the whole
    rule; of a cron with seconds the minutes, once each, or an interval of as many runs where it runs in every minute.
    """
    if isinstance(recurrence, Union):
        return to_celery(recurrence.rules[0])
    if isinstance(recurrence, Excluding):
        return to_celery(recurrence.rule)
    if isinstance(recurrence, Cron):
        return _to_crontab(recurrence)
    if isinstance(recurrence, Interval):
        return schedule(recurrence.every)
    if isinstance(recurrence, Once):
        return rrule("DAILY", dtstart=recurrence.at, count=1)
    if isinstance(recurrence, RRule):
        return _to_rrule(recurrence)
    raise SpecError("recurrence", f"{type(recurrence).__name__} has no form that RedBeat can read")


def from_redbeat(data: Any) -> Recurrence:
    """The rule of the `schedule` in RedBeat's `definition`.

    Raises:
        SpecError: a kind that has no rule here.
    """
    kind = data.get("__type__") if isinstance(data, dict) else None
    if kind == "crontab":
        return Cron(" ".join(_cron_field(data.get(name, "*")) for name in _CRON_FIELDS))
    if kind == "interval":
        every = data.get("every")
        if not isinstance(every, int | float):
            raise SpecError("schedule", f"every is {every!r}; it must be a number of seconds")
        return Interval(seconds=every)
    if kind == "rrule":
        return _from_rrule(data)
    raise SpecError(
        "schedule",
        f"RedBeat's {kind!r} schedules are not known; known are crontab, interval and rrule",
        f"RedBeat의 {kind!r} 스케줄은 알 수 없습니다. 사용 가능: crontab, interval, rrule",
    )


def as_left(ours: dict[str, Any], trusted: bool, theirs: Any, last_run_at: datetime | None, zone: str) -> Recurrence:
    """The rule of an entry: `ours` is our JSON beside it, `trusted` if it belongs to the definition that lies there.

    What RedBeat's own code saved wins where it says something else. An interval that a stock beat went on with counts
    from that beat's last run: the slots of our own count may lie anywhere between its runs by then.
    """
    if not trusted:
        written = from_redbeat(theirs)
        kept = from_json(ours["recurrence"]) if ours.get("recurrence") else None
        if kept is None or not _same_in_redbeat(kept, written):
            return written.resolved(zone, last_run_at or _EPOCH)
    else:
        kept = from_json(ours["recurrence"])
    if isinstance(kept, Interval) and last_run_at and _was_run_by_another(ours, last_run_at):
        return kept if kept.has(last_run_at) else Interval(every=kept.every, anchor=last_run_at)
    return kept


def _was_run_by_another(ours: dict[str, Any], last_run_at: datetime) -> bool:
    """Ours is a slot before `next`, or the instant of an edit; a stock beat writes when it sent, and leaves `next`."""
    if ours.get("next") is None or clock.to_epoch(last_run_at) < float(ours["next"]):
        return False
    return last_run_at.isoformat() != ours.get("at")


def _same_in_redbeat(kept: Recurrence, written: Recurrence) -> bool:
    return from_redbeat(json.loads(json.dumps(to_celery(kept), cls=RedBeatJSONEncoder))) == written


def _to_crontab(rule: Cron) -> Any:
    minute, hour, day, month, weekday = rule.expression.split()[-len(_CRON_FIELDS) :]
    seconds = fields_of(rule.expression).seconds
    if len(seconds) > 1 and {minute, hour, day, month, weekday} == {"*"}:
        return schedule(timedelta(seconds=60 / len(seconds)))
    return crontab(minute, hour, day_of_month=day, month_of_year=month, day_of_week=weekday)


def _to_rrule(rule: RRule) -> Any:
    parts = rule.parts
    by: dict[str, Any] = {name: list(numbers) for name, numbers in parts.by.items()}
    days, limits = _without_ordinals(parts) or (tuple(dict.fromkeys(day for day, _ in parts.days)), {})
    if days:
        by["byweekday"] = [weekday(day) for day in days]  # as its users write it
    return rrule(
        parts.freq,
        dtstart=(rule.dtstart or _EPOCH).astimezone(zone(rule.timezone or "UTC")),
        interval=parts.interval,
        wkst=parts.wkst or None,
        count=parts.count if rule.until is None else None,  # dateutil takes one of them
        until=rule.until,
        **by,
        **limits,
    )


def _without_ordinals(parts: Parts) -> tuple[tuple[int, ...], dict[str, list[int]]] | None:
    """Weekdays without ordinals, and the days that say the same (2MO = a Monday from the 8th to the 14th).

    None where there is no such form.
    """
    weekdays = tuple(dict.fromkeys(day for day, _ in parts.days))
    ordinals = {nth for _, nth in parts.days}
    if ordinals <= {0}:
        return weekdays, {}
    in_month = parts.freq == MONTHLY or "bymonth" in parts.by
    name, most = ("bymonthday", 31) if in_month else ("byyearday", 366)
    if 0 in ordinals or name in parts.by or set(parts.days) != set(product(weekdays, ordinals)):
        return None
    days = {sign * day for nth in ordinals for sign in (nth // abs(nth),) for day in _days_of_nth(abs(nth), most)}
    return weekdays, {name: sorted(days)}


def _days_of_nth(nth: int, most: int) -> range:
    return range(7 * nth - 6, min(7 * nth, most) + 1)


def _from_rrule(data: Mapping[str, Any]) -> RRule:
    try:
        start, until = (_instant(data.get(name), data.get(f"{name}_tz")) for name in ("dtstart", "until"))
        return RRule(_rrule_text(data.get, until), start, _zone_name(start))
    except (TypeError, ValueError, IndexError, KeyError, AttributeError, OverflowError, OSError) as error:
        raise SpecError(
            "schedule", f"RedBeat's rrule can't be read: {error}", f"RedBeat의 rrule을 읽을 수 없습니다: {error}"
        ) from None


def _instant(timestamp: Any, offset_minutes: Any) -> datetime | None:
    if timestamp is None:
        return None
    return clock.from_epoch(timestamp).astimezone(timezone(timedelta(minutes=offset_minutes or 0)))


def _zone_name(start: datetime | None) -> str | None:
    """The zone's own name, or its offset as `+09:00`; None, for the app's, where there is neither."""
    if start is None:
        return None
    named = getattr(start.tzinfo, "key", None)
    text = start.strftime("%z")
    if named or len(text) != len("+0900"):
        return named
    return "UTC" if text == "+0000" else f"{text[:3]}:{text[3:]}"


def _rrule_text(value_of: Callable[[str], Any], until: datetime | None) -> str:
    """The RFC 5545 text of a rule whose parts have dateutil's names."""
    return ";".join(f"{name}={value}" for name, value in _rrule_pairs(value_of, until))


def _rrule_pairs(value_of: Callable[[str], Any], until: datetime | None) -> Iterator[tuple[str, Any]]:
    freq, week_start, count = value_of("freq"), value_of("wkst"), value_of("count")
    yield "FREQ", freq if isinstance(freq, str) else FREQUENCIES[freq]
    if value_of("interval") not in {None, 1}:
        yield "INTERVAL", value_of("interval")
    if week_start is not None:
        yield "WKST", _weekday(week_start, freq)
    if count is not None:
        yield "COUNT", count
    if until is not None:
        yield "UNTIL", until.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    for name in _RRULE_FIELDS:
        if numbers := _list(value_of(name)):
            yield name.upper(), ",".join(map(str, numbers))
    if weekdays := _list(value_of("byweekday")):
        yield "BYDAY", ",".join(_weekday(day, freq) for day in weekdays)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, Iterable) and not isinstance(value, Mapping) else [value]


def _weekday(value: Any, freq: Any) -> str:
    """`MO` or `2MO` of a number, of dateutil's weekday or of RedBeat's JSON for one."""
    if isinstance(value, Mapping):
        value = value["wkday"]
    number = getattr(value, "weekday", value)
    nth = getattr(value, "n", None) if freq in {0, 1, *FREQUENCIES[:2]} else None  # dateutil ignores it elsewhere
    return f"{nth or ''}{WEEKDAYS[number]}"


def _cron_field(value: Any) -> str:
    """One field's text; a field may be a number or any collection of numbers, too."""
    if isinstance(value, Iterable) and not isinstance(value, str):
        value = ",".join(str(part) for part in value)
    return str(value).replace(" ", "")
