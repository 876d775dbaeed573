"""Which slot comes next, and from when a schedule counts: after an edit, after RedBeat's own code wrote or ran it,
after a move from another scheduler. Pure: `now` is an argument.

An edit counts from now. What changes nothing in the rule leaves the cadence alone: no slot is early, lost or run again.
"""

import uuid
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice, pairwise

from livebeat.entry import Pause, Raw, StoredSchedule, encode_meta, is_exact
from livebeat.errors import SpecError
from livebeat.rules import Interval
from livebeat.rules.interval import replace_anchor
from livebeat.spec import ScheduleSpec

_INSTANT, _SECOND = timedelta(microseconds=1), timedelta(seconds=1)
#: Slots between which a jitter must fit, and for how long they are looked for.
_SLOTS_LOOKED_AT, _LOOKED_AHEAD = 100, timedelta(days=366)


@dataclass(frozen=True)
class Progress:
    """What another scheduler ran of a schedule before it came here; it goes on from there instead of from now."""

    last_run_at: datetime
    total_runs: int = 0


def changed(
    spec: ScheduleSpec,
    current: StoredSchedule | None,
    *,
    by: str,
    origin: str,
    zone: str,
    now: datetime,
    progress: Progress | None = None,
) -> StoredSchedule:
    """The schedule after an edit of `current`, or a new one, which may go on from another scheduler's `progress`."""
    if current is not None:
        progress = None
    since = min(progress.last_run_at, now) if progress else now
    spec = _resolved(spec, current, zone, since if progress else now.replace(microsecond=0))
    _check_jitter(spec, now)
    total_runs = progress.total_runs if progress else current.total_runs if current else 0
    return StoredSchedule(
        spec=spec,
        revision=current.revision + 1 if current else 1,
        incarnation=(current.incarnation if current else "") or uuid.uuid4().hex,
        next_at=_next_slot(spec, current, since, now) if _has_runs_left(spec, total_runs) else None,
        last_run_at=since if progress else current.last_run_at if current else None,
        total_runs=total_runs,
        origin=origin,
        by=by,
        changed_at=now,
        problem=None,
        ours=True,
        redbeat_exact=is_exact(spec, zone),
        raw=Raw(),
        pause=_pause(spec, current, by, now),
        skipping=current.skipping if current else None,
    )


def paused(current: StoredSchedule, pause: Pause, *, origin: str) -> StoredSchedule:
    """The schedule paused; `current` itself where it is, with that note and end. A second pause keeps its beginning."""
    now = pause.at
    if not current.spec.enabled:
        kept = current.pause or Pause(at=pause.at)
        if (kept.note, kept.until) == (pause.note, pause.until):
            return current
        pause = replace(pause, at=kept.at)
    return replace(
        _touched(current, now, pause.by, origin),
        spec=current.spec.with_changes(enabled=False),
        next_at=None,
        pause=pause,
    )


def resumed(current: StoredSchedule, now: datetime, *, by: str = "", origin: str = "beat") -> StoredSchedule:
    """The schedule after its pause: its first slot after `now`. `current` itself where it isn't paused."""
    if current.spec.enabled:
        return current
    return replace(
        _touched(current, now, by, origin),
        spec=current.spec.with_changes(enabled=True),
        next_at=current.spec.rule.next_after(now) if _has_runs_left(current.spec, current.total_runs) else None,
        pause=None,
    )


def _touched(current: StoredSchedule, now: datetime, by: str, origin: str) -> StoredSchedule:
    return replace(
        current,
        revision=current.revision + 1,
        incarnation=current.incarnation or uuid.uuid4().hex,
        origin=origin,
        by=by,
        changed_at=now,
        problem=None,
        ours=True,
        raw=Raw(),
    )


def _pause(spec: ScheduleSpec, current: StoredSchedule | None, by: str, now: datetime) -> Pause | None:
    """An edit of a paused schedule leaves its pause alone."""
    if spec.enabled:
        return None
    was_paused = current is not None and not current.spec.enabled
    return current.pause if current is not None and was_paused else Pause(at=now, by=by)


