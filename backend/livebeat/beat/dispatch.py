"""Due entries to dispatched slots, a batch at a time, each batch one script.

A stale read changes nothing and is read again. An entry that can't be understood, or whose message can't be built,
is set aside with its reason and never stops the others.
"""

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

import redis
from kombu.exceptions import OperationalError

from livebeat import clock
from livebeat.beat.leader import TOKEN_PREFIX
from livebeat.beat.plan import Decision, decide, run_id
from livebeat.cadence import adopted
from livebeat.connection import Link
from livebeat.delivery.installation import installed
from livebeat.delivery.ledger import FIRST_CHECK, Run, entry_fields
from livebeat.entry import FIELDS, OUT_OF_RANGE, Raw, StoredSchedule, decode, encode_meta, encode_ours
from livebeat.events import HARD_CAP, encode
from livebeat.message import KIND_HEADER, REVISION_HEADER, SCHEDULE_HEADER, SLOT_HEADER, build
from livebeat.store import ScheduleStore

logger = logging.getLogger(__name__)

BATCH = 128
#: Schedules named in a batch's log line; a line for each would cost more than its dispatch.
_LOGGED = 5
#: Seconds that Redis' clock may lie below the newest dispatch before the script refuses.
CLOCK_SLACK = 0.005

#: Errors that say that the server is away, not that an entry is bad.
AWAY = (redis.RedisError, OperationalError)

Outcome = Literal["ok", "foreign", "clock"]


@dataclass(frozen=True)
class _Read:
    key: str
    name: str
    score: float
    raw: Raw


