"""Every form that `schedules.json` ever had, and the sentences for what can't be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from livebeat import Cron
from livebeat.errors import SeedFileError, SpecError
from livebeat.seedfile import cron_to_old_form, old_form_to_cron, parse

PATH = Path("schedules.json")


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (None, "30 9 * * *"),
        ("*", "30 9 * * *"),
        (0, "30 9 * * 0"),
        ("6", "30 9 * * 6"),
        ("1,3,5", "30 9 * * 1,3,5"),
        ([1, "3"], "30 9 * * 1,3"),
        ("MONTHLY_1", "30 9 1 * *"),
        ("MONTHLY_15", "30 9 15 * *"),
        ("QUARTERLY_1", "30 9 1 1,4,7,10 *"),
        ("QUARTERLY_15", "30 9 15 1,4,7,10 *"),
    ],
)
def test_old_days(day: Any, expected: str) -> None:
    assert old_form_to_cron(9, 30, day).expression == expected


@pytest.mark.parametrize("day", ["7", 7, -1, "MON", "MONTHLY_2", "", "1,,3", True, [], {}, 1.5])
def test_days_that_mean_nothing_are_refused(day: Any) -> None:
    with pytest.raises(SpecError):
        old_form_to_cron(9, 30, day)


@pytest.mark.parametrize(("hour", "minute"), [(24, 0), (-1, 0), ("x", 0), (0, 60), (True, 0), (1.5, 0), ("²", 0)])
def test_times_out_of_range_are_refused(hour: Any, minute: Any) -> None:
    with pytest.raises(SpecError):
        old_form_to_cron(hour, minute)


@pytest.mark.parametrize("day", ["*", "1", "1,3,5", "MONTHLY_15", "QUARTERLY_1"])
def test_old_form_round_trip(day: str) -> None:
    assert cron_to_old_form(old_form_to_cron(6, 5, day)) == {"hour": 6, "minute": 5, "day_of_week": day}


def test_what_the_old_form_cannot_say() -> None:
    assert cron_to_old_form(Cron("*/5 * * * *")) is None
    assert cron_to_old_form(Cron("0 6 2 * *")) is None
    assert cron_to_old_form(Cron("0 6 1 * 1")) is None


def test_an_old_entry() -> None:
    entry = {
        "task": "t",
        "schedule": {"hour": 6, "minute": 0, "day_of_week": "1", "comment": "월요일"},
        "complex_id": 109208,
        "enabled": False,
        "description": "설명",
    }
    spec = parse(json.dumps({"주간 업데이트": entry}), PATH)["주간 업데이트"]
    assert (spec.task, spec.args, spec.enabled, spec.description) == ("t", ("109208",), False, "설명")
    assert spec.recurrence == Cron("0 6 * * 1")
    assert spec.options == {"expires": 3600}


def test_an_entry_with_every_field() -> None:
    entry = {
        "task": "t",
        "recurrence": {"kind": "interval", "every": 60},
        "args": [1],
        "kwargs": {"a": 1},
        "options": {},
        "labels": ["x"],
        "catchup": "all",
    }
    spec = parse(json.dumps({"n": entry}), PATH)["n"]
    assert spec.catchup == "all"
    assert spec.labels == ("x",)
    assert spec.options == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": }', "line 1, column 7"),
        ("[]", "top level"),
        ('{"a": 1}', "'a'"),
        ('{"a": {"schedule": {"hour": 6, "minute": 0}}}', "task"),
        ('{"a": {"task": "t", "schedule": {"hour": 6}}}', "minute"),
        ('{"a": {"task": "t", "schedule": {"hour": 25, "minute": 0}}}', "0 to 23"),
        ('{"a": {"task": "t", "schedule": {"hour": 5, "minute": 0}, "colour": 1}}', "colour"),
    ],
)
def test_a_bad_file_says_where_and_that_nothing_changed(text: str, says: str) -> None:
    with pytest.raises(SeedFileError) as caught:
        parse(text, PATH)
    assert says in str(caught.value)
    assert "Nothing was changed" in str(caught.value)
    assert "아무것도" in caught.value.text("ko")
