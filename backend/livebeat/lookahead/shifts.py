"""What the clocks do at an instant of a rule, in words: why it is not where the rule says, or is there twice."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone, tzinfo

from livebeat.errors import Language
from livebeat.rules import Cron, Recurrence, RRule
from livebeat.rules.zone import Stretch, instants, stretch

_TICK = timedelta(microseconds=1)
_MOST_NAMED = 3


def shift(rule: Recurrence, previous: datetime, at: datetime, tz: tzinfo, language: Language) -> str | None:
    """What the clocks of `tz` do to `at`, an instant of `rule` (no union) whose instant before is `previous`."""
    changes = list(_changes(previous, at, tz))
    for now in changes:
        if now.left < now.opens and (words := _gap(rule, now, at, tz, language)):
            return words
    passes = instants(_wall(at, tz), tz)
    if len(passes) == 2:
        return _repeat(rule, passes, at, tz, language)
    return _set(changes[-1], language) if changes else None


def _changes(after: datetime, until: datetime, tz: tzinfo) -> Iterator[Stretch]:
    """The stretches that begin in (after, until] with the clocks being set."""
    now = stretch(after, tz)
    while now.end <= until:
        now = stretch(now.end, tz)
        if now.begin > after and now.left != now.opens:
            yield now
            after = now.begin


def _wall(at: datetime, tz: tzinfo) -> datetime:
    return at.astimezone(tz).replace(tzinfo=None, fold=0)


def _gap(rule: Recurrence, now: Stretch, at: datetime, tz: tzinfo, language: Language) -> str | None:
    """Of readings that the clocks jumped over when `now` began: where they went."""
    if not isinstance(rule, Cron | RRule) or not rule.has_times or (rule.gap != "skip" and at != now.begin):
        return None
    missing = _swallowed(rule, now)
    if not missing:
        return None
    ko = language == "ko"
    if rule.gap == "skip":
        named = _named(missing, None)
        if ko:
            return f"{named}{_topic(missing[-1])} 시계를 앞당겨 없는 시각이라 건너뜁니다"
        do, are = ("do", "are") if len(missing) > 1 else ("does", "is")
        return f"{named} {do} not exist and {are} left out: the clocks are set forward"
    beside = now.left if now.left.date() == now.opens.date() else None
    set_at, named, end = _at(now.left, beside), _named(missing, beside), _at(now.opens, beside)
    if ko:
        return f"{set_at}에 시계를 앞당겨 {named}{_subject(missing[-1])} 없습니다. {end}에 실행합니다"
    do = "do" if len(missing) > 1 else "does"
    return f"{named} {do} not exist, the clocks are set forward at {set_at}: runs at {end}"


def _swallowed(rule: Cron | RRule, now: Stretch) -> list[datetime]:
    """The readings that the rule says and the clocks jumped over: its own on clocks that are never set."""
    offset = now.left - now.begin.replace(tzinfo=None)
    if offset % timedelta(minutes=1):
        return []  # local mean time, a century ago
    fixed, name = timezone(offset), _offset_name(offset)
    unset: Recurrence = replace(rule, timezone=name)
    if isinstance(rule, RRule) and rule.dtstart:
        unset = replace(rule, timezone=name, dtstart=rule.start.replace(tzinfo=fixed))
    found = unset.between(now.begin - _TICK, now.begin + (now.opens - now.left) - _TICK)
    return [at.astimezone(fixed).replace(tzinfo=None) for at in found]


def _repeat(rule: Recurrence, passes: Sequence[datetime], at: datetime, tz: tzinfo, language: Language) -> str:
    ko, wall = language == "ko", _wall(at, tz)
    back = stretch(passes[1], tz)
    set_at, reading, second = _at(back.left, wall), _at(wall, wall), at == passes[1]
    other = passes[0] if second else passes[1]
    if rule.next_after(other - _TICK) != other:
        if ko:
            which = "두 번째" if second else "첫 번째"
            return f"{set_at}에 시계를 되돌려 {reading}{_subject(wall)} 두 번 옵니다. {which}에 한 번만 실행합니다"
        which = "second" if second else "first"
        return f"runs once, the {which} time that it is {reading}: the clocks are set back at {set_at}"
    if ko:
        which = "두 번째" if second else "첫 번째"
        return f"{set_at}에 시계를 되돌려 {reading}{_subject(wall)} 두 번 옵니다. 두 번 실행하며 이번이 {which}입니다"
    if second:
        return f"runs again: the clocks were set back at {set_at}, and it is {reading} for the second time"
    return f"runs twice: the clocks are set back at {set_at}, and it will be {reading} again"


def _set(now: Stretch, language: Language) -> str:
    when, name, forward = f"{now.left:%Y-%m-%d %H:%M}", _offset_name(now.offset), now.left < now.opens
    if language == "ko":
        return f"{when}에 시계를 {'앞당겨' if forward else '되돌려'} 이제부터 UTC{name}입니다"
    return f"the clocks were set {'forward' if forward else 'back'} at {when}: UTC{name} from here on"


def _named(readings: Sequence[datetime], beside: datetime | None) -> str:
    """The readings; a date only where it is not that of `beside`."""
    if len(readings) > _MOST_NAMED:
        return f"{_at(readings[0], beside)}–{_at(readings[-1], readings[0])}"
    return ", ".join(_named_each(readings, beside))


def _named_each(readings: Sequence[datetime], beside: datetime | None) -> Iterator[str]:
    for reading in readings:
        yield _at(reading, beside)
        beside = reading


def _at(moment: datetime, beside: datetime | None) -> str:
    """A reading of the clock, with its date where that is another than that of `beside`."""
    text = f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"
    return text if beside is not None and beside.date() == moment.date() else f"{moment:%Y-%m-%d} {text}"


def _offset_name(offset: timedelta) -> str:
    sign, minutes = ("-", -offset) if offset < timedelta(0) else ("+", offset)
    hours, rest = divmod(minutes // timedelta(minutes=1), 60)
    return f"{sign}{hours:02d}:{rest:02d}"


def _subject(reading: datetime) -> str:
    return "이" if _ends_in_consonant(reading) else "가"


def _topic(reading: datetime) -> str:
    return "은" if _ends_in_consonant(reading) else "는"


def _ends_in_consonant(reading: datetime) -> bool:
    """Read aloud, a time ends in 시, 분 or 초; only 분 ends in a consonant."""
    return bool(reading.minute) and not reading.second
