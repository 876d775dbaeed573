"""The file of Celery's own beat: every flavour of it, everything in it, and what must never come out of it."""

import dbm.dumb
import importlib
import os
import pickle
import shelve
import sqlite3
import sys
import types
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery import Celery
from celery.beat import ScheduleEntry
from celery.schedules import crontab, schedule, solar
from celery.utils.time import LocalTimezone

from livebeat.cadence import Progress
from livebeat.celery_rules import from_celery
from livebeat.errors import ImportFileError
from livebeat.rules import Cron, Interval, Recurrence
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


def refused(tmp_path: Path, **stored: Any) -> ImportFileError:
    path = tmp_path / "celerybeat-schedule"
    in_dumb(path, pickled(**{"entries": {}, **stored}))
    with pytest.raises(ImportFileError) as caught:
        read_persistent(path, "Asia/Seoul")
    assert "Nothing was imported" in str(caught.value)
    assert "가져오지 않았습니다" in caught.value.text("ko")
    return caught.value


@pytest.mark.parametrize("write", [in_dumb, in_sqlite, in_module("dbm.gnu"), in_module("dbm.ndbm")])
def test_every_flavour_by_every_name_of_its_files(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "celerybeat-schedule"
    write(path, pickled({"a": entry(crontab(minute=5))}))
    files = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.iterdir()}
    for name in {path, *files}:
        (candidate,) = read_persistent(name, "Asia/Seoul")
        assert candidate.spec is not None
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in tmp_path.iterdir()} == files


@pytest.mark.parametrize(("name", "content"), [("dbm.gnu", b"\xce\x9a\x57\x13" + bytes(60)), ("dbm.ndbm", b"x")])
def test_a_flavour_that_this_python_lacks_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    try:
        importlib.import_module(name)
    except ImportError:
        path = tmp_path / "celerybeat-schedule"
        (path if name == "dbm.gnu" else path.with_suffix(".db")).write_bytes(content)
        with pytest.raises(ImportFileError, match="this Python lacks"):
            read_persistent(path, "Asia/Seoul")


def test_what_celery_itself_writes(tmp_path: Path) -> None:
    """Through Celery's own shelf, with everything that an entry can have."""
    path = tmp_path / "celerybeat-schedule"
    kept = entry(crontab(6, 3, app=app()), args=(1, "둘"), kwargs={"a": [None]}, options={"expires": 60.0})
    with shelve.open(str(path), writeback=True) as store:
        store.update({"entries": {"매일 / 6시": kept}, "tz": "Asia/Seoul", "utc_enabled": True})
    (candidate,) = read_persistent(path, "Europe/Paris")
    assert candidate.spec is not None
    assert candidate.spec.to_json() == {
        "name": "매일 / 6시",
        "task": "t",
        "recurrence": {"kind": "cron", "expression": "6 3 * * *", "timezone": "Asia/Seoul"},
        "args": [1, "둘"],
        "kwargs": {"a": [None]},
        "options": {"expires": 60.0},
        "enabled": True,
        "catchup": "one",
        "labels": [],
        "description": "",
    }
    assert candidate.progress == Progress(LAST.astimezone(UTC), 7)


AT = LAST.astimezone(UTC)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (crontab(), Cron("* * * * *", "Asia/Seoul")),
        (crontab(minute=0, hour="6,18", day_of_week="mon-fri"), Cron("0 6,18 * * mon-fri", "Asia/Seoul")),
        (crontab(0, 6, "*", 1, "*/3"), Cron("0 6 1 */3 *", "Asia/Seoul")),
        (crontab(minute=[0, 30], hour=range(6, 9)), Cron("0,30 6,7,8 * * *", "Asia/Seoul")),
        (schedule(2.5), Interval(seconds=2.5, anchor=AT)),
        (schedule(timedelta(days=1)), Interval(seconds=86400, anchor=AT)),
        # relative: rounded down to the hour, the minute, the day of the beat's zone
        (schedule(3600, relative=True), Interval(seconds=3600, anchor=datetime(2026, 11, 21, 21, tzinfo=UTC))),
        (schedule(120, relative=True), Interval(seconds=120, anchor=datetime(2026, 11, 21, 21, 10, tzinfo=UTC))),
        (schedule(86400, relative=True), Interval(seconds=86400, anchor=datetime(2026, 11, 21, 15, tzinfo=UTC))),
        (schedule(10, relative=True), Interval(seconds=10, anchor=AT.replace(microsecond=0))),
    ],
    ids=str,
)
def test_rules(tmp_path: Path, rule: Any, expected: Recurrence) -> None:
    candidate = one(tmp_path, rule)
    assert candidate.problem is None
    assert candidate.spec is not None
    assert candidate.spec.recurrence == expected


def a_solar() -> solar:
    made: solar = object.__new__(solar)
    made.event, made.lat, made.lon = "sunset", 37.5, 127.0
    made.nowfun, made._app = None, None
    return made


@pytest.mark.parametrize(
    ("rule", "changes", "says"),
    [
        (a_solar(), {}, "solar"),
        (schedule(0.01), {}, "0.1 seconds"),
        (schedule(5400, relative=True), {}, "relative"),
        (schedule(5), {"args": ({1, 2},)}, "args"),
        (schedule(5), {"args": 5}, "args"),
        (schedule(5), {"options": {"expires": LAST}}, "options"),
        (schedule(5), {"task": None}, "task"),
        (schedule(5), {"last_run_at": "yesterday"}, "last_run_at"),
        (None, {}, "NoneType"),
    ],
)
def test_what_cannot_come_over_says_why_and_hinders_nothing(
    tmp_path: Path, rule: Any, changes: dict[str, Any], says: str
) -> None:
    bad, good = read(tmp_path, {"a": entry(rule, **changes), "b": entry(schedule(5), name="b")})
    assert bad.spec is None
    assert says in str(bad.problem)
    assert good.spec is not None


