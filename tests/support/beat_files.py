"""Files of Celery's PersistentScheduler, written as it writes them, and as it never would."""

import dbm.dumb
import pickle
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery import Celery
from celery.beat import ScheduleEntry

from livebeat.seedfile.persistent import Candidate, read_persistent

SEOUL = ZoneInfo("Asia/Seoul")
LAST = datetime(2026, 11, 22, 6, 10, 20, 5, SEOUL)


def app() -> Celery:
    return Celery("old", set_as_current=False, timezone="Asia/Seoul")


def entry(rule: Any, **changes: Any) -> ScheduleEntry:
    fields = {"name": "a", "task": "t", "last_run_at": LAST, "total_run_count": 7, "schedule": rule, "app": app()}
    return ScheduleEntry(**{**fields, **changes})


def in_dumb(path: Path, stored: Mapping[str, bytes]) -> None:
    with closing(dbm.dumb.open(str(path), "c")) as database:
        for key, value in stored.items():
            database[key] = value


def in_sqlite(path: Path, stored: Mapping[str, bytes]) -> None:
    """As `dbm.sqlite3` of Python 3.13 writes."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE IF NOT EXISTS Dict (key BLOB UNIQUE NOT NULL, value BLOB NOT NULL)")
        database.executemany("REPLACE INTO Dict VALUES (?, ?)", [(k.encode(), v) for k, v in stored.items()])
        database.commit()


def in_module(name: str) -> Callable[[Path, Mapping[str, bytes]], None]:
    def write(path: Path, stored: Mapping[str, bytes]) -> None:
        module = pytest.importorskip(name, exc_type=ImportError)
        with closing(module.open(str(path), "c")) as database:
            for key, value in stored.items():
                database[key] = value

    return write


def pickled(entries: Any, **more: Any) -> dict[str, bytes]:
    values = {"entries": entries, "tz": "Asia/Seoul", "utc_enabled": True, "__version__": "5.7.0", **more}
    return {key: value if isinstance(value, bytes) else pickle.dumps(value) for key, value in values.items()}


def read(tmp_path: Path, entries: Any, **more: Any) -> list[Candidate]:
    path = tmp_path / "celerybeat-schedule"
    in_dumb(path, pickled(entries, **more))
    return read_persistent(path, "Asia/Seoul")


def one(tmp_path: Path, rule: Any, **changes: Any) -> Candidate:
    (candidate,) = read(tmp_path, {"a": entry(rule, **changes)})
    return candidate
