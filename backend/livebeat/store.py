"""`ScheduleStore`: the single write path of schedules.

Every change is one compare-and-set script: entry, score, event and wake together, or nothing. An edit counts from
now: it never makes a slot due that lies in the past, and leaves the cadence alone where the rule did not change.
"""

from typing import cast

from celery import Celery

from livebeat import clock
from livebeat.cadence import Progress, changed, meta_after
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
)
from livebeat.errors import (
    RevisionConflictError,
    ScheduleExistsError,
    ScheduleNotFoundError,
    SpecError,
)
from livebeat.events import HARD_CAP, encode
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
        progress: Progress | None = None,
    ) -> StoredSchedule:
        """Create or change a schedule; returns it as written. A new one goes on from `progress` instead of from now.

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
            zone, now = self._link.zone, self._link.now()
            written = changed(spec, current, by=by, origin=origin, zone=zone, now=now, progress=progress)
            kind = "schedule.changed" if raw.definition else "schedule.created"
            if self.write(written, raw, kind, previous=current, meta=meta_after(written, current, raw)):
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
        meta: str = "",
    ) -> bool:
        """Compare-and-set of one entry against the texts it was read as; the beat's own repairs come this way, too.

        `outside`: RedBeat's own code wrote the definition; it is left as it is. `meta`: the new one, '' leaves it.
        Returns False, and changes nothing, where somebody else was first.
        """
        keys = self._link.keys
        definition = raw.definition if outside else encode_definition(stored.spec)
        if not raw.meta and not meta:
            meta = encode_meta(stored.changed_at, stored.total_runs)
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
