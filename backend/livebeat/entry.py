"""A schedule as it lies in Redis: RedBeat's `definition` and `meta`, byte for byte in RedBeat's form, and ours beside.

`definition` and `meta` never hold anything of ours: an unknown key there kills a stock beat. What RedBeat can't
express stays in the `livebeat` field, with the nearest form in `definition`. Where somebody saved the entry without
us (the digest in ours no longer fits), the definition wins in the fields that it expresses.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from redbeat.decoder import RedBeatJSONDecoder, RedBeatJSONEncoder

from livebeat import clock
from livebeat.celery_rules import as_left, is_redbeat_exact, to_celery
from livebeat.errors import SpecError
from livebeat.spec import ScheduleSpec, instants

FIELDS = ("definition", "meta", "livebeat")
#: The score of what must not be dispatched; stock RedBeat ignores scores below zero, too.
OUT_OF_RANGE = -1.0
_NO_DELAY = timedelta()
_REDBEAT = RedBeatJSONDecoder()
#: `meta` as RedBeat's encoder and ours write it, in UTC; nearly all are so.
_META = re.compile(
    r'\{"last_run_at": \{"__type__": "datetime", "year": (\d{4}), "month": (\d\d?), "day": (\d\d?), "hour": (\d\d?), '
    r'"minute": (\d\d?), "second": (\d\d?), "microsecond": (\d{1,6}), "timezone": 0\.0\}(?:, "total_run_count": (\d+))?\}'
)
_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]
#: In our JSON; within a string of it the quotes would be escaped.
_NEXT = re.compile(r'"next": [^,}]+(, "due": [^,}]+)?')


class Raw(NamedTuple):
    """The three texts as read; '' where a field was absent."""

    definition: str = ""
    meta: str = ""
    livebeat: str = ""

    @property
    def digests(self) -> list[str]:
        """SHA-1 of each as Redis computes it, '' for an absent one."""
        return [digest(text) if text else "" for text in (self.definition, self.meta, self.livebeat)]


@dataclass(frozen=True)
class Pause:
    """Since when a schedule is paused, by whom and why, and the instant at which the beat resumes it, if there is one."""

    at: datetime
    note: str = ""
    until: datetime | None = None
    by: str = ""

    def to_json(self) -> dict[str, Any]:
        """A JSON object; `parse` gives an equal pause."""
        until = self.until.isoformat() if self.until else None
        return {"note": self.note, "until": until, "at": self.at.isoformat(), "by": self.by}

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Pause":
        """The pause of its JSON object."""
        until = datetime.fromisoformat(data["until"]) if data.get("until") else None
        return cls(datetime.fromisoformat(data["at"]), data.get("note", ""), until, data.get("by", ""))


@dataclass(frozen=True)
class Skipping:
    """Consecutive slots that did not run because of the overlap rule, and that no event has told yet: both ends
    included, and since when (Redis' time) it is so."""

    first: datetime
    last: datetime
    count: int
    since: datetime

    def to_json(self) -> dict[str, Any]:
        """A JSON object; `parse` gives an equal one."""
        return {
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "count": self.count,
            "since": self.since.isoformat(),
        }

    @classmethod
    def parse(cls, data: dict[str, Any]) -> "Skipping":
        """Of its JSON object."""
        first, last, since = (datetime.fromisoformat(data[name]) for name in ("from", "to", "since"))
        return cls(first, last, int(data["count"]), since)


@dataclass(frozen=True)
class StoredSchedule:
    """A schedule with its state.

    `next_at` is its next slot, None while it is paused, and for good once its rule has no further instant. `revision`
    counts its changes; `incarnation` tells it from an earlier schedule of the same name. `problem` says why it is set
    aside. `pause` tells of a pause that was made through Livebeat. `total_runs` counts the dispatched slots.
    """

    spec: ScheduleSpec
    revision: int
    incarnation: str
    next_at: datetime | None
    last_run_at: datetime | None
    total_runs: int
    origin: str
    by: str
    changed_at: datetime | None
    problem: str | None
    #: Written by us and untouched since; else `next_at` is only a hint.
    ours: bool
    #: Whether a stock RedBeat would run it at the same instants.
    redbeat_exact: bool
    #: The texts that it was read from; of one made or changed here, empty.
    raw: Raw
    pause: Pause | None = None
    skipping: Skipping | None = None

    @property
    def delay(self) -> timedelta:
        """How much later than its slot each of its dispatches is due: the same part of the jitter for all of them."""
        jitter = self.spec.jitter
        if not jitter:
            return _NO_DELAY
        part = int.from_bytes(hashlib.sha1(self.incarnation.encode(), usedforsecurity=False).digest()[:6]) / 2**48
        return timedelta(milliseconds=int(part * jitter * 1000))

    @property
    def score(self) -> float:
        """Epoch seconds at which the beat has to look at it: its next slot and its delay, or the end of its pause."""
        if self.next_at is not None:
            return clock.to_epoch(self.next_at + self.delay)
        ends = self.pause.until if self.pause else None
        return clock.to_epoch(ends) if ends else OUT_OF_RANGE


def digest(text: str) -> str:
    """SHA-1 in hex, as Redis' `sha1hex` gives it: a fingerprint, not a safeguard."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def encode_definition(spec: ScheduleSpec) -> str:
    """RedBeat's `definition`, by RedBeat's own encoder, in RedBeat's order."""
    definition = {
        "name": spec.name,
        "task": spec.task,
        "args": list(spec.args),
        "kwargs": dict(spec.kwargs),
        "options": dict(spec.options),
        "schedule": to_celery(spec.recurrence),
        "enabled": spec.enabled,
    }
    return json.dumps(definition, cls=RedBeatJSONEncoder)


def encode_meta(last_run_at: datetime | None, total_runs: int | None) -> str:
    """RedBeat's `meta`, as its encoder writes it; the count only where a run has been counted, as RedBeat does."""
    at = "null"
    if last_run_at is not None:
        utc = last_run_at.astimezone(UTC)
        at = (
            f'{{"__type__": "datetime", "year": {utc.year}, "month": {utc.month}, "day": {utc.day}, "hour": {utc.hour}, '
            f'"minute": {utc.minute}, "second": {utc.second}, "microsecond": {utc.microsecond}, "timezone": 0.0}}'
        )
    return f'{{"last_run_at": {at}, "total_run_count": {total_runs}}}' if total_runs else f'{{"last_run_at": {at}}}'


def encode_ours(stored: StoredSchedule, definition: str) -> str:
    """Our JSON beside `definition`."""
    spec = stored.spec
    ours = {
        "v": 1,
        "incarnation": stored.incarnation,
        "revision": stored.revision,
        **_next(stored.next_at, stored.delay),
        "digest": digest(definition),
        "recurrence": spec.recurrence.to_json(),
        "redbeat_exact": stored.redbeat_exact,
        "catchup": spec.catchup,
        "origin": stored.origin,
        "at": stored.changed_at.isoformat() if stored.changed_at else None,
    }
    optional = {
        "catchup_window": spec.catchup_window,
        "policies": spec.policies_to_json(),
        "skipping": stored.skipping.to_json() if stored.skipping else None,
        "pause": stored.pause.to_json() if stored.pause else None,
        "labels": list(spec.labels),
        "description": spec.description,
        "by": stored.by,
        "problem": stored.problem,
    }
    return json.dumps({**ours, **{name: value for name, value in optional.items() if value}}, ensure_ascii=False)


def advanced(ours: str, next_at: datetime | None, delay: timedelta = _NO_DELAY) -> str:
    """Our JSON as it lies there, for another slot: all that a dispatch changes in it."""
    if delay:
        return _NEXT.sub(json.dumps(_next(next_at, delay))[1:-1], ours, count=1)
    return _NEXT.sub(f'"next": {clock.to_epoch(next_at) if next_at else "null"}', ours, count=1)


def _next(next_at: datetime | None, delay: timedelta) -> dict[str, float | None]:
    """The slot that the score stands for, and the score itself where the dispatch is due later than the slot."""
    if next_at is None:
        return {"next": None}
    due = {"due": clock.to_epoch(next_at + delay)} if delay else {}
    return {"next": clock.to_epoch(next_at), **due}


def is_exact(spec: ScheduleSpec, app_zone: str) -> bool:
    """Whether a stock RedBeat would run it at the same instants."""
    narrowed = spec.start or spec.end or spec.max_runs or spec.jitter
    return not narrowed and is_redbeat_exact(spec.recurrence, app_zone)


def decode(name: str, raw: Raw, app_zone: str) -> StoredSchedule:
    """The schedule of an entry's three texts.

    Raises:
        SpecError: they can't be understood; says why.
    """
    try:
        return _decode(name, raw, app_zone)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise SpecError(
            "livebeat",
            f"can't be read ({type(error).__name__}: {error}); save the schedule again",
            f"읽을 수 없습니다 ({type(error).__name__}: {error}). 스케줄을 다시 저장하세요",
        ) from None


def _decode(name: str, raw: Raw, app_zone: str) -> StoredSchedule:
    definition = _object("definition", raw.definition)
    if definition.get("name", name) != name:
        raise SpecError("definition", f"is of {definition['name']!r}, but lies under the key of {name!r}")
    last_run_at, total_runs = _meta(raw.meta)
    ours = _object("livebeat", raw.livebeat) if raw.livebeat else {}
    trusted = bool(ours) and ours.get("digest") == digest(raw.definition)
    make = ScheduleSpec.unchecked if trusted else ScheduleSpec
    policies = ours.get("policies")
    spec = make(
        name=name,
        task=definition.get("task") or "",
        recurrence=as_left(ours, trusted, definition.get("schedule"), last_run_at, app_zone),
        args=tuple(definition.get("args") or ()) if trusted else definition.get("args") or (),
        kwargs=definition.get("kwargs") or {},
        options=definition.get("options") or {},
        enabled=bool(definition.get("enabled", True)),
        catchup=ours.get("catchup", "one"),
        catchup_window=ours.get("catchup_window"),
        labels=tuple(ours.get("labels", ())),
        description=ours.get("description", ""),
        **({**policies, **instants(policies)} if policies else {}),
    )
    next_score = ours.get("next")
    stored = object.__new__(StoredSchedule)  # a frozen one's own __init__ takes longer than all of this
    stored.__dict__.update(
        spec=spec,
        revision=int(ours.get("revision", 0)),
        incarnation=str(ours.get("incarnation", "")),
        next_at=clock.from_epoch(next_score) if next_score is not None else None,
        last_run_at=last_run_at,
        total_runs=total_runs,
        origin=str(ours.get("origin", "redbeat")),
        by=str(ours.get("by", "")),
        changed_at=datetime.fromisoformat(ours["at"]) if ours.get("at") else None,
        problem=ours.get("problem") if trusted else None,
        ours=trusted,
        redbeat_exact=is_exact(spec, app_zone),
        raw=raw,
        pause=Pause.parse(ours["pause"]) if ours.get("pause") and not spec.enabled else None,
        skipping=Skipping.parse(ours["skipping"]) if ours.get("skipping") else None,
    )
    return stored


def _meta(text: str) -> tuple[datetime | None, int]:
    if not text:
        return None, 0
    try:
        if found := _META.fullmatch(text):
            year, month, day, hour, minute, second, micro, runs = map(int, found.groups("0"))
            return datetime(year, month, day, hour, minute, second, micro, UTC), runs
        meta = _parsed(text)
        last_run_at = meta.get("last_run_at")
        if isinstance(last_run_at, dict):
            last_run_at = _REDBEAT.dict_to_object(last_run_at)
        count = int(meta.get("total_run_count") or 0)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise SpecError("meta", f"can't be read: {error}") from None
    if isinstance(last_run_at, datetime):
        return last_run_at.astimezone(UTC), count
    return None, count


def _parsed(text: str) -> Any:
    """`json.loads`, which spends half its time on white space, where there is none."""
    try:
        data, end = _scan(text, 0)
    except StopIteration:
        end = -1
    return data if end == len(text) else json.loads(text)


def _object(field: str, text: str) -> dict[str, Any]:
    try:
        data = _parsed(text)
    except ValueError as error:
        raise SpecError(field, f"is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise SpecError(field, "is not a JSON object")
    return data
