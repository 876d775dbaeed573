"""`ScheduleStore`: the single write path of schedules.

Every change is one compare-and-set script: entry, score, event and wake together, or nothing. An edit counts from
now: it never makes a slot due that lies in the past, and leaves the cadence alone where the rule did not change.
"""

import uuid
from dataclasses import replace
from datetime import datetime
from typing import cast

from celery import Celery

from livebeat import clock
from livebeat.connection import Link, link
from livebeat.entry import (
    FIELDS,
    OUT_OF_RANGE,
    Raw,
    StoredSchedule,
    decode,
    encode_definition,
    encode_meta,
    encode_ours,
    is_redbeat_exact,
)
from livebeat.errors import (
    RevisionConflictError,
    ScheduleExistsError,
    ScheduleNotFoundError,
    SpecError,
)
from livebeat.events import HARD_CAP, encode
from livebeat.rules import Interval
from livebeat.spec import ScheduleSpec

#: Rounds of read, compare, write before a change gives up against others that keep winning.
_ROUNDS = 20


class ScheduleStore:
    """The schedules of one Celery app, in its Redis.

    `by` says who made a change, `origin` by which way (`api`, `file`, `python` …); both end up in the event.
    redis.RedisError passes through where Redis doesn't answer; then nothing or all of the change was made.
    """

    def __init__(self, app: Celery) -> None:
        self._app = app

    @property
    def _link(self) -> Link:
        return link(self._app)

    def get(self, name: str) -> StoredSchedule:
        """One schedule.

        Raises:
            ScheduleNotFoundError: none of this name.
            SpecError: it is there, but what lies in Redis can't be understood.
        """
        raw = self._read(self._link.keys.entry(name))
        if not raw.definition:
            raise ScheduleNotFoundError(name=name)
        return decode(name, raw, self._link.zone)

    def list(self) -> list[StoredSchedule]:
        """All schedules by name. One that can't be understood is left out; the beat sets it aside with its reason."""
        entry_keys = cast("list[str]", self._link.client.zrange(self._link.keys.schedule, 0, -1))
        pipeline = self._link.client.pipeline(transaction=False)
        for key in entry_keys:
            pipeline.hmget(key, list(FIELDS))
        found = []
        for key, values in zip(entry_keys, pipeline.execute(raise_on_error=False), strict=True):
            if isinstance(values, Exception):
                continue
            stored = self._current(self._link.keys.name(key), Raw(*(value or "" for value in values)))
            if stored is not None:
                found.append(stored)
        return sorted(found, key=lambda stored: stored.spec.name)

    def put(
        self,
        spec: ScheduleSpec,
        *,
        by: str = "",
        origin: str = "python",
        create_only: bool = False,
        expected_revision: int | None = None,
    ) -> StoredSchedule:
        """Create or change a schedule; returns it as written.

        Raises:
            NameRefusedError: the name would land on a key that isn't a schedule.
            ScheduleExistsError: `create_only`, and one of this name is there.
            RevisionConflictError: it isn't at `expected_revision` any more.
        """
        key = self._link.keys.entry(spec.name)
        for _ in range(_ROUNDS):
            raw = self._read(key)
            if create_only and raw.definition:
                raise ScheduleExistsError(name=spec.name)
            current = self._current(spec.name, raw)
            actual = current.revision if current else 0
            if expected_revision is not None and expected_revision != actual:
                raise RevisionConflictError(name=spec.name, actual=actual, expected=expected_revision)
            written = self._changed(spec, current, by, origin)
            kind = "schedule.changed" if raw.definition else "schedule.created"
            if self.write(written, raw, kind, previous=current):
                return written
        raise RevisionConflictError(name=spec.name, actual="?", expected=expected_revision)

    def delete(self, name: str, *, by: str = "", origin: str = "python") -> None:
        """Remove a schedule; its runs and history stay.

        Raises:
            ScheduleNotFoundError: none of this name.
        """
        keys = self._link.keys
        key = keys.entry(name)
        data = encode({"name": name, "by": by, "origin": origin})
        for _ in range(_ROUNDS):
            raw = self._read(key)
            if not raw.definition:
                raise ScheduleNotFoundError(name=name)
            arguments = [*raw.digests, "schedule.deleted", data, keys.wake, name, HARD_CAP]
            if self._link.script("delete", [key, keys.schedule, keys.events], arguments):
                return
        raise RevisionConflictError(name=name, actual="?", expected=None)

    def write(
        self,
        stored: StoredSchedule,
        raw: Raw,
        kind: str,
        *,
        previous: StoredSchedule | None = None,
        outside: bool = False,
    ) -> bool:
        """Compare-and-set of one entry against the texts it was read as; the beat's own repairs come this way, too.

        `outside`: RedBeat's own code wrote the definition; it is left as it is. Returns False, and changes nothing,
        where somebody else was first.
        """
        keys = self._link.keys
        definition = raw.definition if outside else encode_definition(stored.spec)
        meta = self._meta_after(stored, previous, raw)
        score = clock.to_epoch(stored.next_at) if stored.next_at else OUT_OF_RANGE
        data = {
            "name": stored.spec.name,
            "revision": stored.revision,
            "by": stored.by,
            "origin": stored.origin,
            "spec": stored.spec.to_json(),
            "before": previous.spec.to_json() if previous else None,
            "next": stored.next_at.isoformat() if stored.next_at else None,
            "outside": outside,
        }
        arguments = [*raw.digests, definition, meta, encode_ours(stored, definition), score]
        arguments += [kind, encode(data), keys.wake, stored.spec.name, HARD_CAP]
        entry = keys.entry(stored.spec.name)
        return bool(self._link.script("put", [entry, keys.schedule, keys.events], arguments))

    def _read(self, key: str) -> Raw:
        values = cast("list[str | None]", self._link.client.hmget(key, list(FIELDS)))
        return Raw(*(value or "" for value in values))

    def _current(self, name: str, raw: Raw) -> StoredSchedule | None:
        if not raw.definition:
            return None
        try:
            return decode(name, raw, self._link.zone)
        except SpecError:
            return None  # a put is the way to mend an entry that can't be understood

    def _changed(self, spec: ScheduleSpec, current: StoredSchedule | None, by: str, origin: str) -> StoredSchedule:
        now = self._link.now()
        spec = _resolved(spec, current, self._link.zone, now)
        return StoredSchedule(
            spec=spec,
            revision=current.revision + 1 if current else 1,
            incarnation=(current.incarnation if current else "") or uuid.uuid4().hex,
            next_at=_next_slot(spec, current, now),
            last_run_at=current.last_run_at if current else None,
            total_runs=current.total_runs if current else 0,
            origin=origin,
            by=by,
            changed_at=now,
            problem=None,
            ours=True,
            redbeat_exact=is_redbeat_exact(spec.recurrence, self._link.zone),
            raw=Raw(),
        )

    @staticmethod
    def _meta_after(stored: StoredSchedule, previous: StoredSchedule | None, raw: Raw) -> str:
        """A new `meta`, or '' to leave it. A new rule moves `last_run_at` to the edit, so that stock won't refire."""
        if raw.meta and previous and previous.spec.recurrence == stored.spec.recurrence:
            return ""
        return encode_meta(stored.changed_at, stored.total_runs)


