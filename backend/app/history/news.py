"""What one event says about one run, checked and cut to what a row can hold, and how a row takes it in.

Pure. Events may come twice, late or out of order: whatever the order, `fold` ends with the same row. A row never goes
back: its place is (attempt, rank of the state), and only an event at a later place changes state, worker, error and
result. An older event still fills in what the row doesn't know yet.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from app.history.models import ERROR_LENGTH, Kind, Run, State
from livebeat.events import Event

#: Bytes of a result's JSON that are kept.
RESULT_BYTES = 16 * 1024
_HEAD_CHARACTERS = 1000
_NOTE_CHARACTERS = 200
_LARGEST = 2**31 - 1

#: What each event says of a run.
STATES = {
    "run.queued": State.QUEUED,
    "run.requeued": State.QUEUED,
    "run.started": State.RUNNING,
    "run.progress": State.RUNNING,
    "run.retrying": State.RETRYING,
    "run.succeeded": State.SUCCEEDED,
    "run.failed": State.FAILED,
    "run.lost": State.LOST,
    "run.cancelled": State.CANCELLED,
    "run.expired": State.EXPIRED,
}
#: Within an attempt. `lost` is a guess from silence: a finish that comes after all is the truth.
_RANKS = {State.QUEUED: 0, State.RUNNING: 1, State.RETRYING: 2, State.LOST: 4}
_REQUEUED_RANK = 3  # queued again after a start, so that attempt is over
_LOST_RANK = 4
_FINAL_RANK = 5
#: A final event that names no attempt ends the run whatever its attempt.
_ANY_ATTEMPT = _LARGEST
_NO_ATTEMPT = -1


class BadNewsError(ValueError):
    """An event's data can't be used; says which member."""


@dataclass(frozen=True)
class News:
    """One event, ready to be taken in. `identity` holds what never changes in a run's life."""

    run: str
    state: State
    attempt: int
    at: datetime
    identity: Mapping[str, Any]
    worker: str | None
    error_class: str | None
    error: str | None
    result: Any
    lateness: float | None
    progress: dict[str, Any] | None

    @property
    def rank(self) -> int:
        """The state's place within its attempt."""
        return _rank(self.state, self.attempt)


def news_of(event: Event) -> News | None:
    """What `event` says about a run; None where it is about something else.

    Raises:
        BadNewsError: it should be about a run, but can't be used.
    """
    state = STATES.get(event.type)
    if state is None:
        return None
    data = event.data
    run = _text(data, "run", 64)
    task = _text(data, "task", 255)
    if not run or not task:
        raise BadNewsError("run and task must be given")
    attempt = _attempt(data, state)
    kind = data.get("kind", Kind.TASK)
    if kind not in Kind.values:
        raise BadNewsError(f"kind {kind!r} is unknown")
    return News(
        run=run,
        state=state,
        attempt=attempt,
        at=event.at,
        identity={
            "task": task,
            "kind": kind,
            "schedule": _text(data, "schedule", 200),
            "slot": _instant(data, "slot"),
            "revision": _number(data, "revision"),
            "queue": _text(data, "queue", 255),
            "parent": _text(data, "parent", 64),
            "unique_key": _text(data, "unique", 255),
        },
        worker=_text(data, "worker", 255),
        error_class=_text(data, "error_class", 255, cut=True),
        error=_text(data, "error", ERROR_LENGTH, cut=True),
        result=_result(data.get("result")),
        lateness=_seconds(data.get("lateness")),
        progress=_progress(data.get("progress"), attempt, event.at),
    )


def blank_row(news: News) -> Run:
    """A row that any news moves forward; never seen outside the transaction that makes it."""
    return Run(id=news.run, task=news.identity["task"], seen_at=news.at, attempt=_NO_ATTEMPT)


