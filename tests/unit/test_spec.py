"""A spec is checked once, wherever it comes from."""

from typing import Any

import pytest

from livebeat import Cron, ScheduleSpec
from livebeat.errors import NameRefusedError, SpecError
from livebeat.keys import Keys


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


@pytest.mark.parametrize(
    ("changes", "field"),
    [
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