def _resolved(spec: ScheduleSpec, current: StoredSchedule | None, zone: str, now: datetime) -> ScheduleSpec:
    """The spec with its rule made definite; an interval edited in other fields goes on counting from its anchor."""
    rule = spec.recurrence.resolved(zone, now.replace(microsecond=0))
    kept = current.spec.recurrence if current else None
    if isinstance(rule, Interval) and isinstance(kept, Interval) and spec.recurrence == Interval(every=kept.every):
        rule = kept
    return spec.with_changes(recurrence=rule)


def _next_slot(spec: ScheduleSpec, current: StoredSchedule | None, now: datetime) -> datetime | None:
    if not spec.enabled:
        return None
    untouched = current is not None and current.ours and current.spec.recurrence == spec.recurrence
    if untouched and current is not None and current.next_at is not None:
        return current.next_at
    return spec.recurrence.next_after(now)


def adopted(stored: StoredSchedule, app_zone: str, now: datetime) -> StoredSchedule:
    """An entry that RedBeat wrote, as ours: its score is a hint, its slot the rule's first after the last run.

    Where it had been ours and was saved from outside, an edit counts from now.
    """
    start = stored.last_run_at or now
    if stored.revision and not stored.ours:
        start = max(start, now)
    return replace(
        stored,
        revision=stored.revision + 1,
        incarnation=stored.incarnation or uuid.uuid4().hex,
        next_at=stored.spec.recurrence.next_after(start) if stored.spec.enabled else None,
        origin=stored.origin if stored.ours else "redbeat",
        changed_at=stored.changed_at if stored.ours else now,
        problem=None,
        ours=True,
        redbeat_exact=is_redbeat_exact(stored.spec.recurrence, app_zone),
    )
