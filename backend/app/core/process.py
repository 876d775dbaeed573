"""What every process of the platform sets up as it starts: its name, its log files, Sentry.

The api, the recorder and the bridge call `begin` themselves. Celery's programs come to it by Celery's own signals, whatever
command line started them: a beat by its command, a worker by its queues. A worker for the queue `stats` alone is the
stats-refresh consumer.
"""

import os
from collections.abc import Iterable
from typing import Any, cast, get_args

import click
from celery import Celery
from celery.signals import celeryd_init, setup_logging, worker_process_init

from app.core.log_files import STATS_QUEUE, ProcessName
from app.core.logging import configure_logging
from app.core.sentry import init_sentry

#: A worker's children that are no forks (as on macOS) read their name from here.
NAME = "LIVEBEAT_PROCESS"


def begin(process: ProcessName | None, asked: int | str | None = None) -> None:
    """Set this process up; without a name it only gets a console. `asked` is the log level of its command line."""
    configure_logging(process, asked)
    if process is not None:
        init_sentry(process)


def follow_celery(app: Celery) -> None:
    """Set Celery's programs up as they start."""

    def worker_starts(options: Any = None, **_: Any) -> None:
        os.environ[NAME] = _worker_name(app, options or {})  # noqa: TID251  for its children

    def logging_starts(**_: Any) -> None:
        context = click.get_current_context(silent=True)
        begin(_name(context), _asked_level(context))

    def child_starts(**_: Any) -> None:
        name = _name(None)
        if name is not None:
            init_sentry(name)

    celeryd_init.connect(worker_starts, weak=False)
    setup_logging.connect(logging_starts, weak=False)
    worker_process_init.connect(child_starts, weak=False)


def _worker_name(app: Celery, options: dict[str, Any]) -> ProcessName:
    queues = _names(options.get("queues")) or {queue.name for queue in app.conf.task_queues}
    return "consumer" if queues - _names(options.get("exclude_queues")) == {STATS_QUEUE} else "worker"


def _names(queues: str | Iterable[str] | None) -> set[str]:
    return {name.strip() for name in (queues.split(",") if isinstance(queues, str) else queues or ())}


def _name(context: click.Context | None) -> ProcessName | None:
    given = os.environ.get(NAME)  # noqa: TID251  set above, in this process or its parent
    if given in get_args(ProcessName):
        return cast("ProcessName", given)
    return "beat" if context is not None and context.info_name == "beat" else None


def _asked_level(context: click.Context | None) -> int | str | None:
    source = context.get_parameter_source("loglevel") if context is not None else None
    if context is None or source is not click.core.ParameterSource.COMMANDLINE:
        return None
    return cast("int | str | None", context.params.get("loglevel"))
