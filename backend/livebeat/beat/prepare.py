"""From an entry as it lies in Redis to what the dispatch script takes: parsed, decided, its message built.

An entry that can't be understood, or whose message can't be built, is set aside with its reason and never stops the
others. One that RedBeat's own code saved is taken over here; its score is only a hint until then.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple, cast

import redis
from kombu.exceptions import OperationalError

from livebeat import clock
from livebeat.beat.plan import NONE_GRACE, After, Decision, decide, run_id
from livebeat.beat.template import Templates
from livebeat.cadence import adopted, resumed
from livebeat.connection import Link, as_stored
from livebeat.delivery import Run, admit
from livebeat.delivery.consumers import PlainQueues
from livebeat.delivery.demands import Demands
from livebeat.delivery.installation import installed
from livebeat.entry import OUT_OF_RANGE, Raw, Skipping, StoredSchedule, advanced, decode, encode_meta, encode_ours
from livebeat.events import HARD_CAP, encode
from livebeat.message import Message
from livebeat.spec import ScheduleSpec
from livebeat.store import PAGE, ScheduleStore, change, told

logger = logging.getLogger(__name__)

#: In the place of a run, where there is nothing to run.
_NO_RUN = ("",) * 4
_GRACE = NONE_GRACE.total_seconds()
#: Seconds; scores that differ by less are the same instant.
_SAME = 1e-6
#: For how long slots that the overlap rule passes over are gathered into one event.
_GATHERED = timedelta(seconds=60)
#: Errors that say that the server is away, not that an entry is bad.
AWAY = (redis.RedisError, OperationalError)


class Read(NamedTuple):
    """An index member with its score and its three texts."""

    key: str
    name: str
    score: float
    raw: Raw


class Item(NamedTuple):
    """One schedule's part of a dispatch. `until`: the instant (seconds) from which it must be decided anew; `log`: what
    it dispatches, '' where it only puts the entry right."""

    read: Read
    arguments: tuple[str, ...]
    until: float
    log: str

    @property
    def queue(self) -> str:
        """The list that its message goes to; '' where nothing is to run."""
        return self.arguments[8]


class Preparation:
    """Prepares for one app."""

    def __init__(self, link: Link, store: ScheduleStore) -> None:
        self._link, self._store = link, store
        self.ledgered = installed(link.app)
        #: The queues whose messages don't go through the ledger, although the app's others do.
        self.plain = PlainQueues(link)
        self.templates = Templates(link.app, ledgered=self.ledgered)
        self._unledgered = Templates(link.app, ledgered=False)
        self._demands = Demands(link)

    def read(self, members: Iterable[tuple[str, float]]) -> list[Read]:
        """The entries behind index members; those that can't be read are set aside."""
        found = list(members)
        reads = []
        for at in range(0, len(found), PAGE):
            page = found[at : at + PAGE]
            for (key, score), texts in zip(page, self._store.texts([key for key, _ in page]), strict=True):
                gone = "its entry is gone: the index names a key without a definition"
                raw, reason = (Raw(), texts) if isinstance(texts, str) else (texts, gone)
                read = Read(key, self._link.keys.name(key), score, raw)
                if raw.definition:
                    reads.append(read)
                else:
                    self.set_aside(read, reason)
        return reads

    def item(self, read: Read, now: datetime, *, ahead: bool = False) -> Item | None:
        """What to do for an entry that is due at `now`; `ahead`: that will be due, and is taken to be on time.

        None where it was dealt with here, or is better built when it is due.
        """
        try:
            self._link.keys.check(read.key)
            stored = decode(read.name, read.raw, self._link.zone)
            admit(self._link.app, stored.spec)
            if stored.ours and not stored.spec.enabled and abs(stored.score - read.score) < _SAME:
                self._end_pause(read, stored, now)
                return None
            return self._item(read, stored, now, ahead=ahead)
        except Exception as error:  # whatever is wrong with this one, it must not stop the others
            if _is_away(error):
                raise
            self.set_aside(read, str(error))
            return None

    def set_aside(self, read: Read, reason: str) -> None:
        """Out of the due range, with the reason in the log, the stream and `livebeat status`; else left as it is."""
        keys, raw = self._link.keys, read.raw
        told = encode({"name": read.name, "reason": reason})
        why = encode({"reason": reason, "at": clock.to_epoch(self._link.now())})
        arguments = [repr(read.score), raw.definition, raw.meta, raw.livebeat, read.name, why, told, str(HARD_CAP)]
        places: list[str | bytes] = [as_stored(read.key), keys.schedule, keys.events, keys.dead]
        if self._link.script("quarantine", places, [as_stored(text) for text in arguments]):
            logger.error(
                "Schedule %r is set aside and will not run until it is saved again: %s",
                read.name,
                reason,
                extra={"schedule": read.name},
            )

    def _end_pause(self, read: Read, stored: StoredSchedule, now: datetime) -> None:
        """Resume a schedule whose pause had an end, once that has come."""
        if read.score <= clock.to_epoch(now):
            ended = resumed(stored, now)
            if self._store.write(ended, read.raw, "schedule.resumed", previous=stored):
                logger.info("The pause of %s has ended; next %s", read.name, ended.next_at)

    def _item(self, read: Read, stored: StoredSchedule, now: datetime, *, ahead: bool) -> Item | None:
        events: list[tuple[str, str]] = []
        if not _is_slot(stored, read.score):
            stored = self._taken_over(read, stored, now, events)
            if ahead or stored.next_at is None or stored.next_at + stored.delay > now:
                return self._repaired(read, stored, events)
        if ahead and "expires" in stored.spec.options:
            return None  # its message says when it expires, counted from its dispatch
        due = cast("datetime", stored.next_at)
        at = due + stored.delay if ahead else now
        return self._dispatched(read, stored, decide(stored, due, at - stored.delay), at, events)

    def _taken_over(
        self, read: Read, before: StoredSchedule, now: datetime, events: list[tuple[str, str]]
    ) -> StoredSchedule:
        stored = adopted(before, self._link.zone, now, clock.from_epoch(read.score))
        kind = "schedule.adopted" if before.ours or not before.revision else "schedule.changed"
        events.append((kind, change(stored, before, outside=True)))
        logger.info("Scheduler entry changed: %s (saved outside Livebeat), next %s", read.name, stored.next_at)
        return stored

    def _repaired(self, read: Read, stored: StoredSchedule, events: list[tuple[str, str]]) -> Item:
        meta = "" if read.raw.meta else encode_meta(stored.changed_at, stored.total_runs)
        entry = _entry(read, meta, encode_ours(stored, read.raw.definition), stored.score)
        return Item(read, (*entry, *_NO_RUN, _rare(events)), read.score + 1, "")

    def _dispatched(
        self, read: Read, stored: StoredSchedule, decision: Decision, now: datetime, events: list[tuple[str, str]]
    ) -> Item:
        for one in decision.skipped:
            skipped = {"name": read.name, "from": one.first.isoformat(), "to": one.last.isoformat()}
            events.append(("slot.skipped", encode({**skipped, "count": one.count, "reason": one.reason})))
        spec, slot = stored.spec, decision.slot
        if slot is None:
            entry, until = _advanced(read, stored, decision.after, stored.skipping)
            return Item(read, (*entry, *_NO_RUN, _rare(events)), until, "")
        run = Run(
            run=run_id(self._link.keys.prefix, stored.incarnation, "schedule", slot),
            task=spec.task,
            schedule=spec.name,
            slot=slot.isoformat(),
            revision=stored.revision,
            kind="schedule",
        )
        message = self.templates.message(spec, run, now)
        if unledgered := self.plain.holds(message.queue):
            message = self._unledgered.message(spec, run, now)
        rare = self._limits(spec, message, now, plain=unledgered)
        if spec.overlap != "allow":
            rare["overlap"] = self._overlap(read, stored, slot, now, events)
        elif stored.skipping:
            events.append(_told(stored.skipping, read))
        entry, until = _advanced(read, stored, decision.after, None)
        facts = encode(run.facts(queue=message.queue, attempt=0))
        rare_json = _rare(events, more=message.more_json, unledgered=unledgered, **rare)
        arguments = (*entry, run.run, message.queue, message.text, facts, rare_json)
        return Item(read, arguments, until, f"{read.name} ({spec.task}) for {run.slot} as {run.run}")

    def _limits(self, spec: ScheduleSpec, message: Message, now: datetime, *, plain: bool) -> dict[str, Any]:
        """What the script has to know of a run's limits.

        Raises:
            SpecError: the workers of its queue can't keep the schedule's policies.
        """
        if spec.overlap != "allow" or spec.max_runtime is not None:
            self._demands.check(spec, self._link.queue_of(message.queue), plain=plain)
        limits: dict[str, Any] = {}
        expires = spec.options.get("expires")
        if isinstance(expires, int | float):
            limits["expires_at"] = f"{clock.to_epoch(now) + expires:.3f}"
        if spec.pause_after_failures is not None:
            limits["pause_after"] = spec.pause_after_failures
        return limits

    def _overlap(
        self, read: Read, stored: StoredSchedule, slot: datetime, now: datetime, events: list[tuple[str, str]]
    ) -> dict[str, Any]:
        """The overlap rule as the script takes it, with what it writes and tells instead where the slot does not run."""
        before = stored.skipping
        skipping = Skipping(slot, slot, 1, now)
        if before is not None:
            skipping = Skipping(before.first, slot, before.count + 1, before.since)
        following = stored.spec.rule.next_after(slot)
        tells = following is None or following + stored.delay >= skipping.since + _GATHERED
        after = After(following, slot, stored.total_runs)
        (*_, meta, ours, score), _ = _advanced(read, stored, after, None if tells else skipping)
        return {
            "rule": stored.spec.overlap,
            "children": self._link.keys.children(""),
            "unique": self._link.keys.unique,
            "events": [*events, _told(before, read)] if before else events,
            "skip": [meta, ours, score, [*events, _told(skipping, read)] if tells else events],
        }


