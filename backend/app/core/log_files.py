"""The log files: which process writes which, rotated at midnight, kept for 30 days, whole with many writers.

Several processes append to one file, so the rotation happens under a lock file (`.__<name>.lock` beside it) and every
writer notices it before its next line: no line is lost or cut. Yesterday's file is `<name>.log.<its date>`. A file
that can't be written never stops a process: the console says so, once, and goes on alone.
"""

import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from concurrent_log_handler import ConcurrentTimedRotatingFileHandler

from app.core.running import running_task

ProcessName = Literal["api", "beat", "worker", "consumer", "recorder", "bridge"]
FILES: dict[ProcessName, str] = {
    "api": "api.log",
    "beat": "celery_beat.log",
    "worker": "celery_worker.log",
    "consumer": "consumer.log",
    "recorder": "recorder.log",
    "bridge": "bridge.log",
}
KEPT_FILES = 30
#: What belongs to the stats refresh, wherever it is logged.
STATS_QUEUE = "stats"
STATS_TASKS = "app.tasks.stats."
STATS_LOGGERS = ("app.tasks.stats", "app.domains.velog", "app.clients.velog")


class DailyFile(ConcurrentTimedRotatingFileHandler):
    """One of the files. `when` is logging's word for the moment of rotation.

    Raises:
        OSError: the folder or the file can't be made.
    """

    def __init__(self, path: Path, *, when: str = "midnight") -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._complained = False
        super().__init__(str(path), when=when, backupCount=KEPT_FILES, encoding="utf-8")

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """One line on standard error, never the record itself: it may hold what only a formatter masks."""
        if not self._complained:
            self._complained = True
            sys.stderr.write(f"livebeat: {self.baseFilename} can't be written: {sys.exc_info()[1]}\n")


class StatsOnly(logging.Filter):
    """Passes what the stats refresh is about: its tasks while they run, what is said of them, and its own modules."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record belongs into `consumer.log`."""
        running = running_task()
        if running is not None:
            return running.queue == STATS_QUEUE or running.task.startswith(STATS_TASKS)
        if any(record.name == name or record.name.startswith((f"{name}.", f"{name}_")) for name in STATS_LOGGERS):
            return True
        about = record.args if isinstance(record.args, Mapping) else {}  # Celery's way of saying which task
        return str(about.get("name", "")).startswith(STATS_TASKS)


def daily_file(path: Path) -> DailyFile | None:
    """The handler, or None, with a line on standard error, where the file can't be had."""
    try:
        return DailyFile(path)
    except OSError as error:
        sys.stderr.write(f"livebeat: no log file, {path} can't be written: {error.strerror}\n")
        return None
