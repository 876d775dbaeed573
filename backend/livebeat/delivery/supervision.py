"""How runs end that can't tell it themselves: what only the worker's main process sees.

A lost child, a hard limit, a revoke, an expiry, a message that it rejects or whose task it doesn't know. A child's owner
token is not known here; its owners begin with host and process id, and each step is checked against the entry as read.
"""

import logging
from collections.abc import Callable
from functools import cache
from types import MethodType
from typing import Any

import redis
from billiard.einfo import ExceptionWithTraceback
from billiard.exceptions import Terminated, WorkerLostError
from celery import signals
from celery.concurrency.asynpool import AsynPool
from celery.utils.imports import symbol_by_name
from celery.worker import state

from livebeat import clock
from livebeat.connection import Link, link
from livebeat.delivery.lease import owner_prefix
from livebeat.delivery.ledger import Ledger, LedgerEntry, Run
from livebeat.wellformed import is_run

logger = logging.getLogger(__name__)

#: Seconds that a run waits for a worker that knows its task; four times as many the second time.
UNKNOWN_PAUSE = 60
#: Seconds between two looks for children that are gone.
_ROUND = 1.0
#: Reads of an entry that changes under our eyes.
_TRIES = 3
_GONE = (WorkerLostError, SystemExit, KeyboardInterrupt, Terminated)


class _Supervised:
    """Mixed into a task's `Request` class."""

    def on_failure(self: Any, exc_info: Any, *args: Any, **kwargs: Any) -> Any:
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        if isinstance(error, _GONE):
            _child_is_gone(self, error)
        return super().on_failure(exc_info, *args, **kwargs)  # type: ignore[misc]

    def on_timeout(self: Any, soft: bool, timeout: float) -> None:
        if not soft and not state.should_terminate:
            error = f"hard time limit of {timeout:g} s exceeded"
            _end_execution(self, "run.failed", error_class="TimeLimitExceeded", error=error)
            if is_run(self.request_dict, self.id):  # a child that is slow to start may be killed before its claim
                _lose(self, lambda entry: _is_unclaimed_by(self, entry), f"{error} before it began")
        super().on_timeout(soft, timeout)  # type: ignore[misc]

    def terminate(self: Any, pool: Any, signal: Any = None) -> None:
        super().terminate(pool, signal)  # type: ignore[misc]
        if self.time_start:
            _end_execution(self, "run.cancelled", or_given_back=True, error="revoked while it was running")

    def reject(self: Any, requeue: bool = False) -> None:
        """Never back to the broker's queue: the ledger has the message."""
        super().reject(requeue=requeue and not is_run(self.request_dict, self.id))  # type: ignore[misc]


def supervised(request_class: Any) -> type:
    """A task's `Request` class (or its name) with supervision."""
    return _supervised(symbol_by_name(request_class))


@cache
def _supervised(base: type) -> type:
    return base if issubclass(base, _Supervised) else type("Request", (_Supervised, base), {})


def supervise(app_link: Link) -> None:
    """Listen to what this worker's main process says of messages that it doesn't execute."""
    ledger = Ledger(app_link)

    def revoked(request: Any = None, terminated: bool = False, expired: bool = False, **_: Any) -> None:
        if terminated:
            return  # `_Supervised.terminate` tells it: it knows the process
        event, error = ("run.expired", "it expired before it was started") if expired else ("run.cancelled", "revoked")
        worker = str(request.hostname or "")
        if is_run(request, request.id):
            _settle(
                ledger, request.id, _is_unclaimed, lambda entry: ledger.end(entry, event, error=error, worker=worker)
            )
        else:
            ledger.tell(Run.of(request.id, request.task, request), event, attempt=0, error=error, worker=worker)

    def unknown(sender: Any = None, message: Any = None, name: str = "", id: str = "", **_: Any) -> None:  # noqa: A002
        error = f"worker {sender.hostname} knows no task {name!r}"
        if is_run(message.headers, id):
            _settle(
                ledger,
                id,
                _is_unclaimed,
                lambda entry: ledger.lose(
                    entry, after=UNKNOWN_PAUSE * 4**entry.losses, error=error, worker=sender.hostname
                ),
            )
        else:
            run = Run.of(id, name, message.headers)
            ledger.tell(run, "run.failed", attempt=0, error_class="NotRegistered", error=error, worker=sender.hostname)

    def rejected(message: Any = None, exc: Any = None, **_: Any) -> bool:
        """Returns whether it is a run's: then it is kept with the run."""
        run_id = message.headers.get("id")
        if not is_run(message.headers, run_id):
            return False
        error = f"its message can't be used: {exc}"
        _settle(ledger, run_id, _is_unclaimed, lambda entry: ledger.end(entry, "run.lost", error=error))
        return True

    signals.task_revoked.connect(revoked, weak=False, dispatch_uid="livebeat-revoked")
    signals.task_unknown.connect(unknown, weak=False, dispatch_uid="livebeat-unknown")
    signals.task_rejected.connect(rejected, weak=False, dispatch_uid="livebeat-rejected")
    signals.worker_ready.connect(_notice_losses_at_once, weak=False, dispatch_uid="livebeat-losses")


