"""Who wins: each field against what was last applied, whatever else changed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from livebeat import Cron, Excluding, Interval, RRule, ScheduleSpec, Union
from livebeat.rules import Recurrence
from livebeat.seedfile.merging import Merged, SeedPolicy, merge

ZONE = "Asia/Seoul"
SIX, SEVEN, EIGHT = Cron("0 6 * * *"), Cron("0 7 * * *"), Cron("0 8 * * *")
START = datetime(2026, 1, 1, tzinfo=UTC)


def spec(rule: Recurrence = SIX, **changes: Any) -> ScheduleSpec:
    return ScheduleSpec(**{"name": "a", "task": "t", "recurrence": rule, **changes})


def merged(file: Any, base: Any, live: Any, policy: SeedPolicy = "merge") -> Merged:
    return merge(file, base, live, policy, ZONE)


@pytest.mark.parametrize(
    ("field", "first", "second", "third"),
    [
        ("task", "t", "u", "v"),
        ("args", (1,), (2,), (3,)),
        ("kwargs", {"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}),
        ("options", {"expires": 1}, {"expires": 2}, {}),
        ("recurrence", SIX, SEVEN, EIGHT),
        ("catchup", "none", "one", "all"),
        ("catchup_window", None, 60, 90),
        ("overlap", "allow", "skip", "buffer_one"),
        ("jitter", 0, 5, 6),
        ("start", None, START, START + timedelta(days=1)),
        ("end", None, START, START + timedelta(days=1)),
        ("max_runs", None, 3, 4),
        ("max_runtime", None, 60, 90),
        ("pause_after_failures", None, 3, 4),
        ("labels", (), ("x",), ("y",)),
        ("description", "", "x", "y"),
    ],
)
def test_a_field_is_as_the_side_that_changed_it_says_and_the_file_wins_where_both_did(
    field: str, first: Any, second: Any, third: Any
) -> None:
    old, new, other = (spec(**{"recurrence": SIX, field: value}) for value in (first, second, third))
    assert merged(old, old, new).action == "same"
    assert merged(new, old, old).spec == new
    assert merged(new, old, new).action == "same"
    both = merged(new, old, other)
    assert both.spec == new
    assert [(one.field, one.wins, one.edited) for one in both.differences] == [(field, "file", True)]
    by_side = merged(new, old, old.with_changes(description="live", labels=("live",)))
    if field not in {"description", "labels"}:
        assert by_side.spec == new.with_changes(description="live", labels=("live",))


def test_every_field_of_a_schedule_is_merged_but_its_pause() -> None:
    paused = spec(enabled=False)
    assert merged(spec(), spec(), paused).action == "same"
    assert merged(spec(SEVEN), spec(), paused).spec == spec(SEVEN, enabled=False)
    assert merged(paused, spec(), spec()).action == "same"
    assert merged(paused, None, None).spec == paused
    assert merged(paused, spec(), spec(), "overwrite").spec == paused


def test_the_rule_its_start_and_its_end_go_together() -> None:
    live = spec(EIGHT)
    assert merged(spec(start=START), spec(), live).spec == spec(start=START)
    assert merged(spec(description="new"), spec(), live).spec == spec(EIGHT, description="new")


@pytest.mark.parametrize(
    ("file", "base", "live", "action"),
    [
        (spec(), None, None, "create"),
        (spec(), spec(), None, "deleted"),
        (spec(SEVEN), spec(), None, "create"),
        (spec(), None, spec(SEVEN), "same"),
        (None, spec(), spec(), "remove"),
        (None, spec(), spec(enabled=False), "remove"),
        (None, spec(), spec(SEVEN), "kept"),
        (None, spec(), None, "forget"),
    ],
)
def test_made_and_deleted_on_either_side(file: Any, base: Any, live: Any, action: str) -> None:
    assert merged(file, base, live).action == action


@pytest.mark.parametrize(
    ("policy", "file", "base", "live", "action"),
    [
        ("overwrite", spec(), spec(), None, "create"),
        ("overwrite", spec(), None, spec(SEVEN), "change"),
        ("overwrite", spec(), spec(), spec(SEVEN), "change"),
        ("overwrite", None, spec(), spec(SEVEN), "remove"),
        ("create_only", spec(), None, None, "create"),
        ("create_only", spec(SEVEN), spec(), None, "deleted"),
        ("create_only", spec(SEVEN), spec(), spec(), "same"),
        ("create_only", None, spec(), spec(), "kept"),
    ],
)
def test_the_other_policies(policy: SeedPolicy, file: Any, base: Any, live: Any, action: str) -> None:
    assert merged(file, base, live, policy).action == action


@pytest.mark.parametrize(
    "rule",
    [
        SIX,
        Interval(seconds=60),
        RRule("FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0"),
        Union(SIX, Interval(seconds=60)),
        Excluding(Union(SIX, Cron("0 9 * * *", "UTC")), dates=("2026-12-25",)),
    ],
    ids=str,
)
def test_what_a_rule_left_open_and_the_store_filled_in_is_no_edit(rule: Recurrence) -> None:
    live = spec(rule.resolved(ZONE, START))
    assert merged(spec(rule), spec(rule), live).differences == ()
    assert merged(None, spec(rule), live).action == "remove"
    assert merged(spec(SEVEN), spec(rule), live).differences[0].edited is False


def test_another_zone_or_anchor_than_the_one_that_was_left_open_is_an_edit() -> None:
    assert merged(None, spec(), spec(Cron("0 6 * * *", "UTC"))).action == "kept"
    anchored = Interval(seconds=60, anchor=START)
    assert merged(spec(anchored), spec(anchored), spec(Interval(seconds=60, anchor=START + timedelta(1)))).differences
