"""The schema for editors and the parser, over one corpus: what the one takes the other takes, and what it refuses."""

import json
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from livebeat import ScheduleSpec
from livebeat.errors import SeedFileError
from livebeat.rules import Recurrence
from livebeat.seedfile import parse

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((resources.files("livebeat.seedfile") / "schedules.schema.json").read_text(encoding="utf-8"))
CRON = {"kind": "cron", "expression": "0 6 * * *"}
AT = "2026-12-24T18:00:00+09:00"


def old(**schedule: Any) -> dict[str, Any]:
    return {"task": "t", "schedule": {"hour": 6, "minute": 0, **schedule}}


def new(rule: Any = CRON, **more: Any) -> dict[str, Any]:
    return {"task": "t", "recurrence": rule, **more}


def cron(**more: Any) -> dict[str, Any]:
    return new({**CRON, **more})


def excluding(**more: Any) -> dict[str, Any]:
    return new({"kind": "excluding", "rule": CRON, **more})


GOOD = [
    *(old(day_of_week=day) for day in (0, 6, "0", "6", "*", None, "1,3,5", "1, 3", [1], [1, "3"], ["*"])),
    *(old(day_of_week=day) for day in ("MONTHLY_1", "MONTHLY_15", "QUARTERLY_1", "QUARTERLY_15")),
    old(),
    old(hour="6", minute="05"),
    old(hour=23, minute=59, comment="밤"),
    {**old(), "complex_id": 109208},
    {**old(), "complex_id": "109208", "comment": "단지"},
    {**old(), "complex_id": None, "args": ["x"], "enabled": False, "description": "설명"},
    new(args=[1, {"a": None}], kwargs={"a": 1}, options={"expires": 60, "queue": "crawl"}, labels=["x"]),
    *(new(catchup=one) for one in ("none", "one", "all")),
    *(new(overlap=one) for one in ("allow", "skip", "buffer_one", "cancel_previous")),
    new(catchup_window=60, jitter=5, max_runs=3, max_runtime=90.5, pause_after_failures=2),
    new(catchup_window=None, max_runs=None, max_runtime=None, pause_after_failures=None, start=None, end=None),
    new(start=AT, end="2027-01-01T00:00:00Z"),
    cron(expression="30 0 6 * * *", timezone="America/New_York", gap="skip", repeat="both"),
    new({"kind": "interval", "every": 0.5}),
    new({"kind": "interval", "every": 60, "anchor": AT}),
    new({"kind": "once", "at": AT}),
    new({"kind": "rrule", "rule": "FREQ=MONTHLY;BYDAY=2MO;BYHOUR=9;BYMINUTE=0"}),
    new({"kind": "rrule", "rule": "RRULE:freq=daily", "dtstart": AT, "timezone": "Asia/Seoul", "repeat": "second"}),
    new({"kind": "union", "rules": [CRON, {"kind": "interval", "every": 60}]}),
    excluding(dates=["2026-12-25", "2026-12-24/2026-12-31"], timezone="Asia/Seoul"),
    excluding(rules=[{"kind": "once", "at": AT}], holidays={"country": "KR"}),
    excluding(
        holidays={"country": "DE", "subdivision": "BY", "categories": ["public"], "add": ["2026-06-05"], "remove": []}
    ),
]
BAD = [
    1,
    [],
    {},
    {"task": "t"},
    {"recurrence": CRON},
    {**old(), "recurrence": CRON},
    {**old(), "task": " "},
    {**old(), "complex_id": {}},
    {**old(), "complex_id": True},
    {**old(), "colour": 1},
    {"task": "t", "schedule": {"hour": 6}},
    {"task": "t", "schedule": []},
    *(old(day_of_week=day) for day in (7, "7", -1, "MON", "MONTHLY_2", "", "1,,3", True, [], {}, 1.5, ["*", 1])),
    *(old(hour=hour) for hour in (24, -1, "x", "24", True, None, 1.5)),
    *(old(minute=minute) for minute in (60, "60", None)),
    old(second=3),
    *(new(rule) for rule in (None, "0 6 * * *", {}, {"kind": "lunar"}, {"kind": "cron"}, {"kind": "interval"})),
    cron(expression="0 6 * *"),
    cron(expression=6),
    cron(timezon="Asia/Seoul"),
    cron(timezone=9),
    cron(gap="none"),
    cron(repeat="third"),
    new({"kind": "interval", "every": 0}),
    new({"kind": "interval", "every": "60"}),
    new({"kind": "interval", "every": 60, "anchor": "tomorrow"}),
    new({"kind": "once", "at": "2026-12-24T18:00:00"}),
    new({"kind": "rrule", "rule": "daily"}),
    new({"kind": "union", "rules": []}),
    new({"kind": "union", "rules": [{**CRON, "extra": 1}]}),
    new({"kind": "excluding"}),
    excluding(dates=["Christmas"]),
    excluding(holidays={"subdivision": "BY"}),
    excluding(holidays={"country": "KR", "colour": 1}),
    new(args="abc"),
    new(kwargs=[]),
    new(options=5),
    new(enabled="yes"),
    new(catchup="some"),
    new(catchup_window=0),
    new(overlap="sometimes"),
    new(jitter=-1),
    new(jitter=None),
    new(start="2026-01-01T00:00:00"),
    new(max_runs=0),
    new(max_runs=1.5),
    new(max_runtime=0),
    new(pause_after_failures=0),
    new(labels="x"),
    new(labels=[1]),
    new(description=5),
    new(name="a"),
]  # fmt: skip


def is_valid(data: Any) -> bool:
    return bool(jsonschema.Draft202012Validator(SCHEMA).is_valid(data))


@pytest.mark.parametrize("entry", GOOD, ids=str)
def test_both_take(entry: Any) -> None:
    assert list(parse(json.dumps({"a": entry}), Path("x.json"))) == ["a"]
    jsonschema.validate({"a": entry}, SCHEMA)


@pytest.mark.parametrize("entry", BAD, ids=str)
def test_both_refuse(entry: Any) -> None:
    with pytest.raises(SeedFileError, match="line 1, column"):
        parse(json.dumps({"a": entry}), Path("x.json"))
    assert not is_valid({"a": entry})


def test_it_knows_every_field_and_every_kind_of_rule() -> None:
    known = set(SCHEMA["$defs"]["schedule"]["properties"])
    assert {field.name for field in fields(ScheduleSpec)} - {"name"} <= known
    for kind, rule in Recurrence.kinds.items():
        assert {field.name for field in fields(rule)} | {"kind"} == set(SCHEMA["$defs"][kind]["properties"])


def test_the_shipped_file_names_it_and_both_take_that() -> None:
    path = ROOT / "backend" / "app" / "config" / "schedules.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    assert (path.parent / data["$schema"]).resolve() == ROOT / "backend/livebeat/seedfile/schedules.schema.json"
    assert is_valid(data)
    assert "$schema" not in parse(path.read_text(encoding="utf-8"), path)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
