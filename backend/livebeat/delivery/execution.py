"""What happens around a task's body in the worker: claim before, finish or release after, an event for each.

Tasks that came without a ledger entry (sent by plain Celery) run as ever, and their events are told all the same.
docs/delivery.md says what each way to end comes to.
"""

import json
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import redis
from billiard.common import terminate_handler_fired
from celery import current_task
from celery.exceptions import Ignore, Reject, Retry, SoftTimeLimitExceeded, WorkerShutdown, WorkerTerminate

from livebeat import clock, failpoints
from livebeat.connection import Link
from livebeat.delivery.lease import Leases
from livebeat.delivery.ledger import Ledger, Run
from livebeat.message import SLOT_HEADER, Message, build
from livebeat.wellformed import is_run

logger = logging.getLogger(__name__)

RESULT_BYTES = 16 * 1024
ERROR_CHARACTERS = 2000
#: Seconds between two progress events of a run, and before the next one after Redis didn't take one.
PROGRESS_PAUSE = 0.5
_PROGRESS_PAUSE_AWAY = 10.0
#: Tries of a step in the ledger, and seconds between them, while Redis is away; then the lease runs out and the run is
#: executed again.
_TRIES = 5
_PAUSE = 1.0
_AWAY = (redis.ConnectionError, redis.TimeoutError)

_here = threading.local()


def executing() -> "Execution | None":
    """What this thread executes."""
    return getattr(_here, "execution", None)


def current_run() -> Run | None:
    """The run that this thread executes; None outside a task, and in threads that a task has started."""
    execution = executing()
    return execution.run if execution else None


def current_slot() -> datetime | None:
    """The slot that the running task was dispatched for (aware, UTC); None outside a task or for an ad-hoc run."""
    slot = current_task.request.get(SLOT_HEADER) if current_task else None
    return datetime.fromisoformat(slot) if slot else None


def progress(done: float, total: float | None = None, note: str = "") -> None:
    """Tell how far the running task is. Best effort, at most twice a second a run; without effect outside a task.

    The last one is part of the event of the run's end, too.
    """
    execution = executing()
    if execution:
        execution.progress({"done": done, "total": total, "note": note})


