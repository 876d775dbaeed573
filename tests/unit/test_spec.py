"""A spec is checked once, wherever it comes from."""

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from livebeat import Cron, ScheduleSpec
from livebeat.errors import NameRefusedError, SpecError
from livebeat.keys import Keys
from livebeat.spec import POLICIES


def spec(**changes: Any) -> ScheduleSpec:
    return ScheduleSpec(**{"name": "a", "task": "t", "recurrence": Cron("* * * * *"), **changes})


def test_json_round_trip() -> None:
    whole = spec(
        args=(1, "둘"), kwargs={"x": [1, {"y": None}]}, options={"expires": 60}, labels=("a",), description="설명"
    )
    assert ScheduleSpec.from_json(whole.to_json()) == whole
    limited = whole.with_changes(catchup_window=90.5)
    assert ScheduleSpec.from_json(limited.to_json()) == limited


def test_a_spec_without_a_window_has_the_json_that_it_had_before_there_were_windows() -> None:
    """It is compared with what was last applied of files and settings."""
    assert "catchup_window" not in spec().to_json()


AT = datetime(2026, 12, 24, 18, tzinfo=ZoneInfo("Asia/Seoul"))


def test_policies_round_trip_and_leave_no_trace_in_json_while_they_are_the_default() -> None:
    """What was stored and applied before there were policies still compares equal."""
    assert not POLICIES.keys() & spec().to_json().keys()
    whole = spec(
        overlap="buffer_one",
        jitter=2.5,
        start=AT,
        end=AT + timedelta(days=1),
        max_runs=3,
        max_runtime=60,
        pause_after_failures=5,
    )
    data = json.loads(json.dumps(whole.to_json()))
    assert data.keys() - spec().to_json().keys() == POLICIES.keys()
    assert data["start"] == "2026-12-24T09:00:00+00:00"
    assert ScheduleSpec.from_json(data) == whole
    assert ScheduleSpec.from_json({**data, **POLICIES}) == spec()


def test_the_rule_is_the_recurrence_from_start_to_end() -> None:
    daily = Cron("0 9 * * *", timezone="UTC")
    assert spec(recurrence=daily).rule is daily
    bounded = spec(recurrence=daily, start=AT, end=AT + timedelta(days=1)).rule
    year = timedelta(days=365)
    assert bounded.between(AT - year, AT + year) == [AT, AT + timedelta(days=1)]
    assert spec(recurrence=daily, end=AT).rule != spec(recurrence=daily).rule


def test_the_shorter_limit_is_the_messages() -> None:
    assert spec(options={"queue": "q"}).message_options == {"queue": "q"}
    assert spec(max_runtime=30, options={"queue": "q"}).message_options == {"queue": "q", "time_limit": 30}
    assert spec(max_runtime=30, options={"time_limit": 20}).message_options == {"time_limit": 20}
    assert spec(max_runtime=30, options={"time_limit": 40}).message_options == {"time_limit": 30}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"overlap": "queue"}, "overlap"),
        ({"overlap": None}, "overlap"),
        ({"jitter": -1}, "jitter"),
        ({"jitter": None}, "jitter"),
        ({"jitter": float("nan")}, "jitter"),
        ({"jitter": 86_401}, "jitter"),
        ({"start": datetime(2026, 1, 1)}, "start"),
        ({"start": "2026-01-01T00:00:00Z"}, "start"),
        ({"end": 5}, "end"),
        ({"start": AT, "end": AT - timedelta(seconds=1)}, "end"),
        ({"max_runs": 0}, "max_runs"),
        ({"max_runs": 1.5}, "max_runs"),
        ({"max_runs": True}, "max_runs"),
        ({"max_runtime": 0}, "max_runtime"),
        ({"max_runtime": "60"}, "max_runtime"),
        ({"pause_after_failures": 0}, "pause_after_failures"),
        ({"task": ""}, "task"),
        ({"recurrence": "0 6 * * *"}, "recurrence"),
        ({"catchup": "two"}, "catchup"),
        ({"catchup_window": 0.5}, "catchup_window"),
        ({"catchup_window": float("nan")}, "catchup_window"),
        ({"catchup_window": float("inf")}, "catchup_window"),
        ({"catchup_window": "60"}, "catchup_window"),
        ({"catchup_window": True}, "catchup_window"),
        ({"enabled": 1}, "enabled"),
        ({"kwargs": []}, "kwargs"),
        ({"args": (float("nan"),)}, "args"),
        ({"args": (object(),)}, "args"),
        ({"kwargs": {"x": "y" * 70_000}}, "kwargs"),
    ],
)
def test_refuses_with_the_field_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec(**changes)
    assert caught.value.facts["field"] == field


def test_refuses_what_is_nested_too_deep() -> None:
    deep: Any = []
    for _ in range(40):
        deep = [deep]
    with pytest.raises(SpecError, match="deeper"):
        spec(args=(deep,))


@pytest.mark.parametrize("text", ["tomorrow", 5, "2026-13-01T00:00:00Z", "2026-01-01T00:00:00"])
def test_an_instant_in_json_is_iso_8601_with_a_zone(text: Any) -> None:
    with pytest.raises(SpecError) as caught:
        ScheduleSpec.from_json({**spec().to_json(), "start": text})
    assert caught.value.facts["field"] == "start"


def test_unknown_fields_are_refused() -> None:
    with pytest.raises(SpecError, match="not a field"):
        ScheduleSpec.from_json({**spec().to_json(), "revision": 3})


@pytest.mark.parametrize(
    "name",
    ["", "x" * 201, "a\nb", "a\x00", "a\x06\x163", "\u202ea", ":lock", ":schedule", ":statics"],
)
def test_names_that_are_no_schedule_are_refused(name: str) -> None:
    with pytest.raises(NameRefusedError):
        Keys().entry(name)


@pytest.mark.parametrize(
    "name", ["주간 업데이트", "a/b", "100%", "😀", "👨‍👩‍👧", 'it\'s "quoted"', "x" * 200, "lock", ":other"]
)
def test_printable_names_are_taken(name: str) -> None:
    keys = Keys()
    assert keys.name(keys.entry(name)) == name


def test_without_a_prefix_every_key_of_others_is_protected() -> None:
    keys = Keys(redbeat_prefix="", lock="my-lock", queues=frozenset({"celery"}))
    for name in ("my-lock", "celery", "unacked", "_kombu.binding.celery", "livebeat:events", "x.pidbox", ":schedule"):
        with pytest.raises(NameRefusedError):
            keys.entry(name)
