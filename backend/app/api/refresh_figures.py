"""Figures of the stats refresh: what is under way, by the ledger; what came of the others, by the history."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from app.api.engine import redis_link
from app.api.readiness import Remembered
from app.api.refresh_view import code_of
from app.api.refreshes import refreshes
from app.core.celery_app import celery_app
from app.domains.velog.requests import KEY_PREFIX
from app.history.models import State
from livebeat import clock
from livebeat.connection import Link
from livebeat.delivery.workers import workers

QUEUE = "stats"
_BATCH = 1000
_ANSWER_SECONDS = 1.0


@dataclass(frozen=True)
class Queue:
    """How many requests wait for a worker, run, and wait to be tried again; and since how many seconds the oldest
    waits for a worker, and the oldest of all is under way (None where there is none)."""

    waiting: int
    running: int
    retrying: int
    oldest_waiting: float | None
    oldest: float | None


def queue_now(of: Link) -> Queue:
    """Every request that is under way, counted. Reads the state of each: some 10,000 a second."""
    now = clock.to_epoch(of.now())
    counts: Counter[str] = Counter()
    waiting, under_way = [], []
    for state, accepted_at in _under_way(of):
        counts[state] += 1
        under_way.append(accepted_at)
        if state == "queued":
            waiting.append(accepted_at)
    ages = [round(max(now - min(since), 0.0), 3) if since else None for since in (waiting, under_way)]
    return Queue(counts["queued"], counts["running"], counts["retrying"], *ages)


def ended_since(since: datetime) -> tuple[Counter[str], Counter[str]]:
    """Of the requests that came in since then: how many stand where, and how many failed for which reason."""
    states: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    rows = refreshes().filter(seen_at__gte=since).order_by()
    for state, error_class, count in rows.values_list("state", "error_class").annotate(count=Count("pk")):
        states[state] += count
        if state in (State.FAILED, State.LOST, State.EXPIRED):
            reasons[code_of(state, error_class)] += count
    return states, reasons


def _ask_workers() -> dict[str, float]:
    names = [worker.name for worker in workers(redis_link()) if QUEUE in worker.queues]
    if not names:
        return {}
    replies = celery_app.control.inspect(destination=names, timeout=_ANSWER_SECONDS).stats() or {}
    return {name: float(told["uptime"]) for name, told in sorted(replies.items())}


#: Node name → seconds since its start, of each worker that consumes the queue and answers; asked once in two seconds.
workers_uptime = Remembered(_ask_workers)


def _under_way(of: Link) -> Iterator[tuple[str, float]]:
    """State, and epoch seconds of the acceptance."""
    runs = sorted({run for _, run in of.client.hscan_iter(of.keys.unique, match=f"{KEY_PREFIX}*", count=_BATCH)})
    for start in range(0, len(runs), _BATCH):
        pipeline = of.client.pipeline(transaction=False)
        for run in runs[start : start + _BATCH]:
            pipeline.hmget(of.keys.run(run), ["state", "accepted_at", "pushed_at"])
        for state, accepted_at, pushed_at in pipeline.execute():
            if state:  # it may have ended meanwhile
                yield state, float(accepted_at or pushed_at)
