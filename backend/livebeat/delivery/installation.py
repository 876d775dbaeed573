"""`livebeat.install(app)`: puts delivery around every task of the app's workers, and says what may be scheduled."""

from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery, current_app
from celery.app import trace  # by its module: monitoring tools put their own build_tracer there
from celery.signals import worker_init, worker_process_init

from livebeat.connection import link
from livebeat.delivery.settings import recommend
from livebeat.delivery.shutdown import end_when_idle
from livebeat.delivery.supervision import supervise
from livebeat.delivery.workers import announce
from livebeat.delivery.wrapping import wrap
from livebeat.errors import SpecError
from livebeat.keys import Keys
from livebeat.spec import ScheduleSpec
from livebeat.wellformed import RUN_HEADER

#: An app's own rule of what may be scheduled: raises SpecError for what may not.
Allows = Callable[[ScheduleSpec], None]

_INSTALLED = "_livebeat_installed"
_ALLOWS = "_livebeat_allows"
#: Options by which a message, or its result, finds its Redis list.
_ADDRESSES = ("queue", "routing_key", "exchange", "reply_to")
#: Headers by which a worker knows which run of which task a message is.
_OWN_HEADERS = frozenset({"id", "task", RUN_HEADER})


def install(app: Celery, allows: Allows | None = None) -> None:
    """Let this app's messages go through the ledger. Call it once, where the app is made, for beat and workers alike.

    From then on a run that a worker vanished with is given to another, copies of a message run once, retries wait
    in Redis instead of a worker's memory, and every start and end is an event. Every worker that consumes the app's
    queues must load the same app: a plain one never ends a ledger entry.

    `allows` is asked about each schedule on every way in, and again before a dispatch of what somebody wrote to Redis.
    It raises `SpecError` for what this app must not run; without it, whatever a stock beat would send may be scheduled.
    """
    if getattr(app, _INSTALLED, False):
        return
    setattr(app, _INSTALLED, True)
    setattr(app, _ALLOWS, allows)
    recommend(app)

    def prepare_worker(sender: Any = None, **_: Any) -> None:
        for task in app.tasks.values():
            wrap(app, task)
        supervise(link(app))
        if sender is not None:
            end_when_idle(link(app), sender)
            announce(link(app), sender)

    def prepare_child(sender: Any = None, **_: Any) -> None:
        """A forked child has the wrapped tasks already; a spawned one runs a copy of the app, traced unwrapped."""
        running = current_app._get_current_object()
        for task in running.tasks.values():
            if wrap(app, task):
                task.__trace__ = trace.build_tracer(task.name, task, running.loader, sender, app=running)

    worker_init.connect(prepare_worker, weak=False, dispatch_uid=f"livebeat-{id(app)}")
    worker_process_init.connect(prepare_child, weak=False, dispatch_uid=f"livebeat-child-{id(app)}")


def installed(app: Celery) -> bool:
    """Whether `install` was called for this app."""
    return bool(getattr(app, _INSTALLED, False))


def admit(app: Celery, spec: ScheduleSpec) -> None:
    """Refuse what must not be dispatched: with any app what defeats the engine, then what the app doesn't allow.

    A message's queue is the name of the Redis list that it is pushed onto, so an option may not name a key that is
    no queue. The id of a slot's run is what makes its dispatch happen once, so no schedule brings its own.

    Raises:
        SpecError: why it may not be scheduled, and what to write instead.
    """
    if spec.options:
        _check_ids(spec.options)
        _check_addresses(spec.options, link(app).keys)
    allows: Allows | None = getattr(app, _ALLOWS, None)
    if allows is not None:
        allows(spec)


def _check_ids(options: Mapping[str, Any]) -> None:
    headers = options.get("headers")
    own = [f"headers.{name}" for name in headers if name in _OWN_HEADERS] if isinstance(headers, Mapping) else []
    if options.get("task_id") is not None:
        own.append("task_id")
    if own:
        names = ", ".join(sorted(own))
        raise SpecError(
            "options",
            f"{names} can't be set for a schedule: each of its runs gets its own. Remove it",
            f"{names}: 스케줄에는 지정할 수 없습니다. 실행마다 따로 정해집니다. 이 항목을 빼세요",
        )


def _check_addresses(options: Mapping[str, Any], keys: Keys) -> None:
    for option in _ADDRESSES:
        name = options.get(option)
        if name and not (isinstance(name, str) and keys.may_be_queue(name)):
            raise SpecError(
                "options",
                f"{option} {name!r} is not the name of a queue: messages would be pushed onto a Redis key of the "
                "scheduler's or the broker's own. Name one of the app's queues",
                f"{option} {name!r}: 큐 이름이 아닙니다. 스케줄러나 브로커가 쓰는 Redis 키에 메시지가 쌓이게 됩니다. "
                "앱의 큐 이름을 적으세요",
            )
