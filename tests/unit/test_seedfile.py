"""Every form that `schedules.json` ever had, and the sentences for what can't be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from livebeat import Cron
from livebeat.errors import SeedFileError, SpecError
from livebeat.seedfile import cron_to_old_form, old_form_to_cron, parse
from livebeat.seedfile.doubts import day_doubts

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


CRAWL = "app.tasks.scheduler.crawl_all_complexes"
HOUR_OF_EXPIRY = {"expires": 3600}


def old(days: Any = None, hour: Any = 6, minute: Any = 0, **entry: Any) -> dict[str, Any]:
    """An entry as the old files have it; without `days`, it has no day_of_week."""
    schedule = {"hour": hour, "minute": minute} | ({} if days is None else {"day_of_week": days})
    return {"task": CRAWL, "schedule": schedule, **entry}


@pytest.mark.parametrize(
    ("name", "entry", "cron", "args", "enabled", "description"),
    [
        # The first files: a number or its text, 0 to 6; crawls at 06:00 and 18:00, a clean-up on Monday at 02:00.
        ("crawl-morning", old(), "0 6 * * *", (), True, ""),
        ("crawl-evening", old("*", hour=18), "0 18 * * *", (), True, ""),
        ("cleanup", old(1, hour=2), "0 2 * * 1", (), True, ""),
        ("일요일", old(0), "0 6 * * 0", (), True, ""),
        ("일요일 글자", old("0"), "0 6 * * 0", (), True, ""),
        ("토요일", old("6"), "0 6 * * 6", (), True, ""),
        # Later: several days, as text or a list.
        ("월수금", old("1,3,5"), "0 6 * * 1,3,5", (), True, ""),
        ("월 수 금", old("1, 3, 5"), "0 6 * * 1,3,5", (), True, ""),
        ("목록", old([1, 3, "5"]), "0 6 * * 1,3,5", (), True, ""),
        # Monthly and quarterly.
        ("매월 1일", old("MONTHLY_1"), "0 6 1 * *", (), True, ""),
        ("매월 15일", old("MONTHLY_15", minute=30), "30 6 15 * *", (), True, ""),
        ("스냅샷정리", old("QUARTERLY_1"), "0 6 1 1,4,7,10 *", (), True, ""),
        ("분기 15일", old("QUARTERLY_15"), "0 6 15 1,4,7,10 *", (), True, ""),
        # What else an entry may say.
        ("끔", old("1", enabled=False), "0 6 * * 1", (), False, ""),
        ("켬", old("1", enabled=True, description="매주"), "0 6 * * 1", (), True, "매주"),
        ("단지", old(complex_id="109208"), "0 6 * * *", ("109208",), True, ""),
        ("단지 숫자", old(complex_id=109208), "0 6 * * *", ("109208",), True, ""),
        ("단지 없음", old(complex_id=None), "0 6 * * *", (), True, ""),
        ("인자", old(args=["109208", 2]), "0 6 * * *", ("109208", 2), True, ""),
        ("숫자 글자", old(hour="6", minute="05"), "5 6 * * *", (), True, ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_form_of_the_old_files(
    name: str, entry: dict[str, Any], cron: str, args: tuple[Any, ...], enabled: bool, description: str
) -> None:
    spec = parse(json.dumps({name: entry}, ensure_ascii=False), PATH)[name]
    assert (spec.name, spec.task, spec.recurrence) == (name, CRAWL, Cron(cron))
    assert (spec.args, spec.enabled, spec.description) == (args, enabled, description)
    assert (spec.kwargs, spec.options) == ({}, HOUR_OF_EXPIRY)


def test_comments_wherever_they_were_are_read_over() -> None:
    entry = old("1", comment="월요일")
    entry["schedule"]["comment"] = "매주"
    assert parse(json.dumps({"a": entry}), PATH)["a"].recurrence == Cron("0 6 * * 1")


def test_an_empty_file_is_a_file() -> None:
    assert parse("{}", PATH) == {}


@pytest.mark.parametrize(
    ("entry", "doubt"),
    [
        (old(0, comment="매주 월요일 06:00"), "runs on Sunday, but its text says Monday"),
        (old("0", description="Every Monday"), "runs on Sunday, but its text says Monday"),
        (old("1", description="화요일마다"), "runs on Monday, but its text says Tuesday"),
        (old(0), "runs on Sunday: 0 is Sunday here"),
        (old("0,3"), "runs on Sunday, Wednesday: 0 is Sunday here"),
        (old(0, comment="일요일"), None),
        (old("1,3,5", description="월요일, 수요일, 금요일"), None),
        (old("1"), None),
        (old("*", description="월요일 회의 전"), None),
        (old("MONTHLY_1", description="월요일이면"), None),
    ],
)
def test_days_that_may_have_been_meant_otherwise(entry: dict[str, Any], doubt: str | None) -> None:
    text = json.dumps({"a": entry}, ensure_ascii=False)
    found = day_doubts(text, parse(text, PATH).values(), "en")
    assert (doubt in found["a"]) if doubt else found == {}


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
        ('{"a": {"task": "t", "schedule": {"hour": 5, "minute": 0}, "complex_id": {}}}', "complex_id"),
        ('{"a": {"task": "t", "schedule": {"hour": 5, "minute": 0}, "args": "abc"}}', "args"),
    ],
)
def test_a_bad_file_says_where_and_that_nothing_changed(text: str, says: str) -> None:
    with pytest.raises(SeedFileError) as caught:
        parse(text, PATH)
    assert says in str(caught.value)
    assert "Nothing was changed" in str(caught.value)
    assert "아무것도" in caught.value.text("ko")
