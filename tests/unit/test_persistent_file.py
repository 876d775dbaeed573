"""The file of Celery's own beat: every flavour of it, and everything that it may hold."""

import importlib
import shelve
import sys
import types
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab, schedule, solar
from celery.utils.time import LocalTimezone

from livebeat.cadence import Progress
from livebeat.celery_rules import from_celery
from livebeat.errors import ImportFileError
from livebeat.rules import Cron, Interval, Recurrence
from livebeat.seedfile.persistent import read_persistent
from support.beat_files import LAST, app, entry, in_dumb, in_module, in_sqlite, one, pickled, read


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
