"""`livebeat.install(app)`: puts delivery around every task of the app's workers.

Each registered task's `__call__` is wrapped when the worker starts: a raising `task_prerun` would not stop a task,
and an app-wide `task_cls` would miss tasks with a base class of their own.
"""

import os
import threading
from typing import Any

from celery import Celery, current_app
from celery import Task as CeleryTask
from celery.app import trace  # by its module: monitoring tools put their own build_tracer there
from celery.signals import worker_init, worker_process_init

from livebeat.connection import link
from livebeat.delivery.execution import Execution
from livebeat.delivery.lease import Leases
from livebeat.delivery.ledger import Ledger
from livebeat.delivery.shutdown import end_when_idle
from livebeat.message import RUN_HEADER

_INSTALLED = "_livebeat_installed"
_WRAPPED = "_livebeat_wrapped"
_leases: dict[int, Leases] = {}
_making = threading.Lock()


def install(app: Celery) -> None:
    """Let this app's messages go through the ledger. Call it once, where the app is made, for beat and workers alike.

    From then on a run that a worker vanished with is given to another, copies of a message run once, retries wait
    in Redis instead of a worker's memory, and every start and end is an event. Every worker that consumes the app's
    queues must load the same app: a plain one never ends a ledger entry.
    """
    if getattr(app, _INSTALLED, False):
        return
    setattr(app, _INSTALLED, True)

    def prepare_worker(sender: Any = None, **_: Any) -> None:
        for task in app.tasks.values():
            _wrap(app, task)
        if sender is not None:
            end_when_idle(link(app), sender)

    def prepare_child(sender: Any = None, **_: Any) -> None:
        """A forked child has the wrapped tasks already; a spawned one runs a copy of the app, traced unwrapped."""
        running = current_app._get_current_object()
        for task in running.tasks.values():
            if _wrap(app, task):
                task.__trace__ = trace.build_tracer(task.name, task, running.loader, sender, app=running)

    worker_init.connect(prepare_worker, weak=False, dispatch_uid=f"livebeat-{id(app)}")
    worker_process_init.connect(prepare_child, weak=False, dispatch_uid=f"livebeat-child-{id(app)}")


def installed(app: Celery) -> bool:
    """Whether `install` was called for this app."""
    return bool(getattr(app, _INSTALLED, False))


def _process_leases(app: Celery) -> Leases:
    """This process's leases; made anew after a fork."""
    leases = _leases.get(id(app))
    if leases is None or leases.pid != os.getpid():
        with _making:
            leases = _leases.get(id(app))
            if leases is None or leases.pid != os.getpid():
                leases = _leases[id(app)] = Leases(Ledger(link(app)))
    return leases


def _wrap(app: Celery, task: Any) -> bool:
    """Wrap a task once; returns whether it wasn't yet."""
    cls = type(task)
    if _WRAPPED in cls.__dict__:
        return False
    own_call = cls.__call__
    own_signature = cls.signature_from_request
    has_own_call = own_call is not CeleryTask.__call__

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        request = self.request
        if request.called_directly or request.is_eager:
            return own_call(self, *args, **kwargs)
        leases = _process_leases(app)
        if leases.holds(request.id):  # the task calls itself
            return self.run(*args, **kwargs)
        body = (lambda: own_call(self, *args, **kwargs)) if has_own_call else (lambda: self.run(*args, **kwargs))
        return Execution(link(app), leases, self)(body)

    def signature_from_request(self: Any, request: Any = None, *args: Any, **kwargs: Any) -> Any:
        """`Task.retry` publishes what it gets from here; a run in the ledger is released instead."""
        signature = own_signature(self, request, *args, **kwargs)
        request = self.request if request is None else request
        if request.get(RUN_HEADER) and not request.called_directly:
            signature = signature.clone()
            signature.apply_async = _not_now
        return signature

    cls.__call__ = call
    cls.signature_from_request = signature_from_request
    setattr(cls, _WRAPPED, True)
    return True


def _not_now(*_: Any, **__: Any) -> None:
    """In the place of a publish: `Execution` releases the run once `Retry` has left the task."""