def test_a_crontab_that_celery_now_refuses_is_skipped(tmp_path: Path) -> None:
    old = entry(crontab())
    old.schedule._orig_day_of_month, old.schedule._orig_month_of_year = "30", "2"
    bad, good = read(tmp_path, {"a": old, "b": entry(schedule(5), name="b")})
    assert "crontab" in str(bad.problem)
    assert good.spec is not None


@pytest.mark.parametrize("value", ["20", [1], range(3), {4}])
def test_crontab_fields_in_every_form_that_celery_takes(value: Any) -> None:
    rule = crontab(minute=value)
    found = from_celery(rule)
    assert isinstance(found, Cron)
    assert set(map(int, found.expression.split()[0].split(","))) == rule.minute


class _OldZone(tzinfo):
    """What pytz's zones look like to pickle."""

    def __reduce__(self) -> Any:
        return sys.modules["pytz"]._p, ("Asia/Seoul", 32400, 0, "KST")

    def utcoffset(self, dt: datetime | None) -> timedelta:
        return timedelta(hours=9)


def test_instants_of_older_celerys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytz = types.ModuleType("pytz")

    def _p(*_: object) -> None: ...

    _p.__module__ = "pytz"
    _p.__qualname__ = "_p"
    monkeypatch.setattr(pytz, "_p", _p, raising=False)
    monkeypatch.setitem(sys.modules, "pytz", pytz)
    wall = LAST.replace(tzinfo=None)
    for at in (LAST.replace(tzinfo=_OldZone()), LAST.astimezone(UTC), AT.replace(tzinfo=None)):
        candidate = one(tmp_path, schedule(5), last_run_at=at)
        assert candidate.progress == Progress(AT, 7)
    (candidate,) = read(tmp_path, {"a": entry(schedule(5), last_run_at=wall)}, utc_enabled=False)
    assert candidate.progress == Progress(AT, 7)
    assert one(tmp_path, schedule(5), last_run_at=wall.replace(tzinfo=LocalTimezone())).progress is not None


@pytest.mark.parametrize(
    ("more", "zone"),
    [
        ({"tz": "Europe/Paris"}, "Europe/Paris"),
        ({"tz": ZoneInfo("Europe/Paris")}, "Europe/Paris"),
        ({"tz": None}, "UTC"),
        ({"tz": None, "utc_enabled": False}, "Asia/Seoul"),
    ],
)
def test_a_crontab_keeps_the_zone_that_it_ran_in(tmp_path: Path, more: dict[str, Any], zone: str) -> None:
    (candidate,) = read(tmp_path, {"a": entry(crontab())}, **more)
    assert candidate.spec is not None
    assert candidate.spec.recurrence == Cron("* * * * *", zone)


# What must never come out of it.


class _Call:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("place", ["entries", "entry", "args", "rule", "tz"])
def test_nothing_in_it_is_ever_run(tmp_path: Path, place: str) -> None:
    mark = tmp_path / "ran"
    bad = _Call(os.system, f"touch {mark}")
    stored: dict[str, Any] = {
        "entries": {"entries": bad},
        "entry": {"entries": {"a": bad}},
        "args": {"entries": {"a": entry(schedule(5), args=(bad,))}},
        "rule": {"entries": {"a": entry(schedule(5), options={"b": bad})}},
        "tz": {"tz": bad},
    }[place]
    assert "system" in str(refused(tmp_path, **stored))
    assert not mark.exists()


@pytest.mark.parametrize(
    "bad",
    [
        _Call(getattr, Celery, "send_task"),
        _Call(getattr, ZoneInfo, "from_file"),
        _Call(eval, "1"),
        _Call(__import__, "os"),
        _Call(importlib.import_module, "os"),
        _Call(open, "/etc/passwd"),
        Path("/etc/passwd"),
        _Call(pickle.loads, b""),
    ],
)
def test_other_names_refuse_the_file(tmp_path: Path, bad: Any) -> None:
    refused(tmp_path, entries={"a": bad})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        pickle.dumps({"a": 1})[:-3],
        b"\x80\x04P0\n.",  # a persistent id
        b"\x80\x04N\x94r\xff\xff\xff\xff.",  # a memo slot of four billion
        b"cdatetime\ndatetime\n}S'_make'\nNsb.",  # state for a name itself
        pickle.dumps({"a": "no entry"}),
        pickle.dumps(["no dict"]),
    ],
)
def test_damaged_or_strange_content_is_refused(tmp_path: Path, data: bytes) -> None:
    refused(tmp_path, entries=data)


def test_a_few_bytes_that_stand_for_billions_of_values_skip_their_entry(tmp_path: Path) -> None:
    bomb: list[Any] = []
    for _ in range(60):
        bomb = [bomb, bomb]
    candidate = one(tmp_path, schedule(5), args=(bomb,))
    assert "10000 values" in str(candidate.problem)


@pytest.mark.parametrize("content", [b"", b"text\n", bytes(100), b"SQLite format 3\x00" + bytes(100)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "celerybeat-schedule"
    path.write_bytes(content)
    with pytest.raises(ImportFileError):
        read_persistent(path, "Asia/Seoul")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="no such file"):
        read_persistent(tmp_path / "celerybeat-schedule", "Asia/Seoul")
