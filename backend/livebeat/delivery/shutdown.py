"""A soft shutdown that ends as soon as the work in hand has ended, and that always ends.

Celery's own sleeps for the whole `worker_soft_shutdown_timeout` once a task is running. The ledger knows better: a
run without an entry has ended.
"""

import logging
import signal
import threading
import types
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
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
_STOPS = (signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)
#: The module of the pool that an event loop drives, and the function that is the loop.
_POOL, _LOOP = "celery.concurrency.asynpool", ("kombu.asynchronous.hub", "create_loop")


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
    worker_ready.connect(lambda **_: _make_stoppable(worker), weak=False)


def _make_stoppable(worker: Any) -> None:
    let_stop_interrupt(worker.pool)
    hub = getattr(worker, "hub", None)
    if hub is not None and threading.current_thread() is threading.main_thread():
        stop_between_turns(hub, _STOPS)


def stop_between_turns(hub: Any, signals: Iterable[signal.Signals]) -> None:
    """Let the handlers of `signals` run once the pool isn't in the middle of writing a job or reading a result.

    Celery stops a prefork pool inside its signal handler: there it would wait for ever for a child that waits for the
    rest of its job, or has its result read by nobody.
    """
    for number in signals:
        handler = signal.getsignal(number)
        is_deferred = getattr(handler, "func", None) is _handle  # a worker is ready again after each reconnect
        if callable(handler) and not is_deferred:
            signal.signal(number, partial(_handle, hub, handler))


def _handle(hub: Any, handler: Any, number: int, frame: types.FrameType | None) -> None:
    places = set(_places(frame))
    if _LOOP in places and any(module == _POOL for module, _ in places):
        hub.call_soon(handler, number, None)  # at the loop's next turn
    else:
        handler(number, frame)


def _places(frame: types.FrameType | None) -> Iterator[tuple[str, str]]:
    while frame is not None:
        yield frame.f_globals.get("__name__", ""), frame.f_code.co_name
        frame = frame.f_back


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
