"""What to do with a due entry: pure decisions, from the schedule as read and the time."""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from livebeat import clock
from livebeat.entry import StoredSchedule

#: Run ids are UUIDv5 in this namespace: the same slot gives the same id, whichever beat builds its message.
NAMESPACE = uuid.UUID("6f0d3a2e-5a0e-5c1b-9d53-6c6976656274")
#: `catchup="none"` still runs a slot that is late by no more than a beat's hand-over.
NONE_GRACE = timedelta(seconds=30)


@dataclass(frozen=True)
class Decision:
    """`slot`: the one to dispatch now, or None. `skipped`: first and last slot passed over, or None."""

    slot: datetime | None
    skipped: tuple[datetime, datetime] | None
    after: StoredSchedule


def decide(stored: StoredSchedule, due: datetime, now: datetime) -> Decision:
    """Choose among the slots from `due` to `now` by the schedule's catch-up policy."""
    policy = stored.spec.catchup
    rule = stored.spec.recurrence
    if policy == "all":
        return _decision(stored, due, None, due)
    latest = rule.latest(due, now) or due
    if policy == "one":
        skipped = (due, _before(stored, due, latest)) if latest > due else None
        return _decision(stored, latest, skipped, latest)
    if now - latest <= NONE_GRACE:
        return _decision(stored, latest, (due, _before(stored, due, latest)) if latest > due else None, latest)
    return _decision(stored, None, (due, latest), latest)


def _before(stored: StoredSchedule, first: datetime, last: datetime) -> datetime:
    return stored.spec.recurrence.latest(first, last - timedelta(microseconds=1)) or first


def _decision(
    stored: StoredSchedule, slot: datetime | None, skipped: tuple[datetime, datetime] | None, passed: datetime
) -> Decision:
    after = replace(
        stored,
        next_at=stored.spec.recurrence.next_after(passed),
        last_run_at=slot or passed,
        total_runs=stored.total_runs + (1 if slot else 0),
    )
    return Decision(slot, skipped, after)


def run_id(prefix: str, incarnation: str, kind: str, slot: datetime) -> str:
    """The id of a slot's run."""
    return str(uuid.uuid5(NAMESPACE, f"{prefix}\n{incarnation}\n{kind}\n{clock.to_epoch(slot):.6f}"))