class Execution:
    """One message being executed in this process."""

    def __init__(self, link: Link, leases: Leases, task: Any) -> None:
        self._link, self._leases = link, leases
        self._owner = leases.owner()
        self._ledger = Ledger(link)
        request = task.request
        self._worker = str(request.hostname or "")
        self.marked = is_run(request, request.id)
        parent = request.parent_id if request.parent_id != request.id else None  # a retry is its own parent
        self.run = Run.of(request.id, task.name, request, parent)
        self._attempt = 1 + int(request.retries or 0)
        self._started = clock.monotonic()
        self._instead: Any = None
        self._replaced = False
        self._progress: dict[str, Any] | None = None
        self._next_progress = 0.0

    def __call__(self, body: Callable[[], Any]) -> Any:
        """Run the task's body under a claim.

        Raises:
            Ignore: the message is a late or second copy, or Redis didn't answer; nothing was run.
        """
        self._begin()
        try:
            result = self._alone(body)
        except BaseException as error:
            self._settle(error)
            raise
        if self._instead is not None:
            self._go_on(None)
        else:
            self._end("run.succeeded", result=_result(result))
        return result

    def go_on_as(self, signature: Any) -> None:
        """The task sends this in its own place, by `retry` or `replace`: the same run, its next attempt."""
        self._instead = signature

    def was_replaced(self) -> None:
        """The task has sent several messages in its own place."""
        self._replaced = True

    def progress(self, said: dict[str, Any]) -> None:
        """Tell progress, unless the last one was told a moment ago."""
        self._progress = said
        now = clock.monotonic()
        if now >= self._next_progress:
            told = self._ledger.tell(self.run, "run.progress", **self._facts(progress=said))
            self._next_progress = now + (PROGRESS_PAUSE if told else _PROGRESS_PAUSE_AWAY)

    def _begin(self) -> None:
        if not self.marked:
            self._ledger.tell(self.run, "run.started", **self._facts())
            return
        try:
            outcome, attempt = self._patiently(lambda: self._ledger.claim(self.run, self._owner, self._worker), _AWAY)
        except redis.RedisError as error:
            logger.warning("Run %s of %s was not started: Redis: %s. It is pushed again.", *self._name(), error)
            raise Ignore from error
        if outcome != "claimed":
            why = "has ended already" if outcome == "gone" else "is another execution's, or not due"
            logger.info("Run %s of %s %s; this copy of its message is dropped.", *self._name(), why)
            raise Ignore
        self._attempt = attempt
        self._leases.hold(self.run.run, self._owner)

    def _alone(self, body: Callable[[], Any]) -> Any:
        outer, _here.execution = executing(), self
        try:
            failpoints.reach("before_body")
            result = body()
            failpoints.reach("after_body")
            return result
        finally:
            _here.execution = outer

    def _settle(self, error: BaseException) -> None:
        """The body has ended by an exception."""
        if terminate_handler_fired() or isinstance(error, WorkerShutdown | WorkerTerminate):
            self._release(0, error=f"interrupted by {type(error).__name__}: the worker stops")
        elif self._instead is not None or isinstance(error, Retry):
            self._go_on(error)
        elif isinstance(error, Ignore):
            self._ignore()
        elif isinstance(error, Reject):
            self._reject(error)
        elif isinstance(error, Exception):
            self._end("run.failed", **_failure(error))
        else:
            self._exit(error)

    def _go_on(self, error: BaseException | None) -> None:
        """The run is not over: retried or replaced."""
        signature, when = self._instead, None
        facts: dict[str, Any] = {}
        if isinstance(error, Retry):
            when = error.when
            facts = _failure(error.exc) if isinstance(error.exc, Exception) else {"error": str(error.exc or "")}
        elif isinstance(error, Ignore):
            facts = {"error": f"replaced by {signature.task}"}
        elif isinstance(error, Exception):
            facts = _failure(error)
        if signature is None:
            self._release(_seconds_until(when), **facts)
            return
        when = when or signature.options.get("eta") or signature.options.get("countdown")
        self._release(_seconds_until(when), self._rebuilt(signature), **facts)

    def _rebuilt(self, signature: Any) -> Message:
        """The message that goes on under the same id, without an ETA: the ledger keeps it until then."""
        options = {
            name: value
            for name, value in signature.options.items()
            if name not in {"task_id", "countdown", "eta"} and value is not None
        }
        return build(
            self._link.app,
            signature.task,
            signature.args,
            signature.kwargs,
            run_id=self.run.run,
            headers=self.run.headers,
            options=options,
        )

    def _ignore(self) -> None:
        if not self._replaced:
            self._end("run.cancelled", error="the task asked to be ignored")
        elif self.marked:
            self._end("run.succeeded", result={"replaced": "by several tasks"})
        else:
            self._release(0, error="replaced by another task")

    def _reject(self, error: Reject) -> None:
        reason = str(error.reason or "rejected by the task")
        if error.requeue:
            self._release(0, error=reason)
        else:
            self._end("run.failed", error_class="Reject", error=reason)

    def _exit(self, error: BaseException) -> None:
        """The task ended its process by itself: that would go on for ever, so it counts as a lost execution."""
        self._leases.drop(self.run.run)
        entry = self._ledger.read(self.run.run) if self.marked else None
        if entry is not None and entry.owner == self._owner:
            reason = f"the task raised {type(error).__name__}"
            self._conclude(lambda: self._ledger.lose(entry, after=0, error=reason, worker=self._worker))

    def _end(self, event: str, **facts: Any) -> None:
        facts["duration"] = round(clock.monotonic() - self._started, 6)
        facts["worker"] = self._worker
        if self._progress is not None:
            facts["progress"] = self._progress
        if self.marked:
            self._conclude(lambda: self._ledger.finish(self.run, self._owner, self._attempt, event, **facts))
        else:
            self._ledger.tell(self.run, event, attempt=self._attempt, **facts)

    def _release(self, after: float, message: Message | None = None, **facts: Any) -> None:
        facts["worker"] = self._worker
        facts["until"] = clock.from_epoch(clock.to_epoch(clock.now()) + after).isoformat()
        if self.marked:
            given = (self.run, self._owner, self._attempt)
            self._conclude(lambda: self._ledger.release(*given, after=after, message=message, **facts))
        else:
            self._ledger.tell(self.run, "run.retrying", attempt=self._attempt, **facts)

    def _conclude(self, step: Callable[[], bool]) -> None:
        """The last step of this execution in the ledger."""
        self._leases.drop(self.run.run)
        unheard: list[Exception] = []
        if self._patiently(step, (*_AWAY, SoftTimeLimitExceeded), unheard):
            return
        if unheard:
            logger.info(
                "Run %s of %s: Redis was away as it ended (%s), so it was told twice.", *self._name(), unheard[0]
            )
        else:
            logger.warning(
                "Run %s of %s is not this execution's any more; how it ended here doesn't count.", *self._name()
            )

    def _patiently(
        self, step: Callable[[], Any], passing: tuple[type[Exception], ...], unheard: list[Exception] | None = None
    ) -> Any:
        """Take a step that is safe to repeat, again after errors that pass; these are added to `unheard`."""
        for _ in range(_TRIES - 1):
            try:
                return step()
            except passing as error:
                if unheard is not None:
                    unheard.append(error)
                threading.Event().wait(_PAUSE)
        return step()

    def _facts(self, **more: Any) -> dict[str, Any]:
        return {"attempt": self._attempt, "worker": self._worker, **more}

    def _name(self) -> tuple[str, str]:
        return self.run.run, self.run.task


def _failure(error: Exception) -> dict[str, str]:
    return {"error_class": type(error).__name__, "error": str(error)[:ERROR_CHARACTERS]}


def _result(value: Any) -> Any:
    text = json.dumps(value, ensure_ascii=False, default=str)
    if len(text.encode()) <= RESULT_BYTES:
        return value
    return {"cut": f"the result had {len(text)} characters; {RESULT_BYTES} bytes are kept", "start": text[:1000]}


def _seconds_until(when: Any) -> float:
    if isinstance(when, datetime):
        return max((when - clock.now()).total_seconds(), 0.0)
    return float(when or 0)
