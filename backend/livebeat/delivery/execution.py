"""What happens around a task's body in the worker: claim before, finish or release after, an event for each.

Tasks that came without a ledger entry (sent by plain Celery) run as ever, and their events are told all the same.
"""

import contextlib
import json
import logging
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

import redis
from celery import current_task
from celery.exceptions import Ignore, Reject, Retry

from livebeat import clock
from livebeat.connection import Link
from livebeat.delivery.lease import Leases
from livebeat.delivery.ledger import Ledger, Run
from livebeat.events import emit
from livebeat.message import KIND_HEADER, REVISION_HEADER, RUN_HEADER, SCHEDULE_HEADER, SLOT_HEADER, Message, build

logger = logging.getLogger(__name__)

RESULT_BYTES = 16 * 1024
ERROR_CHARACTERS = 2000
#: Tries, and seconds between them, to tell the ledger how a run ended while Redis is away; then the lease runs out
#: and the run is executed again.
_FINISH_TRIES = 5
_FINISH_PAUSE = 1.0


_here = threading.local()


def executing() -> str | None:
    """The id of the run that this thread executes."""
    return getattr(_here, "run", None)


class Execution:
    """One message being executed in this process."""

    def __init__(self, link: Link, leases: Leases, task: Any) -> None:
        self._link, self._leases, self._task = link, leases, task
        self._owner = leases.owner()
        self._ledger = Ledger(link)
        request = task.request
        self._worker = str(request.hostname or "")
        self._marked = request.get(RUN_HEADER) == request.id
        self.run = Run(
            run=request.id,
            task=task.name,
            schedule=request.get(SCHEDULE_HEADER),
            slot=request.get(SLOT_HEADER),
            revision=request.get(REVISION_HEADER),
            kind=request.get(KIND_HEADER) or "task",
            parent=request.parent_id if request.parent_id != request.id else None,  # a retry is its own parent
        )
        self._attempt = 1 + int(request.retries or 0)
        self._started = clock.monotonic()

    def __call__(self, body: Callable[[], Any]) -> Any:
        """Run the task's body under a claim.

        Raises:
            Ignore: the message is a late or second copy; nothing was run.
        """
        self._begin()
        try:
            result = self._alone(body)
        except Retry as error:
            self._retry(error)
            raise
        except Ignore:
            self._end("run.cancelled", error="the task asked to be ignored")
            raise
        except Reject as error:
            self._reject(error)
            raise
        except Exception as error:
            self._end("run.failed", **_failure(error))
            raise
        except BaseException as error:  # the worker is being stopped, cold
            self._release(0, error=f"interrupted by {type(error).__name__}")
            raise
        self._end("run.succeeded", result=_result(result))
        return result

    def _alone(self, body: Callable[[], Any]) -> Any:
        outer, _here.run = executing(), self.run.run
        try:
            return body()
        finally:
            _here.run = outer

    def _begin(self) -> None:
        if not self._marked:
            self._tell("run.started")
            return
        outcome, attempt = self._ledger.claim(self.run, self._owner, self._worker)
        if outcome != "claimed":
            why = "has ended already" if outcome == "gone" else "is being executed by another worker"
            logger.info("Run %s of %s %s; this copy of its message is dropped.", self.run.run, self.run.task, why)
            raise Ignore
        self._attempt = attempt
        self._leases.hold(self.run.run, self._owner)

    def _end(self, event: str, **facts: Any) -> None:
        facts["duration"] = round(clock.monotonic() - self._started, 6)
        facts["worker"] = self._worker
        if not self._marked:
            self._tell(event, **facts)
        elif not self._persistently(lambda: self._ledger.finish(self.run, self._owner, self._attempt, event, **facts)):
            logger.warning("Run %s had lost its lease before it ended; its outcome here doesn't count.", self.run.run)

    def _release(self, after: float, message: Message | None = None, **facts: Any) -> None:
        facts["worker"] = self._worker
        facts["until"] = clock.from_epoch(clock.to_epoch(clock.now()) + after).isoformat()
        if not self._marked:
            self._tell("run.retrying", **facts)
            return
        self._persistently(
            lambda: self._ledger.release(self.run, self._owner, self._attempt, after=after, message=message, **facts)
        )

    def _retry(self, error: Retry) -> None:
        facts = _failure(error.exc) if isinstance(error.exc, Exception) else {"error": str(error.exc or "")}
        message = self._rebuilt(error.sig) if self._marked and error.sig is not None else None
        self._release(_seconds_until(error.when), message, **facts)

    def _rebuilt(self, signature: Any) -> Message:
        """The retried message (its retry count, perhaps other arguments) under the same id, without an ETA."""
        options = {
            name: value
            for name, value in signature.options.items()
            if name not in {"task_id", "headers", "countdown", "eta"} and value is not None
        }
        headers = {
            SCHEDULE_HEADER: self.run.schedule,
            SLOT_HEADER: self.run.slot,
            REVISION_HEADER: self.run.revision,
            KIND_HEADER: self.run.kind,
        }
        return build(
            self._link.app,
            signature.task,
            signature.args,
            signature.kwargs,
            run_id=self.run.run,
            headers={name: value for name, value in headers.items() if value is not None},
            options=options,
        )

    def _reject(self, error: Reject) -> None:
        if error.requeue:
            self._release(0, error=str(error.reason or "rejected by the task"))
        else:
            self._end("run.failed", error_class="Reject", error=str(error.reason or "rejected by the task"))

    def _persistently(self, step: Callable[[], bool]) -> bool:
        """Take a step that is safe to repeat, although Redis may be away for a moment; then the lease may go."""
        try:
            for _ in range(_FINISH_TRIES - 1):
                with contextlib.suppress(redis.ConnectionError, redis.TimeoutError):
                    return step()
                threading.Event().wait(_FINISH_PAUSE)
            return step()
        finally:
            self._leases.drop(self.run.run)

    def _tell(self, event: str, **facts: Any) -> None:
        """An event about a run that no ledger entry stands for: best effort, never the task's problem."""
        data = self.run.facts(attempt=self._attempt, **{"worker": self._worker, **facts})
        try:
            emit(self._link.client, self._link.keys, event, data)
        except redis.RedisError as error:
            logger.warning("Event %s of %s could not be written: %s", event, self.run.run, error)


def current_slot() -> datetime | None:
    """The slot that the running task was dispatched for (aware, UTC); None outside a task or for an ad-hoc run."""
    slot = current_task.request.get(SLOT_HEADER) if current_task else None
    return datetime.fromisoformat(slot) if slot else None


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