class Dispatcher:
    """Dispatches for one app; used by the leading beat, and by standbys for what is overdue."""

    def __init__(self, link: Link, store: ScheduleStore) -> None:
        self._link, self._store = link, store
        self._ledgered = installed(link.app)
        self._refusal = ""

    def run_once(self, *, overdue_by: float = 0.0) -> tuple[Outcome, int]:
        """Deal with up to one batch of what is due (by `overdue_by` seconds at least); returns how many entries."""
        now = self._link.now()
        reads = self._due(clock.to_epoch(now) - overdue_by)
        items = [item for read in reads if (item := self._item(read, now)) is not None]
        if not items:
            return "ok", len(reads)
        outcome, *results = self._script(items)
        if outcome != "ok":
            self._report(outcome, str(results[0]))
            return cast("Outcome", outcome), 0
        self._report("", "")
        done = [item["log"] for item, dispatched in zip(items, results, strict=True) if dispatched]
        if done:
            logger.info(
                "Dispatched %s%s", "; ".join(done[:_LOGGED]), f" and {len(done) - _LOGGED} more" * (len(done) > _LOGGED)
            )
        return "ok", len(reads)

    def next_due(self) -> float | None:
        """The score of the first entry that is or will be due; None where there is none."""
        first = cast(
            "list[tuple[str, float]]",
            self._link.client.zrange(
                self._link.keys.schedule, "0", "+inf", byscore=True, offset=0, num=1, withscores=True
            ),
        )
        return first[0][1] if first else None

    def _due(self, until: float) -> list[_Read]:
        keys = self._link.keys
        found = cast(
            "list[tuple[str, float]]",
            self._link.client.zrange(
                keys.schedule, "0", str(until), byscore=True, offset=0, num=BATCH, withscores=True
            ),
        )
        pipeline = self._link.client.pipeline(transaction=False)
        for key, _ in found:
            pipeline.hmget(key, list(FIELDS))
        values = pipeline.execute(raise_on_error=False)
        reads = []
        for (key, score), texts in zip(found, values, strict=True):
            if isinstance(texts, Exception) or not texts[0]:
                self._orphan(key, texts)
            else:
                reads.append(_Read(key, keys.name(key), score, Raw(*(text or "" for text in texts))))
        return reads

    def _orphan(self, key: str, found: Any) -> None:
        """An index member without a readable entry leaves the due range, so that nothing starves behind it."""
        self._link.client.zadd(self._link.keys.schedule, {key: OUT_OF_RANGE}, xx=True)
        why = str(found) if isinstance(found, Exception) else "its entry is gone"
        logger.error(
            "Schedule key %r can't be read (%s); it is set aside.",
            key,
            why,
            extra={"schedule": self._link.keys.name(key)},
        )

    def _item(self, read: _Read, now: datetime) -> dict[str, Any] | None:
        try:
            stored = decode(read.name, read.raw, self._link.zone)
            if not self._is_slot(stored, read.score):
                self._adopt(stored, read, now)
                return None
            due = clock.from_epoch(read.score)
            return self._build(read, stored, decide(stored, due, now))
        except AWAY:
            raise
        except Exception as error:  # whatever is wrong with this one, it must not stop the others
            self._quarantine(read, error)
            return None

    @staticmethod
    def _is_slot(stored: StoredSchedule, score: float) -> bool:
        """A score is a slot only if we wrote it; any other is RedBeat's hint."""
        return (
            stored.ours
            and stored.spec.enabled
            and stored.problem is None
            and stored.next_at is not None
            and abs(clock.to_epoch(stored.next_at) - score) < 1e-6
        )

    def _adopt(self, stored: StoredSchedule, read: _Read, now: datetime) -> None:
        kind = "schedule.adopted" if stored.ours or not stored.revision else "schedule.changed"
        ours = adopted(stored, self._link.zone, now, clock.from_epoch(read.score))
        if self._store.write(ours, read.raw, kind, previous=stored, outside=True):
            logger.info("Scheduler entry changed: %s (saved outside Livebeat), next %s", read.name, ours.next_at)

    def _build(self, read: _Read, stored: StoredSchedule, decision: Decision) -> dict[str, Any]:
        after = decision.after
        events: list[tuple[str, str]] = []
        if decision.skipped:
            first, last = (slot.isoformat() for slot in decision.skipped)
            skipped = {"name": read.name, "from": first, "to": last, "reason": "skipped_catchup"}
            events.append(("slot.skipped", encode(skipped)))
        item: dict[str, Any] = {
            "key": read.key,
            "score": read.score,
            "digests": read.raw.digests,
            "meta": encode_meta(after.last_run_at, after.total_runs),
            "livebeat": encode_ours(after, read.raw.definition),
            "next": clock.to_epoch(after.next_at) if after.next_at else OUT_OF_RANGE,
            "events": events,
            "log": read.name,
        }
        if decision.slot is not None:
            item["run"] = self._run(stored, decision.slot, events)
            item["log"] = f"{read.name} ({stored.spec.task}) for {decision.slot.isoformat()} as {item['run']['id']}"
        return item

    def _run(self, stored: StoredSchedule, slot: datetime, events: list[tuple[str, str]]) -> dict[str, Any]:
        spec = stored.spec
        run = Run(
            run=run_id(self._link.keys.prefix, stored.incarnation, "schedule", slot),
            task=spec.task,
            schedule=spec.name,
            slot=slot.isoformat(),
            revision=stored.revision,
            kind="schedule",
        )
        headers = {
            "periodic_task_name": spec.name,
            SCHEDULE_HEADER: spec.name,
            SLOT_HEADER: run.slot,
            REVISION_HEADER: stored.revision,
            KIND_HEADER: run.kind,
        }
        message = build(
            self._link.app,
            spec.task,
            spec.args,
            spec.kwargs,
            run_id=run.run,
            headers=headers,
            options=spec.options,
            ledgered=self._ledgered,
        )
        expires = spec.options.get("expires")
        expires_at = clock.to_epoch(self._link.now()) + expires if isinstance(expires, int | float) else None
        events.append(("run.queued", encode(run.facts(queue=message.queue, attempt=0))))
        return {
            "id": run.run,
            "schedule": spec.name,
            "ledgered": self._ledgered,
            "commands": message.to_json(),
            "fields": entry_fields(run, message, expires_at=expires_at),
        }

    def _script(self, items: list[dict[str, Any]]) -> list[Any]:
        keys = self._link.keys
        sent = [{name: value for name, value in item.items() if name != "log"} for item in items]
        return cast(
            "list[Any]",
            self._link.script(
                "dispatch",
                [keys.schedule, keys.lock, keys.ledger, keys.events, keys.mark],
                [
                    TOKEN_PREFIX,
                    CLOCK_SLACK,
                    HARD_CAP,
                    FIRST_CHECK,
                    keys.run(""),
                    keys.running(""),
                    json.dumps(sent, ensure_ascii=False),
                ],
            ),
        )

    def _quarantine(self, read: _Read, error: Exception) -> None:
        """Out of the due range, with the reason in the log and the stream; the entry itself is left as it is."""
        self._link.client.zadd(self._link.keys.schedule, {read.key: OUT_OF_RANGE}, xx=True)
        reason = str(error)
        data = encode({"name": read.name, "reason": reason})
        self._link.client.xadd(
            self._link.keys.events,
            {"type": "schedule.quarantined", "data": data},
            maxlen=HARD_CAP,
            approximate=True,
        )
        logger.error(
            "Schedule %r is set aside and will not run until it is saved again: %s",
            read.name,
            reason,
            extra={"schedule": read.name},
        )

    def _report(self, outcome: str, detail: str) -> None:
        """One line when dispatch stops being possible, one when it is again."""
        if outcome == self._refusal:
            return
        if outcome == "foreign":
            logger.error(
                "A beat that is not Livebeat's holds the lock (%s); nothing is dispatched until it ends.", detail
            )
        elif outcome == "clock":
            logger.error("Redis' clock stepped back by %s s; dispatch waits until it has caught up.", detail)
        else:
            logger.info("Dispatching again.")
        self._refusal = outcome