def _notice_losses_at_once(sender: Any = None, **_: Any) -> None:
    """A dead child's results have been read when billiard counts its job as lost; then it waits 10 s for them.

    Not for a run: whether it had ended is in the ledger. Nor does it wait 5 s for the next round of the pool, where a
    child's pipe was closed a moment before the kernel told its end.
    """
    pool = getattr(sender.pool, "_pool", None)
    if not isinstance(pool, AsynPool):
        return
    as_ever = pool.on_job_process_lost

    def on_job_process_lost(self: Any, job: Any, pid: int, exitcode: int) -> None:
        request = state.requests.get(job.correlation_id)
        if request is not None and is_run(request.request_dict, request.id):
            self.mark_as_worker_lost(job, exitcode)
        else:
            as_ever(job, pid, exitcode)

    pool.on_job_process_lost = MethodType(on_job_process_lost, pool)
    pool.maintain_pool()  # Celery's next step ends the worker if a child was killed while it started
    sender.hub.call_repeatedly(_ROUND, pool.maintain_pool)


def _child_is_gone(request: Any, error: BaseException) -> None:
    ledger, worker = Ledger(link(request.app)), request.hostname
    if not is_run(request.request_dict, request.id):
        _tell_of(request, "run.failed", error_class=type(error).__name__, error=str(error))
    elif isinstance(error, Terminated):  # Celery stopped it, not its own doing
        why = {"error": "cancelled by its worker", "worker": worker}
        _settle(
            ledger,
            request.id,
            _is_in_child(request),
            lambda entry: ledger.release(entry.run, entry.owner, entry.attempt, after=0, because="stopped", **why),
        )
    else:
        lost = f"its process {request.worker_pid} was lost: {error}"
        is_in_child = _is_in_child(request)
        _lose(request, lambda entry: is_in_child(entry) or _is_unclaimed_by(request, entry), lost)


def _end_execution(request: Any, event: str, *, or_given_back: bool = False, **facts: Any) -> None:
    """End a run that a child of ours is executing, or, if asked, has just given back as we stopped it."""
    if request.time_start:
        facts["duration"] = round(max(clock.to_epoch(clock.now()) - request.time_start, 0), 6)
    if is_run(request.request_dict, request.id):
        ledger = Ledger(link(request.app))
        facts["worker"] = request.hostname
        is_in_child = _is_in_child(request)

        def is_ours(entry: LedgerEntry) -> bool:
            return is_in_child(entry) or (or_given_back and _is_unclaimed(entry))

        _settle(ledger, request.id, is_ours, lambda entry: ledger.end(entry, event, **facts))
    else:
        _tell_of(request, event, **facts)


def _lose(request: Any, concerns: Callable[[LedgerEntry], bool], error: str) -> None:
    """Give a run back at once whose execution here was lost, or never began."""
    ledger = Ledger(link(request.app))
    _settle(
        ledger,
        request.id,
        concerns,
        lambda entry: ledger.lose(entry, after=0, error=error, worker=request.hostname),
    )


def _tell_of(request: Any, event: str, **facts: Any) -> None:
    run = Run.of(request.id, request.name, request.request_dict)
    attempt = 1 + int(request.request_dict.get("retries") or 0)
    Ledger(link(request.app)).tell(run, event, attempt=attempt, worker=request.hostname, **facts)


def _settle(
    ledger: Ledger, run_id: str, concerns: Callable[[LedgerEntry], bool], step: Callable[[LedgerEntry], bool]
) -> None:
    """Take a step on an entry as it is read, again where it has changed meanwhile."""
    try:
        for _ in range(_TRIES):
            entry = ledger.read(run_id)
            if entry is None or not concerns(entry) or step(entry):
                return
    except redis.RedisError as error:
        logger.warning("Run %s: the ledger could not be told how it ended (%s); it is executed again.", run_id, error)


def _is_unclaimed(entry: LedgerEntry) -> bool:
    return entry.state != "running"


def _is_unclaimed_by(request: Any, entry: LedgerEntry) -> bool:
    """Whether a child that was given this request has not claimed it: the run was not pushed again since."""
    return entry.state == "queued" and entry.pushed_at < (request.time_start or 0)


def _is_in_child(request: Any) -> Callable[[LedgerEntry], bool]:
    """Whether a run is being executed by the child that was given this request."""
    prefix = owner_prefix(request.worker_pid)
    return lambda entry: entry.state == "running" and entry.owner.startswith(prefix)
