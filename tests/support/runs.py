"""What the event stream and the ledger say of runs, and a relay for tests without a beat."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis
from celery import Celery

from livebeat.connection import link
from livebeat.delivery.relay import Relay
from livebeat.events import TERMINAL
from support.waiting import wait_until


def events_of(client: "redis.Redis", run_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Every event about a run: type and data, oldest first."""
    found = [(values["type"], json.loads(values["data"])) for _, values in client.xrange("livebeat:events")]
    return [(kind, data) for kind, data in found if data.get("run") == run_id]


def data_of(client: "redis.Redis", kind: str, run_id: str) -> list[dict[str, Any]]:
    """The data of the run's events of one type."""
    return [data for found, data in events_of(client, run_id) if found == kind]


def ended(client: "redis.Redis", run_id: str, seconds: float = 30) -> str:
    """The type of the run's one terminal event, once it is there; nothing of the run is left in the ledger then."""

    def terminal() -> list[str]:
        return [kind for kind, _ in events_of(client, run_id) if kind in TERMINAL]

    wait_until(terminal, seconds, f"the end of run {run_id}")
    (kind,) = terminal()
    assert not client.exists(f"livebeat:run:{run_id}")
    assert client.zscore("livebeat:ledger", run_id) is None
    return kind


@contextmanager
def relaying(app: Celery) -> Iterator[None]:
    """The leading beat's relay, in a thread."""
    relay, stop = Relay(link(app)), threading.Event()

    def run() -> None:
        while not stop.wait(0.1):
            relay.run_once()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
