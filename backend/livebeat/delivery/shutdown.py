"""A soft shutdown that ends as soon as the work in hand has ended, and that always ends.

Celery's own sleeps for the whole `worker_soft_shutdown_timeout` once a task is running. The ledger knows better: a
run without an entry has ended.
"""

import logging
import threading
import types
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import redis
from celery.signals import worker_ready
from celery.worker import state

from livebeat import clock
from livebeat.connection import Link
from livebeat.wellformed import RUN_HEADER

logger = logging.getLogger(__name__)

_PERIOD = 0.2
#: Seconds that Celery takes to end its pool afterwards; at most half of the limit is kept for it.
_ENDING = 1.5


def end_when_idle(link: Link, worker: Any) -> None:
    """Let this worker's soft shutdown wait for its running tasks, so long that the worker ends about
    `worker_soft_shutdown_timeout` seconds after the signal at the latest."""
    ask_celery = worker.wait_for_soft_shutdown

    def wait_for_soft_shutdown(self: Any) -> None:
        limit = float(self.app.conf.worker_soft_shutdown_timeout or 0)
        running = list(state.active_requests)
        if limit <= 0 or not running or not all(_run_id(request) for request in running):
            ask_celery()  # a task without a ledger entry is running: only Celery can tell
            return
        patience = max(limit - _ENDING, limit / 2)
        logger.warning("Stopping: %d task(s) in hand have %g seconds to end.", len(running), patience)
        deadline = clock.monotonic() + patience
        while clock.monotonic() < deadline and _unfinished(link, running):
            threading.Event().wait(_PERIOD)

    worker.wait_for_soft_shutdown = types.MethodType(wait_for_soft_shutdown, worker)
    worker_ready.connect(lambda **_: let_stop_interrupt(worker.pool), weak=False)


def let_stop_interrupt(pool: Any) -> None:
    """Let a threads pool be stopped in the middle of being given a task.

    Celery stops it inside its signal handler, so perhaps while this very thread holds the executor's lock, and would
    wait for that for ever.
    """
    executor = getattr(pool, "executor", None)
    if isinstance(executor, ThreadPoolExecutor):
        executor._shutdown_lock = threading.RLock()  # type: ignore[assignment]


def _run_id(request: Any) -> str | None:
    headers = request.request_dict
    return headers.get(RUN_HEADER) if isinstance(headers, dict) else None


def _unfinished(link: Link, requests: list[Any]) -> bool:
    """Whether any of them is still to be ended or given back; yes while Redis doesn't answer."""
    pipeline = link.client.pipeline(transaction=False)
    for request in requests:
        pipeline.hget(link.keys.run(request.id), "state")
    try:
        return any(state not in {None, "retrying"} for state in pipeline.execute())
    except redis.RedisError:
        return True
