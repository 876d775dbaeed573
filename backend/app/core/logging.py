"""Logging of every process: the console, and the process's own file in the log folder.

`consumer.log` tells all of the stats refresh: the consumer (a worker for the queue `stats` alone) writes everything
there, any other worker what belongs to a stats task, beside its own `celery_worker.log`. `CONSUMER_LOG_LEVEL` is the
level of that file and of the consumer; `LOG_LEVEL` of all else. A level that is set wins over Celery's `--loglevel`.
"""

import logging
import sys
import threading
from types import TracebackType
from typing import TextIO

from app.core.log_files import FILES, ProcessName, StatsOnly, daily_file
from app.core.log_lines import JsonLine, OneLine
from app.core.redaction import Redactor
from app.core.settings import Settings, get_settings

#: One line for each request that the platform itself makes every second is no news.
_QUIET = ("httpx2", "httpcore2", "urllib3")
#: uvicorn brings its own handlers, billiard never lets its logger's entries up to the root's.
_SERVER = ("uvicorn", "uvicorn.error", "uvicorn.access")
_POOL = "multiprocessing"

_uncaught = logging.getLogger("uncaught")


class _Console(logging.StreamHandler[TextIO]):
    """Standard error. Where nobody reads it any more, the files go on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """Nothing: the usual report would show the record's arguments, which only a formatter masks."""


def configure_logging(process: ProcessName | None = None, asked: int | str | None = None) -> None:
    """Set up logging for this process; without a name for the console alone. Idempotent.

    `asked` is the level that somebody asked for on the command line.
    """
    settings = get_settings()
    handlers = _handlers(process, settings, asked)
    entry = JsonLine if settings.log_format == "json" else OneLine
    formatter = entry(Redactor.of(settings))
    for handler in handlers:
        handler.setFormatter(formatter)
    _install(handlers)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def _handlers(process: ProcessName | None, settings: Settings, asked: int | str | None) -> list[logging.Handler]:
    level = _level(settings, "consumer_log_level" if process == "consumer" else "log_level", asked)
    console = _Console()
    console.setLevel(level)
    handlers: list[logging.Handler] = [console]
    if process is not None and (own := daily_file(settings.log_dir / FILES[process])):
        own.setLevel(level)
        handlers.append(own)
    if process == "worker" and (stats := daily_file(settings.log_dir / FILES["consumer"])):
        stats.setLevel(_level(settings, "consumer_log_level", asked))
        stats.addFilter(StatsOnly())
        handlers.append(stats)
    return handlers


def _level(settings: Settings, field: str, asked: int | str | None) -> int | str:
    given: str = getattr(settings, field)
    return given if field in settings.model_fields_set or asked is None else asked


def _install(handlers: list[logging.Handler]) -> None:
    """Make these the root's only handlers, and let everything come to them."""
    root = logging.getLogger()
    for former in root.handlers[:]:
        root.removeHandler(former)
        former.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(min(handler.level for handler in handlers))
    for name in _SERVER:
        server = logging.getLogger(name)
        if server.handlers:  # without any, its access log was switched off on purpose
            server.handlers.clear()
            server.propagate = True
    pool = logging.getLogger(_POOL)
    pool.handlers[:] = handlers
    pool.setLevel(logging.ERROR)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends the process belongs into its log, masked as everything there."""
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    _uncaught.critical("%s ends the process", kind.__name__, exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and not issubclass(args.exc_type, SystemExit):
        name = args.thread.name if args.thread else "?"
        _uncaught.error("%s ends the thread %s", args.exc_type.__name__, name, exc_info=args.exc_value)
