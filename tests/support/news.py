"""Events of a run's life, as the engine writes them."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from livebeat.events import Event

START = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
_sequence = count()


def event(what: str, seconds: float = 0, /, **data: Any) -> Event:
    """One event of run `r1`, `seconds` after the start."""
    at = START + timedelta(seconds=seconds)
    base = {
        "run": "r1",
        "task": "app.tasks.scheduler.crawl_all_complexes",
        "schedule": "주간업데이트",
        "slot": START.isoformat(),
        "revision": 3,
        "kind": "schedule",
        "parent": None,
        "attempt": 0 if what == "run.queued" else 1,
    }
    entry = f"{int(at.timestamp() * 1000)}-{next(_sequence)}"
    return Event(entry, at, what, {**base, **data})


def life(run: str = "r1", seconds: float = 0, **data: Any) -> list[Event]:
    """Queued, started, retried, requeued, started again, succeeded."""
    return [
        event("run.queued", seconds, run=run, queue="crawl", unique="key", **data),
        event("run.started", seconds + 1, run=run, worker="a@host", **data),
        event("run.retrying", seconds + 2, run=run, worker="a@host", error_class="ValueError", error="no", **data),
        event("run.requeued", seconds + 3, run=run, pushes=2, **data),
        event("run.started", seconds + 4, run=run, attempt=2, worker="b@host", **data),
        event("run.succeeded", seconds + 6, run=run, attempt=2, worker="b@host", result={"ok": 1}, **data),
    ]
