"""`ScheduleStore`: the single write path of schedules.

Every change is one compare-and-set script: entry, score, event and wake together, or nothing. An edit counts from
now: it never makes a slot due that lies in the past, and leaves the cadence alone where the rule did not change.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from celery import Celery

from livebeat.cadence import Progress, changed, meta_after, paused, resumed
from livebeat.connection import Link, as_stored, link
from livebeat.delivery import Ledger, Run, Sent, admit
from livebeat.delivery.consumers import known_plain
from livebeat.delivery.demands import Demands
from livebeat.delivery.installation import installed
from livebeat.entry import (
    FIELDS,
    Pause,
    Raw,
    Skipping,
    StoredSchedule,
    decode,
    encode_definition,
    encode_ours,
)
from livebeat.errors import (
    RevisionConflictError,
    ScheduleExistsError,
    ScheduleNotFoundError,
    SpecError,
    StillRunningError,
)
from livebeat.events import HARD_CAP, encode
from livebeat.message import KIND_HEADER, REVISION_HEADER, SCHEDULE_HEADER, build
from livebeat.spec import ScheduleSpec

#: Entries that are read in one step.
PAGE = 256
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

    def texts(self, keys: Sequence[str]) -> list[Raw | str]:
        """What lies under entry keys, in one step; where that is no hash, Redis' error in its place. A page at most."""
        answers = self._link.script("read", [as_stored(key) for key in keys], [])
        return [found if isinstance(found, str) else Raw(*[text or "" for text in found]) for found in answers]

    def __iter__(self) -> Iterator[StoredSchedule]:
        """All schedules, each once, in no order, read page by page as they are asked for.

        Whatever was there all the while is among them, also where others edit and dispatch. One that can't be understood
        is left out; the beat sets it aside with its reason.
        """
        of, zone, seen, cursor = self._link, self._link.zone, set[str](), -1
        while cursor:
            found = of.client.zscan(of.keys.schedule, max(cursor, 0), count=PAGE)
            cursor, members = cast("tuple[int, list[tuple[str, float]]]", found)
            page = [key for key, _ in members if key not in seen]  # a growing index names some twice
            seen.update(page)
            for key, raw in zip(page, self.texts(page), strict=True):
                stored = None if isinstance(raw, str) else _understood(of.keys.name(key), raw, zone)
                if stored is not None:
                    yield stored

    def list(self) -> list[StoredSchedule]:
        """All schedules by name, as iteration gives them."""
        return sorted(self, key=lambda stored: stored.spec.name)

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
            SpecError: this app may not schedule it (`livebeat.install`), or the workers of its queue can't keep its policies.
            ScheduleExistsError: `create_only`, and one of this name is there.
            RevisionConflictError: it isn't at `expected_revision` any more.
        """
        key = self._link.keys.entry(spec.name)
        admit(self._app, spec)
        self._check_demands(spec)
        for _ in range(_ROUNDS):
            raw = self._read(key)
            if create_only and raw.definition:
                raise ScheduleExistsError(name=spec.name)
            current = _understood(spec.name, raw, self._link.zone)
            actual = current.revision if current else 0
            if expected_revision is not None and expected_revision != actual:
                raise RevisionConflictError(name=spec.name, actual=actual, expected=expected_revision)
            zone, now = self._link.zone, self._link.now()
            written = changed(spec, current, by=by, origin=origin, zone=zone, now=now, progress=progress)
            kind = "schedule.changed" if raw.definition else "schedule.created"
            if self.write(written, raw, kind, previous=current):
                return written
        raise RevisionConflictError(name=spec.name, actual="?", expected=expected_revision)

    def pause(
        self, name: str, *, note: str = "", until: datetime | None = None, by: str = "", origin: str = "python"
    ) -> StoredSchedule:
        """Stop dispatching a schedule, until somebody resumes it or the instant `until`; slots in between don't run.

        A schedule that is paused already takes over the new note and end. Returns it as it is then.

        Raises:
            ScheduleNotFoundError: none of this name.
            SpecError: `until` or `note` can't be used, or what lies in Redis can't be understood.
        """
        if not isinstance(note, str):
            raise SpecError("note", "must be text", "문자열이어야 합니다")

        def edit(current: StoredSchedule, now: datetime) -> StoredSchedule:
            return paused(current, Pause(at=now, note=note, until=_end_of_pause(until, now), by=by), origin=origin)

        return self._edit(name, "schedule.paused", edit)

    def resume(self, name: str, *, by: str = "", origin: str = "python") -> StoredSchedule:
        """Dispatch a schedule again, from its next slot after now; nothing is made up for. Returns it as it is then.

        One that isn't paused stays as it is.

        Raises:
            ScheduleNotFoundError: none of this name.
            SpecError: what lies in Redis can't be understood.
        """
        return self._edit(name, "schedule.resumed", lambda current, now: resumed(current, now, by=by, origin=origin))

    def trigger(self, name: str, *, by: str = "", origin: str = "python") -> Sent:
        """Run a schedule's task once, now, paused or not; its slots stay as they are. The overlap rule counts it as a run.

        The run goes through the ledger where `livebeat.install` was called for the app, and for the workers of its queue;
        else its message is only pushed.

        Raises:
            ScheduleNotFoundError: none of this name.
            SpecError: the app doesn't allow it, its policies can't be kept, or what lies in Redis can't be understood.
            StillRunningError: its overlap rule doesn't let it run now.
            TypeError: the arguments don't fit the task.
        """
        stored = self.get(name)
        spec, ledgered = stored.spec, installed(self._app)
        admit(self._app, spec)
        self._check_demands(spec)
        run = Run(str(uuid.uuid4()), spec.task, schedule=name, revision=stored.revision, kind="trigger")
        headers = {SCHEDULE_HEADER: name, REVISION_HEADER: run.revision, KIND_HEADER: run.kind}
        sent = (self._app, spec.task, spec.args, spec.kwargs)
        make = partial(build, *sent, run_id=run.run, headers=headers, options=spec.message_options)
        expires = spec.options.get("expires")
        expires_at = self._link.now().timestamp() + expires if isinstance(expires, int | float) else None
        under_way = Ledger(self._link).accept(
            make,
            run,
            expires_at=expires_at,
            overlap=spec.overlap,
            pause_after=spec.pause_after_failures,
            ledgered=ledgered,
            by=by,
            origin=origin,
        )
        if under_way != run.run:
            raise StillRunningError(name=name, run=under_way, overlap=spec.overlap)
        return Sent(run.run, accepted=True)

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
            current = _understood(name, raw, self._link.zone)
            untold = encode(told(name, current.skipping)) if current and current.skipping else ""
            arguments = [*raw.digests, "schedule.deleted", data, keys.wake, name, HARD_CAP, untold]
            places = [key, keys.schedule, keys.events, keys.dead, keys.failures]
            if self._link.script("delete", places, arguments):
                return
        raise RevisionConflictError(name=name, actual="?", expected=None)

    def write(self, stored: StoredSchedule, raw: Raw, kind: str, *, previous: StoredSchedule | None = None) -> bool:
        """Compare-and-set of one entry against the texts it was read as, with its event; the beat ends pauses this way.

        Returns False, and changes nothing, where somebody else was first.
        """
        keys = self._link.keys
        definition, meta = encode_definition(stored.spec), meta_after(stored, previous, raw)
        arguments = [*raw.digests, definition, meta, encode_ours(stored, definition), stored.score]
        arguments += [kind, change(stored, previous, outside=False), keys.wake, stored.spec.name, HARD_CAP]
        entry = keys.entry(stored.spec.name)
        return bool(self._link.script("put", [entry, keys.schedule, keys.events, keys.dead], arguments))

    def _edit(self, name: str, kind: str, edit: Callable[[StoredSchedule, datetime], StoredSchedule]) -> StoredSchedule:
        """Change what is there; nothing is written where `edit` gives back what it got."""
        for _ in range(_ROUNDS):
            current = self.get(name)
            written = edit(current, self._link.now())
            if written is current:
                return current
            if self.write(written, current.raw, kind, previous=current):
                return written
        raise RevisionConflictError(name=name, actual="?", expected=None)

    def _check_demands(self, spec: ScheduleSpec) -> None:
        """Refuse a policy that the workers of the schedule's queue can't keep, as far as that is known."""
        if spec.overlap == "allow" and spec.max_runtime is None:
            return
        try:
            message = build(self._app, spec.task, spec.args, spec.kwargs, run_id="", headers={}, options=spec.options)
        except TypeError:
            return  # the arguments don't fit the task; the beat sets it aside, as any such schedule
        plain = known_plain(self._link)
        plain.read()
        queue = self._link.queue_of(message.queue)
        Demands(self._link).check(spec, queue, plain=plain.holds(message.queue))

    def _read(self, key: str) -> Raw:
        values = cast("list[str | None]", self._link.client.hmget(key, list(FIELDS)))
        return Raw(*(value or "" for value in values))


def _understood(name: str, raw: Raw, zone: str) -> StoredSchedule | None:
    """None where there is nothing, or nothing that can be understood: a put is the way to mend it."""
    if not raw.definition:
        return None
    try:
        return decode(name, raw, zone)
    except SpecError:
        return None


def _end_of_pause(until: datetime | None, now: datetime) -> datetime | None:
    if until is None:
        return None
    if not isinstance(until, datetime) or until.tzinfo is None:
        raise SpecError("until", "must be an instant with a time zone", "시간대가 있는 시각이어야 합니다")
    if until <= now:
        raise SpecError(
            "until",
            f"{until.isoformat()} is past; give a later instant, or none to pause until it is resumed",
            f"{until.isoformat()}은(는) 이미 지났습니다. 이후 시각을 적거나, 다시 시작할 때까지 멈추려면 비워 두세요",
        )
    return until.astimezone(UTC)


def told(name: str, skipping: Skipping) -> dict[str, Any]:
    """The data of the event about slots that the overlap rule passed over."""
    first, last = skipping.first.isoformat(), skipping.last.isoformat()
    return {"name": name, "from": first, "to": last, "count": skipping.count, "reason": "skipped_overlap"}


def change(stored: StoredSchedule, previous: StoredSchedule | None, *, outside: bool) -> str:
    """The data of an event about a changed schedule."""
    return encode(
        {
            "name": stored.spec.name,
            "revision": stored.revision,
            "by": stored.by,
            "origin": stored.origin,
            "spec": stored.spec.to_json(),
            "before": previous.spec.to_json() if previous else None,
            "next": stored.next_at.isoformat() if stored.next_at else None,
            "outside": outside,
        }
    )
