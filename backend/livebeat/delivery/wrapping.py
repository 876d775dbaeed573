"""Delivery around one task: its call, what it sends in its own place, and its `Request` in the worker's main process.

Each registered task is wrapped when the worker starts: a raising `task_prerun` would not stop a task, and an app-wide
`task_cls` would miss tasks with a base class of their own.
"""

import os
import threading
from typing import Any

from celery import Celery
from celery import Task as CeleryTask
from celery.canvas import _chain, _chord, group
from celery.exceptions import Ignore

from livebeat.connection import link
from livebeat.delivery.execution import Execution, executing
from livebeat.delivery.lease import Leases
from livebeat.delivery.supervision import supervised

_WRAPPED = "_livebeat_wrapped"
_leases: dict[int, Leases] = {}
_making = threading.Lock()


def wrap(app: Celery, task: Any) -> bool:
    """Wrap a task once; returns whether it wasn't yet."""
    cls = type(task)
    if _WRAPPED in cls.__dict__:
        return False
    _wrap_call(app, cls)
    _wrap_successors(cls)
    cls.Request = supervised(cls.Request)
    setattr(cls, _WRAPPED, True)
    return True


def _wrap_call(app: Celery, cls: Any) -> None:
    own_call = cls.__call__
    has_own_call = own_call is not CeleryTask.__call__

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        request = self.request
        if request.called_directly or request.is_eager:
            return own_call(self, *args, **kwargs)
        if _of(request):  # the task calls itself
            return self.run(*args, **kwargs)
        body = (lambda: own_call(self, *args, **kwargs)) if has_own_call else (lambda: self.run(*args, **kwargs))
        return Execution(link(app), _process_leases(app), self)(body)

    cls.__call__ = call


def _wrap_successors(cls: Any) -> None:
    """What a task sends in its own place, by `retry` or `replace`, goes on as the same run."""
    own_signature, own_replace = cls.signature_from_request, cls.on_replace

    def signature_from_request(self: Any, request: Any = None, *args: Any, **kwargs: Any) -> Any:
        """`Task.retry` publishes what it gets from here."""
        signature = own_signature(self, request, *args, **kwargs)
        execution = _of(self.request if request is None else request)
        if execution and execution.marked:
            signature = signature.clone()
            _divert(signature, execution)
        return signature

    def on_replace(self: Any, signature: Any) -> Any:
        """One task goes on as this run; several are published, as ever."""
        execution = _of(self.request)
        is_one = not isinstance(signature, _chain | _chord | group)
        if execution and execution.marked and is_one:
            _divert(signature, execution)
        try:
            return own_replace(self, signature)
        except Ignore:
            if execution:
                execution.was_replaced()
            raise

    cls.signature_from_request = signature_from_request
    cls.on_replace = on_replace


def _of(request: Any) -> Execution | None:
    """This thread's execution, where it is this request's."""
    execution = executing()
    return execution if execution and execution.run.run == request.id and not request.called_directly else None


def _divert(signature: Any, execution: Execution) -> None:
    signature.apply_async = lambda *_, **__: execution.go_on_as(signature)


def _process_leases(app: Celery) -> Leases:
    """This process's leases; made anew after a fork."""
    leases = _leases.get(id(app))
    if leases is None or leases.pid != os.getpid():
        with _making:
            leases = _leases.get(id(app))
            if leases is None or leases.pid != os.getpid():
                leases = _leases[id(app)] = Leases(link(app))
    return leases