def _told(skipping: Skipping, read: Read) -> tuple[str, str]:
    return "slot.skipped", encode(told(read.name, skipping))


def _advanced(
    read: Read, stored: StoredSchedule, after: After, skipping: Skipping | None
) -> tuple[tuple[str, ...], float]:
    """The entry once the schedule has gone on to its next slot, and the instant (seconds) until when that may be done."""
    raw, next_at, latest = read.raw, after.next_at, read.score + _GRACE
    if stored.raw is raw and skipping == stored.skipping:
        ours = advanced(raw.livebeat, next_at, stored.delay)
    else:
        ours = encode_ours(replace(stored, next_at=next_at, skipping=skipping), raw.definition)
    following = OUT_OF_RANGE if next_at is None else clock.to_epoch(next_at + stored.delay)
    entry = _entry(read, encode_meta(after.last_run_at, after.total_runs), ours, following)
    return entry, latest if next_at is None else min(latest, following)


def _entry(read: Read, meta: str, ours: str, score: float) -> tuple[str, ...]:
    return (read.key, repr(read.score), read.raw.definition, read.raw.livebeat, meta, ours, repr(score))


def _rare(events: list[tuple[str, str]], **more: Any) -> str:
    rare = {"events": events, **more}
    return encode({name: value for name, value in rare.items() if value}) if any(rare.values()) else ""


def _is_away(error: Exception) -> bool:
    """Whether the server is away, or refuses everybody. kombu wraps whatever happened in a publish."""
    cause = error.__cause__ if isinstance(error, OperationalError) else error
    return isinstance(cause, redis.RedisError | OSError) and "WRONGTYPE" not in str(cause)


def _is_slot(stored: StoredSchedule, score: float) -> bool:
    """A score is a slot, with its delay, only if we wrote it; any other is RedBeat's hint."""
    return stored.ours and stored.next_at is not None and abs(stored.score - score) < _SAME
