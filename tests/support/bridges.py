"""Bridges under test, in threads of this process, and the old list that they take from."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

from app.bridge.service import Bridge
from app.core.celery_app import celery_app
from app.core.settings import Settings
from livebeat import LedgerEntry, run_state
from livebeat.connection import link
from livebeat.delivery import Ledger
from support.waiting import wait_until

MAIN = "vd2:queue:stats-refresh"
PROCESSING, FAILED, HAND = f"{MAIN}:processing", f"{MAIN}:failed", f"{MAIN}:bridge"


@dataclass(frozen=True)
class Place:
    """The old list's Redis (`old`), the ledger's (`store`), and the settings that lead a bridge to both."""

    old: "redis.Redis"
    store: "redis.Redis"
    settings: Settings

    def push(self, *messages: Any) -> None:
        """As a producer: text as it is, anything else as the Node API writes JSON."""
        texts = [each if isinstance(each, str | bytes) else compact(each) for each in messages]
        for text in texts:
            self.old.lpush(MAIN, text)

    def lengths(self) -> tuple[int, int, int]:
        """As `LLEN` tells an old dashboard: main, processing, failed."""
        return int(self.old.llen(MAIN)), int(self.old.llen(PROCESSING)), int(self.old.llen(FAILED))

    def entries(self, name: str = PROCESSING) -> list[dict[str, Any]]:
        """A list's JSON, oldest first in `:processing`, newest first elsewhere."""
        return [json.loads(text) for text in self.old.lrange(name, 0, -1)]

    def visible(self, count: int) -> list[dict[str, Any]]:
        """What is in `:processing` once nothing waits and so many are in it."""
        wait_until(lambda: self.lengths()[:2] == (0, count) and not self.old.llen(HAND), 10, f"{count} visible")
        return self.entries()

    def runs(self) -> dict[str, LedgerEntry]:
        """What is in the ledger."""
        ids: Any = self.store.zrange("livebeat:ledger", 0, -1)
        found = {run: run_state(celery_app, run) for run in ids}
        return {run: entry for run, entry in found.items() if entry is not None}

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The data of every event of one type."""
        entries: Any = self.store.xrange("livebeat:events")
        return [json.loads(fields["data"]) for _, fields in entries if fields["type"] == kind]


def node(user: Any) -> dict[str, Any]:
    """A message of the Node API."""
    return {"userId": user, "requestedAt": _instant(), "retryCount": 0}


def _instant() -> str:
    return datetime(2025, 12, 24, 12, tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def compact(message: Any) -> str:
    """JSON as JavaScript writes it."""
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


def end(run: str, event: str = "run.succeeded", **facts: Any) -> None:
    """End a run that is in the ledger."""
    entry = run_state(celery_app, run)
    assert entry is not None
    assert Ledger(link(celery_app)).end(entry, event, **facts)


@contextmanager
def bridging(place: Place, host: str = "here") -> Iterator[None]:
    """A bridge, until the end of the block."""
    stop = threading.Event()
    thread = threading.Thread(target=Bridge(link(celery_app), place.settings, host, stop).run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(15)
        assert not thread.is_alive()
