"""Renews the leases of the runs that this process executes, from a thread of its own.

The thread starts with the first claim, so after any fork. A process that is stopped, or whose interpreter lock is
held for longer than a lease, stops renewing: the run is then given to another, and its own finish is refused.
"""

import logging
import os
import socket
import threading
import uuid
from itertools import count

import redis

from livebeat.delivery.ledger import LEASE, Ledger

logger = logging.getLogger(__name__)


class Leases:
    """The leases of one process."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._held: dict[str, str] = {}
        self._executions = count(1)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.pid = os.getpid()
        self._process = f"{socket.gethostname()}:{self.pid}:{uuid.uuid4().hex[:12]}"

    def owner(self) -> str:
        """A name for one more execution: two copies of a message in one process are two."""
        return f"{self._process}:{next(self._executions)}"

    def hold(self, run_id: str, owner: str) -> None:
        """Keep this run's lease alive until `drop`."""
        with self._lock:
            self._held[run_id] = owner
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew, name="livebeat-leases", daemon=True)
                self._thread.start()

    def drop(self, run_id: str) -> None:
        """The run has ended here."""
        with self._lock:
            self._held.pop(run_id, None)

    def _renew(self) -> None:
        while not self._stop.wait(LEASE / 3):
            with self._lock:
                held = dict(self._held)
            if not held:
                continue
            try:
                lost = self._ledger.renew(held)
            except redis.RedisError as error:
                logger.warning("Leases of %d run(s) could not be renewed, trying again: %s", len(held), error)
                continue
            for run_id in set(lost) & self._held.keys():
                logger.warning("Run %s lost its lease; another worker may execute it again.", run_id)
                self.drop(run_id)