def fold(row: Run, news: News) -> bool:
    """Take `news` into `row`; returns whether anything changed."""
    before = _facts(row)
    blank = row.attempt == _NO_ATTEMPT
    for name, value in news.identity.items():
        if value is not None and (blank or getattr(row, name) is None):
            setattr(row, name, value)
    row.seen_at = min(row.seen_at, news.at)
    if news.state == State.QUEUED:
        row.dispatched_at = min(row.dispatched_at or news.at, news.at)
    if news.lateness is not None:
        row.lateness = news.lateness if row.lateness is None else min(row.lateness, news.lateness)
    row.progress = max(row.progress, news.progress, key=_progress_place)
    _move(row, news)
    if news.attempt == row.attempt and row.worker is None:
        row.worker = news.worker
    if news.state == State.RUNNING and news.attempt == row.attempt:
        row.started_at = min(row.started_at or news.at, news.at)
    return _facts(row) != before


def _progress_place(progress: Mapping[str, Any] | None) -> tuple[int, str, float]:
    return (progress["attempt"], progress["at"], progress["done"]) if progress else (_NO_ATTEMPT, "", 0.0)


def _move(row: Run, news: News) -> None:
    attempt = max(row.attempt, 0) if news.attempt == _ANY_ATTEMPT else news.attempt
    rank = _rank(State(row.state), row.attempt)
    if (attempt, news.rank) <= (row.attempt, rank) or (rank == _FINAL_RANK and news.attempt == _ANY_ATTEMPT):
        return
    if attempt > row.attempt:
        row.started_at = row.worker = None
    row.attempt = attempt
    row.state = news.state
    row.error_class, row.error, row.result = news.error_class, news.error, news.result
    row.finished_at = news.at if news.rank >= _LOST_RANK else None


def _rank(state: State, attempt: int) -> int:
    if attempt == _NO_ATTEMPT:
        return _NO_ATTEMPT
    return _REQUEUED_RANK if state == State.QUEUED and attempt > 0 else _RANKS.get(state, _FINAL_RANK)


def _facts(row: Run) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def _attempt(data: Mapping[str, Any], state: State) -> int:
    value = _whole(data.get("attempt"))
    if value is None and _RANKS.get(state, _FINAL_RANK) >= _LOST_RANK:
        return _ANY_ATTEMPT
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _LARGEST:
        raise BadNewsError(f"attempt {value!r} must be a whole number from 0")
    return value


def _seconds(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    return float(value) if is_number else None


def _progress(value: Any, attempt: int, at: datetime) -> dict[str, Any] | None:
    """What a task told of its progress, as far as it can be used: nothing else depends on it."""
    done = _seconds(value.get("done")) if isinstance(value, dict) else None
    if done is None:
        return None
    note = _storable(str(value.get("note") or ""))[:_NOTE_CHARACTERS]
    told_at = at.astimezone(UTC).isoformat(timespec="milliseconds")
    return {"done": done, "total": _seconds(value.get("total")), "note": note, "attempt": attempt, "at": told_at}


def _number(data: Mapping[str, Any], name: str) -> int | None:
    value = _whole(data.get(name))
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise BadNewsError(f"{name} {value!r} must be a whole number")
    return value


def _whole(value: Any) -> Any:
    """Redis' scripts know no integers: 3 may arrive as 3.0."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _instant(data: Mapping[str, Any], name: str) -> datetime | None:
    value = data.get(name)
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is None:
            raise BadNewsError(f"{name} {value!r} carries no time zone")
        return instant.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise BadNewsError(f"{name} {value!r} must be an ISO 8601 instant with a zone") from None


def _text(data: Mapping[str, Any], name: str, length: int, *, cut: bool = False) -> str | None:
    value = data.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadNewsError(f"{name} {value!r} must be text")
    value = _storable(value)
    if len(value) > length and not cut:
        raise BadNewsError(f"{name} is longer than {length} characters")
    return value[:length]


def _result(value: Any) -> Any:
    """The result, or, where its JSON is too large, a note that it was cut, with its beginning."""
    try:
        clean = _clean(value)
        text = json.dumps(clean, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return {"cut": "the result has no JSON form"}
    size = len(text.encode())
    if size > RESULT_BYTES:
        return {"cut": f"the result was {size} bytes long; this is its beginning", "head": text[:_HEAD_CHARACTERS]}
    return clean


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, float) and not isfinite(value):
        return str(value)  # NaN and Infinity are Python's, not JSON's
    if isinstance(value, dict):
        return {_storable(str(name)): _clean(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_clean(member) for member in value]
    return value


def _storable(text: str) -> str:
    """Without what a database's text refuses: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
