"""The Celery app: one Redis for broker, schedules and ledger; JSON only; nothing kept in a result backend.

What isn't set here is as `livebeat.install` recommends it (docs/celery-settings.md).

`celery -A app.core.celery_app worker|beat` from any folder finds the servers through `app.core.settings`.
"""

import os

from celery import Celery
from celery.app.task import Task
from kombu import Exchange, Queue

import livebeat
from app.core.process import follow_celery
from app.core.settings import get_settings
from livebeat.errors import SpecError

# Celery's Django fix-up is installed only if this is set before the app is made.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "app.django_project.settings")  # noqa: TID251

QUEUES = ("default", "crawl", "stats")
#: `apply_async`'s options that a schedule may set.
OPTIONS = ("queue", "priority", "expires", "time_limit", "soft_time_limit")
_OPT_IN = "livebeat_schedulable"


def _make() -> Celery:
    settings = get_settings()
    app = Celery(
        "livebeat",
        broker=settings.broker_url,
        include=["app.tasks.scheduler", "app.tasks.stats", "app.tasks.maintenance", "app.tasks.briefing_tasks"],
    )
    app.conf.update(
        timezone=settings.livebeat_timezone,
        enable_utc=True,
        task_serializer="json",
        accept_content=["json"],
        task_queues=[Queue(name, Exchange(name), routing_key=name) for name in QUEUES],
        task_default_queue="default",
        task_create_missing_queues=False,  # a queue name is a Redis key: only declared ones
        task_routes={"app.tasks.scheduler.*": {"queue": "crawl"}, "app.tasks.stats.*": {"queue": "stats"}},
        task_ignore_result=True,
        result_expires=None,  # or Celery would add its own clean-up schedule for results that nobody keeps
        worker_redirect_stdouts=False,  # a traceback on standard error stays one, not a log entry a character
        task_time_limit=1800,
        task_soft_time_limit=1740,
        worker_soft_shutdown_timeout=settings.consumer_graceful_shutdown_timeout,
        worker_enable_soft_shutdown_on_idle=False,
        redbeat_redis_url=settings.client_url,
        redbeat_redis_options={},
        beat_scheduler="livebeat:LiveBeatScheduler",
        livebeat_seed_file=str(settings.livebeat_schedules_file),
        livebeat_seed_policy=settings.livebeat_seed_policy,
    )
    livebeat.install(app, allows=_allows)
    return app


def _allows(spec: livebeat.ScheduleSpec) -> None:
    """The platform's own rule, on every way in: tasks that opted in, a fixed set of options, declared queues.

    Raises:
        SpecError: for anything else.
    """
    if not is_schedulable(spec.task):
        raise SpecError(
            "task",
            f"{spec.task!r} is not a task that may be scheduled; choose one of {schedulable_tasks()}",
            f"{spec.task!r}: 스케줄에 쓸 수 없는 태스크입니다. 사용 가능한 태스크: {schedulable_tasks()}",
        )
    unknown = ", ".join(sorted(spec.options.keys() - set(OPTIONS)))
    if unknown:
        known = ", ".join(OPTIONS)
        raise SpecError(
            "options",
            f"{unknown} can't be set; a schedule may set {known}",
            f"{unknown}: 지정할 수 없습니다. 사용 가능한 옵션: {known}",
        )
    queue = spec.options.get("queue")
    if queue is not None and queue not in QUEUES:
        known = ", ".join(QUEUES)
        raise SpecError("options", f"queue must be one of {known}", f"queue는 {known} 중 하나여야 합니다")


celery_app = _make()
app = celery_app  # the name that `celery -A` looks for first
follow_celery(celery_app)


def schedulable(task: Task) -> Task:
    """Mark a task as one that users may put on a schedule or trigger; without the mark they can't."""
    setattr(task, _OPT_IN, True)
    return task


def is_schedulable(name: str) -> bool:
    """Whether users may schedule the task of this name."""
    if name not in celery_app.tasks:
        celery_app.loader.import_default_modules()
    return getattr(celery_app.tasks.get(name), _OPT_IN, False)


def schedulable_tasks() -> list[str]:
    """The names of the tasks that users may schedule, sorted."""
    celery_app.loader.import_default_modules()
    return sorted(filter(is_schedulable, celery_app.tasks))
