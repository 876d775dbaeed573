"""Every schedule of the database, in pages: whether it can be read, may be dispatched, and is due when it should be."""

import json
import re
from datetime import datetime
from typing import Any, cast

from celery import Celery

from livebeat import clock
from livebeat.connection import Link, as_stored
from livebeat.doctor.findings import Findings, detail
from livebeat.doctor.reading import PAGE, Read, examine, pages
from livebeat.entry import Raw, StoredSchedule
from livebeat.errors import NameRefusedError, SpecError

#: Seconds that a score may lie beside the slot: RedBeat writes whole seconds.
LENIENT = 1.5
#: Keys of the database that the search for entries outside the index looks at, at most.
MOST_KEYS = 2_000_000
#: What a stock beat can read in `definition` and `meta` together: the arguments of its entry.
_DEFINITION = {"name", "task", "args", "kwargs", "options", "schedule", "enabled"}
_META = {"last_run_at", "total_run_count"}


def check_entries(app: Celery, link: Link, findings: Findings) -> int:
    """Every member of the index; returns how many there are."""
    count = 0
    for page in pages(link):
        now = link.now()
        for read in page:
            _check_one(app, link, read, now, findings)
        count += len(page)
    return count


def check_outsiders(link: Link, findings: Findings) -> None:
    """Entries under RedBeat's prefix that are in no index, so nothing runs them."""
    pattern = re.sub(r"([\\*?\[\]])", r"\\\1", link.keys.redbeat_prefix) + "*"
    cursor, seen = 0, 0
    while seen < MOST_KEYS:
        cursor, keys = cast("tuple[int, list[str]]", link.client.scan(cursor, match=pattern, count=PAGE))
        seen += PAGE
        for key in _outside(link, keys):
            findings.add("zombie", key)
        if cursor == 0:
            return
    findings.add("not-all", f"{link.keys.redbeat_prefix}*")


def _outside(link: Link, keys: list[str]) -> list[str]:
    """Those that are schedules and no member of the index."""
    candidates = [key for key, score in zip(keys, _each(link, "zscore", keys), strict=True) if score is None]
    return [
        key for key, is_entry in zip(candidates, _each(link, "hexists", candidates), strict=True) if is_entry is True
    ]


def _each(link: Link, question: str, keys: list[str]) -> list[Any]:
    """The answer for each key; an exception where it is of another type."""
    pipeline = link.client.pipeline(transaction=False)
    for key in keys:
        if question == "zscore":
            pipeline.zscore(link.keys.schedule, as_stored(key))
        else:
            pipeline.hexists(as_stored(key), "definition")
    return pipeline.execute(raise_on_error=False) if keys else []


def _check_one(app: Celery, link: Link, read: Read, now: datetime, findings: Findings) -> None:
    stored, obstacle = examine(app, link, read)
    if obstacle is not None:
        findings.add(_obstacle_kind(read, stored, obstacle), read.name, obstacle)
    if isinstance(read.found, Raw):
        _check_keys(read.name, read.found, findings)
    if stored is None or obstacle is not None:
        return
    if app.tasks and stored.spec.task not in app.tasks:
        findings.add("task", read.name, detail(stored.spec.task, stored.spec.task))
    _check_exactness(read, stored, findings)
    _check_due(read, stored, now, findings)


def _obstacle_kind(read: Read, stored: StoredSchedule | None, obstacle: Exception) -> str:
    if isinstance(obstacle, NameRefusedError):
        return "name"
    if isinstance(read.found, Raw) and not read.found.definition:
        return "orphan"
    return "refused" if stored is not None else "unreadable"


def _check_keys(name: str, raw: Raw, findings: Findings) -> None:
    """A key that RedBeat's entry doesn't take as an argument ends a stock beat."""
    for field, text, known in (("definition", raw.definition, _DEFINITION), ("meta", raw.meta, _META)):
        try:
            data = json.loads(text or "{}")
        except ValueError:
            continue
        unknown = sorted(data.keys() - known) if isinstance(data, dict) else []
        if unknown:
            findings.add(
                "unknown-key", name, detail(f"{field}: {', '.join(unknown)}", f"{field}: {', '.join(unknown)}")
            )


def _check_exactness(read: Read, stored: StoredSchedule, findings: Findings) -> None:
    if not stored.redbeat_exact:
        findings.add("inexact", read.name, detail(str(stored.spec.recurrence), str(stored.spec.recurrence)))
    if not stored.ours and isinstance(read.found, Raw):
        rule = json.loads(read.found.definition).get("schedule")
        if isinstance(rule, dict) and rule.get("__type__") == "rrule" and _may_be_shortened(rule):
            findings.add("lossy", read.name)


def _may_be_shortened(rule: dict[str, Any]) -> bool:
    """A weekday in a monthly or yearly rule often had its n; a start or end with an offset often had its zone."""
    has_weekday = rule.get("byweekday") is not None and rule.get("freq") in {0, 1}
    return has_weekday or bool(rule.get("dtstart_tz") or rule.get("until_tz"))


def _check_due(read: Read, stored: StoredSchedule, now: datetime, findings: Findings) -> None:
    moment = clock.to_epoch(now)
    if not stored.spec.enabled:
        if 0 <= read.score < moment:
            findings.add("disabled-overdue", read.name)
        return
    try:
        slot = stored.next_at if stored.ours else stored.spec.recurrence.next_after(stored.last_run_at or now)
    except (SpecError, OverflowError, ValueError) as error:
        findings.add("unreadable", read.name, SpecError("schedule", str(error)))
        return
    if slot is None:
        findings.add("never", read.name)
        return
    due = clock.to_epoch(slot)
    if _is_off(read.score, due, moment, new=stored.last_run_at is None and not stored.ours):
        text = f"{_time(read.score)} → {_time(due)}"
        is_late = read.score > due or read.score < 0
        findings.add("late-score" if is_late else "early-score", read.name, detail(text, text))
    elif due < moment - LENIENT:
        findings.add("overdue", read.name, detail(_time(due), _time(due)))


def _is_off(score: float, due: float, now: float, *, new: bool) -> bool:
    """RedBeat makes an entry due at once that never ran, and one that was overdue when it was saved."""
    if abs(score - due) <= LENIENT:
        return False
    return not (0 <= score <= now and (new or due <= now))


def _time(score: float) -> str:
    try:
        return clock.from_epoch(score).isoformat(timespec="seconds") if score >= 0 else "never"
    except (ValueError, OverflowError, OSError):
        return str(score)
