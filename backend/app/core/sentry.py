"""Errors to Sentry, from every process, where `SENTRY_DSN` is set; without it nothing is even imported.

An event carries the tags `process` and, while a task runs, `run`, `task`, `schedule` and `slot`. It never carries a
request's body, cookies, local variables, or a secret: all of its text goes through the same mask as the logs.
The SDK's own check-ins for Crons stay off: Beat's schedules here aren't Celery's; `app.recorder.crons` sends them.
"""

import os
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from celery.signals import task_prerun

from app.core.log_files import ProcessName
from app.core.redaction import Redactor
from app.core.running import running_task
from app.core.settings import Settings, get_settings

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

_started_in: int | None = None


def init_sentry(process: ProcessName) -> None:
    """Start reporting from this process. Once a process: a fork needs a client of its own, and may call again."""
    global _started_in
    settings = get_settings()
    if settings.sentry_dsn is None or _started_in == os.getpid():
        return
    _started_in = os.getpid()
    import sentry_sdk

    sentry_sdk.init(**_options(settings))
    sentry_sdk.get_global_scope().set_tag("process", process)
    task_prerun.connect(_tag_run, weak=False, dispatch_uid="livebeat-sentry")


def _options(settings: Settings) -> dict[str, Any]:
    from sentry_sdk.integrations.argv import ArgvIntegration
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.integrations.redis import RedisIntegration

    redactor = Redactor.of(settings)

    def scrub(event: "Event", hint: "Hint") -> "Event":
        _tag_record(event, hint)
        return _without_arguments(redactor.data(event))

    assert settings.sentry_dsn is not None  # noqa: S101  asked before
    return {
        "dsn": settings.sentry_dsn.get_secret_value(),
        "environment": settings.sentry_environment or settings.livebeat_env,
        "release": _release(),
        "traces_sample_rate": settings.sentry_traces_sample_rate or None,
        "send_default_pii": False,
        "max_request_body_size": "never",
        "include_local_variables": False,
        "before_send": scrub,
        "before_send_transaction": scrub,
        # Messages are built ahead and kept, so a trace's headers would be those of another moment.
        "integrations": [CeleryIntegration(monitor_beat_tasks=False, propagate_traces=False)],
        # A batch of the recorder's check-ins comes at once, and what doesn't fit is dropped.
        "transport_queue_size": 1000,
        # Every poll of Redis is no news; arguments of a command line may hold a password.
        "disabled_integrations": [RedisIntegration(), ArgvIntegration()],
        # The upstreams are other people's: they get no headers of ours.
        "trace_propagation_targets": [],
        "in_app_include": ["app", "livebeat"],
    }


def _release() -> str | None:
    try:
        return f"livebeat@{version('livebeat')}"
    except PackageNotFoundError:
        return None


def _tag_run(**_: Any) -> None:
    """The SDK opens a scope for each task before this signal, so that these tags end with it."""
    import sentry_sdk

    running = running_task()
    if running is not None:
        tags = {"run": running.run, "task": running.task, "schedule": running.schedule, "slot": running.slot}
        sentry_sdk.get_isolation_scope().set_tags({name: value for name, value in tags.items() if value})


def _tag_record(event: Any, hint: Any) -> None:
    """A log entry may say itself which schedule it is about: `extra={"schedule": …}`."""
    record = hint.get("log_record")
    for name in ("schedule", "slot"):
        if value := getattr(record, name, None):
            event.setdefault("tags", {}).setdefault(name, str(value))


def _without_arguments(event: "Event") -> "Event":
    """Drop what was handed in from outside, whole: requests' bodies and cookies, and log entries' raw arguments."""
    request: Any = event.get("request", {})
    for part in ("data", "cookies", "env"):
        request.pop(part, None)
    entry: Any = event.get("logentry", {})
    entry.pop("params", None)
    crumbs: Any = event.get("breadcrumbs") or {}
    for crumb in crumbs.get("values", []):
        if crumb.get("type") == "log":
            crumb.pop("data", None)
    return event
