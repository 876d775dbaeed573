"""What to do with a due entry: pure decisions, from the schedule as read and the time."""

import hashlib
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from livebeat import clock
from livebeat.entry import StoredSchedule
from livebeat.rules import Recurrence

#: Run ids are UUIDv5 in this namespace: the same slot gives the same id, whichever beat builds its message.
NAMESPACE = uuid.UUID("6f0d3a2e-5a0e-5c1b-9d53-6c6976656274")
_NAMESPACE = NAMESPACE.bytes
#: A UUID's variant takes two bits of this digit.
_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
#: `catchup="none"` still runs a slot that is late by no more than a beat's hand-over.
NONE_GRACE = timedelta(seconds=30)
_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Skipped:
    """Consecutive slots that were passed over, both ends included; `count` is None where counting them costs much."""

    reason: Literal["missed_window", "skipped_catchup"]
    first: datetime
    last: datetime
    count: int | None


class After(NamedTuple):
    """What a schedule says once this was done."""

    next_at: datetime | None
    last_run_at: datetime
    total_runs: int


class Decision(NamedTuple):
    """`slot`: the one to dispatch now, or None. `skipped`: what was passed over before it, oldest first."""

    slot: datetime | None
    skipped: tuple[Skipped, ...]
    after: After


def decide(stored: StoredSchedule, due: datetime, now: datetime) -> Decision:
    """Choose among the slots from `due` to `now`: those within the catch-up window, by the catch-up policy.

    Where a delay lies between slot and dispatch, `now` is that much earlier than it is.
    """
    rule, policy, window = stored.spec.rule, stored.spec.catchup, stored.spec.catchup_window
    skipped: tuple[Skipped, ...] = ()
    if window is not None and due < (oldest := now - timedelta(seconds=window)):
        missed = rule.latest(due, oldest - _INSTANT) or due
        skipped = (_skipped("missed_window", rule, due, missed),)
        first = rule.next_after(missed)
        if first is None or first > now:
            return _decision(stored, None, skipped, missed, first)
        due = first
    following = rule.next_after(due)
    if policy == "all":
        return _decision(stored, due, skipped, due, following)
    latest = due
    if following is not None and following <= now:  # rare: several are due
        latest = rule.latest(following, now) or following
        following = rule.next_after(latest)
    if policy == "none" and now - latest > NONE_GRACE:
        return _decision(stored, None, (*skipped, _skipped("skipped_catchup", rule, due, latest)), latest, following)
    if latest > due:
        before = rule.latest(due, latest - _INSTANT) or due
        skipped = (*skipped, _skipped("skipped_catchup", rule, due, before))
    return _decision(stored, latest, skipped, latest, following)


def _skipped(
    reason: Literal["missed_window", "skipped_catchup"], rule: Recurrence, first: datetime, last: datetime
) -> Skipped:
    more = rule.count(first, last)
    return Skipped(reason, first, last, None if more is None else more + 1)


def _decision(
    stored: StoredSchedule,
    slot: datetime | None,
    skipped: tuple[Skipped, ...],
    passed: datetime,
    following: datetime | None,
) -> Decision:
    runs, most = stored.total_runs + (slot is not None), stored.spec.max_runs
    is_finished = most is not None and runs >= most
    return Decision(slot, skipped, After(None if is_finished else following, slot or passed, runs))


def run_id(prefix: str, incarnation: str, kind: str, slot: datetime) -> str:
    """The id of a slot's run: a UUIDv5, made without the library's detours."""
    name = f"{prefix}\n{incarnation}\n{kind}\n{clock.to_epoch(slot):.6f}"
    text = hashlib.sha1(_NAMESPACE + name.encode(), usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"