def meta_after(stored: StoredSchedule, current: StoredSchedule | None, raw: Raw) -> str:
    """The new `meta`, or '' to leave it.

    A new rule and the end of a pause move `last_run_at` to the edit, so that stock won't run what lies before it.
    """
    if current is None:
        return encode_meta(stored.last_run_at or stored.changed_at, stored.total_runs)
    is_resumed = stored.spec.enabled and not current.spec.enabled
    if raw.meta and current.spec.rule == stored.spec.rule and not is_resumed:
        return ""
    return encode_meta(stored.changed_at, stored.total_runs)


def adopted(stored: StoredSchedule, app_zone: str, now: datetime, hint: datetime) -> StoredSchedule:
    """An entry whose score RedBeat wrote, as ours: its slot is the rule's first after the last run.

    `hint` is that score: RedBeat puts it at the next slot after a save, to the second below, or at the save itself;
    so where the entry had been ours and was saved from outside, nothing before it is due.
    """
    rule, last = stored.spec.recurrence, stored.last_run_at
    start = last or now
    if stored.revision and not stored.ours:
        start = max(start, min(hint, now) - _INSTANT)
    if isinstance(rule, Interval) and last is not None and hint > max(now, last + rule.every - _SECOND):
        rule, start = _as_redbeat_counts(rule, last, hint), max(start, hint - _INSTANT)
    spec = stored.spec.with_changes(recurrence=rule)
    has_next = spec.enabled and _has_runs_left(spec, stored.total_runs)
    return replace(
        stored,
        spec=spec,
        revision=stored.revision + 1,
        incarnation=stored.incarnation or uuid.uuid4().hex,
        next_at=spec.rule.next_after(start) if has_next else None,
        origin=stored.origin if stored.ours else "redbeat",
        changed_at=stored.changed_at if stored.ours else now,
        problem=None,
        ours=True,
        redbeat_exact=is_exact(spec, app_zone),
        raw=Raw(),
    )


def _as_redbeat_counts(rule: Interval, last: datetime, hint: datetime) -> Interval:
    """An interval that RedBeat made anew or was told to `reschedule` counts from then, and only then is its score so
    late: it is a whole interval, to the second below, after that instant."""
    if rule.next_after(hint - _INSTANT) < hint + _SECOND:
        return rule
    made = hint - rule.every
    return replace_anchor(rule, last if last >= made else made)


def _resolved(spec: ScheduleSpec, current: StoredSchedule | None, zone: str, anchor: datetime) -> ScheduleSpec:
    """The spec with its rule made definite; one edited in other fields goes on counting from its anchor.

    What counts from no instant of its own counts from `start`.
    """
    is_moved = current is not None and spec.start is not None and spec.start != current.spec.start
    kept = current.spec.recurrence if current and not is_moved else None
    return spec.with_changes(recurrence=spec.recurrence.going_on(kept, zone, spec.start or anchor))


def _has_runs_left(spec: ScheduleSpec, total_runs: int) -> bool:
    return spec.max_runs is None or total_runs < spec.max_runs


def _check_jitter(spec: ScheduleSpec, now: datetime) -> None:
    """No slot may still wait when the one after it comes: an edit of the jitter would find both due."""
    if not spec.jitter:
        return
    coming = list(islice(spec.recurrence.walk(now, now + _LOOKED_AHEAD), _SLOTS_LOOKED_AT))
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(coming)]
    if gaps and min(gaps) < spec.jitter:
        raise SpecError(
            "jitter",
            f"is {spec.jitter:g} seconds, but two of its slots are {min(gaps):g} seconds apart; write at most that",
            f"{spec.jitter:g}초인데 실행 간격이 {min(gaps):g}초인 곳이 있습니다. 그 이하로 적으세요",
        )


def _next_slot(spec: ScheduleSpec, current: StoredSchedule | None, since: datetime, now: datetime) -> datetime | None:
    if not spec.enabled:
        return None
    rule = spec.rule
    if current is None:
        return rule.next_after(since)
    if not current.spec.enabled or current.spec.recurrence != spec.recurrence:
        return rule.next_after(now)
    last, kept = current.last_run_at, current.next_at
    run_by_another = kept is not None and last is not None and last != current.changed_at and last >= kept
    if current.ours and not run_by_another:
        is_due = kept is not None and kept <= now and rule.next_after(kept - _INSTANT) == kept
        return kept if is_due or (kept and rule == current.spec.rule) else rule.next_after(now)
    saved_outside = current.revision and not current.ours
    return rule.next_after(now if saved_outside or last is None else last)
