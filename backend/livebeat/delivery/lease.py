"""Renews the leases of the runs that this process executes, from a thread of its own, and stops what is cancelled.

The thread and its connection start with the first claim, so after any fork. A process that is stopped, or whose
interpreter lock is held for longer than a lease, stops renewing: the run is then given to another, and its own finish
is refused.
"""

import logging
import os
import signal
import socket
import threading
import uuid
from itertools import count

import redis
from billiard.common import TERM_SIGNAL
from billiard.process import current_process

from livebeat.connection import Link
from livebeat.delivery.ledger import LEASE, Ledger

logger = logging.getLogger(__name__)

_PERIOD = LEASE / 4
#: Seconds for a reply, and before the next try where there was none: three tries fit into a lease that was just renewed.
_REPLY_TIMEOUT = 1.5
_RETRY = 0.5


def owner_prefix(pid: int) -> str:
    """What the owners of all runs that a process of this host executes begin with."""
    return f"{socket.gethostname()}:{pid}:"


class Leases:
    """The leases of one process."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._held: dict[str, str] = {}
        self._executions = count(1)
        self._asked_to_stop: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self.pid = os.getpid()
        self._process = f"{owner_prefix(self.pid)}{uuid.uuid4().hex[:12]}"

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
        """This process renews it no longer."""
        with self._lock:
            self._held.pop(run_id, None)
            self._asked_to_stop.discard(run_id)

    def _renew(self) -> None:
        ledger, pause, waits = Ledger(self._link.with_timeout(_REPLY_TIMEOUT)), _PERIOD, threading.Event()
        while not waits.wait(pause):
            with self._lock:
                held = dict(self._held)
            pause = _PERIOD
            if not held:
                continue
            try:
                lost, cancelled = ledger.renew(held)
            except redis.RedisError as error:
                logger.warning("Leases of %d run(s) could not be renewed, trying again: %s", len(held), error)
                pause = _RETRY
                continue
            for run_id in lost:
                self._forget(run_id, held[run_id])
            for run_id in cancelled:
                self._stop(run_id)

    def _stop(self, run_id: str) -> None:
        """End this process, a pool's child, because of its run: as Celery's terminate does, and by force the next time."""
        if current_process().name == "MainProcess":
            logger.error("Run %s is cancelled, but this pool has no child to stop: it goes on to its end.", run_id)
            return
        with self._lock:
            if run_id not in self._held:
                return
            logger.warning("Run %s is cancelled: another run of its schedule takes its place. Stopping it.", run_id)
            os.kill(self.pid, signal.SIGKILL if run_id in self._asked_to_stop else TERM_SIGNAL)
            self._asked_to_stop.add(run_id)

    def _forget(self, run_id: str, owner: str) -> None:
        """Tell once that a run was given to another; not of one that has ended here since we asked."""
        with self._lock:
            if self._held.get(run_id) != owner:
                return
            del self._held[run_id]
        logger.warning(
            "Run %s lost its lease: another worker may execute it, and how it ends here won't count.", run_id
        )
