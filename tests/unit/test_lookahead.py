"""What is to come: instants with the clocks' doings in words, an edit before it is saved, load, crowds and spread."""

import weakref
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livebeat import Cron, Excluding, Interval, Once, RRule, ScheduleSpec, StoredSchedule, Union
from livebeat.entry import Pause, Raw
from livebeat.errors import SpecError
from livebeat.lookahead import Crowd, Suggestion, load, preview, upcoming
from livebeat.rules import Recurrence

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
NEW_YORK = "America/New_York"


def in_new_york(*at: int) -> datetime:
    return datetime(*at, tzinfo=ZoneInfo(NEW_YORK)).astimezone(UTC)  # type: ignore[misc,arg-type]


def stored(rule: Recurrence, *, name: str = "a", **state: Any) -> StoredSchedule:
    fields = {field: state.pop(field) for field in ("jitter", "max_runs", "start", "end", "enabled") if field in state}
    spec = ScheduleSpec(name=name, task="t", recurrence=rule, **fields)
    kept: dict[str, Any] = {
        "spec": spec, "revision": 1, "incarnation": name, "next_at": spec.rule.next_after(NOW), "last_run_at": None,
        "total_runs": 0, "origin": "python", "by": "", "changed_at": None, "problem": None, "ours": True,
        "redbeat_exact": True, "raw": Raw(),
    }  # fmt: skip
    return StoredSchedule(**{**kept, **state})


SPRING, AUTUMN = in_new_york(2026, 3, 7, 12), in_new_york(2026, 10, 31, 12)


@pytest.mark.parametrize(
    ("rule", "after", "shown"),
    [
        (Cron("30 2 * * *", NEW_YORK), SPRING, [
            ("03-08 03:00-0400", "02:30 does not exist, the clocks are set forward at 02:00: runs at 03:00"),
            ("03-09 02:30-0400", None)]),
        (Cron("0,20,40 2 * * *", NEW_YORK), SPRING, [
            ("03-08 03:00-0400",
             "02:00, 02:20, 02:40 do not exist, the clocks are set forward at 02:00: runs at 03:00"),
            ("03-09 02:00-0400", None)]),
        (Cron("30 2 * * *", NEW_YORK, gap="skip"), SPRING, [
            ("03-09 02:30-0400", "2026-03-08 02:30 does not exist and is left out: the clocks are set forward"),
            ("03-10 02:30-0400", None)]),
        (RRule("FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0", SPRING, NEW_YORK), SPRING, [
            ("03-08 03:00-0400", "02:30 does not exist, the clocks are set forward at 02:00: runs at 03:00")]),
        (RRule("FREQ=DAILY", in_new_york(2025, 8, 1, 2, 30), NEW_YORK), SPRING, [
            ("03-08 03:00-0400", "02:30 does not exist, the clocks are set forward at 02:00: runs at 03:00")]),
        (Cron("0 9 * * *", NEW_YORK), SPRING, [
            ("03-08 09:00-0400", "the clocks were set forward at 2026-03-08 02:00: UTC-04:00 from here on"),
            ("03-09 09:00-0400", None)]),
        (Cron("0,30 * * * *", NEW_YORK), in_new_york(2026, 3, 8, 1, 15), [
            ("03-08 01:30-0500", None),
            ("03-08 03:00-0400", "the clocks were set forward at 2026-03-08 02:00: UTC-04:00 from here on"),
            ("03-08 03:30-0400", None)]),
        (Cron("30 1 * * *", NEW_YORK), AUTUMN, [
            ("11-01 01:30-0400", "runs once, the first time that it is 01:30: the clocks are set back at 02:00"),
            ("11-02 01:30-0500", "the clocks were set back at 2026-11-01 02:00: UTC-05:00 from here on")]),
        (Cron("30 1 * * *", NEW_YORK, repeat="second"), AUTUMN, [
            ("11-01 01:30-0500", "runs once, the second time that it is 01:30: the clocks are set back at 02:00")]),
        (Cron("30 1 * * *", NEW_YORK, repeat="both"), AUTUMN, [
            ("11-01 01:30-0400", "runs twice: the clocks are set back at 02:00, and it will be 01:30 again"),
            ("11-01 01:30-0500", "runs again: the clocks were set back at 02:00, and it is 01:30 for the second time"),
            ("11-02 01:30-0500", None)]),
        (Cron("0 9 * * *", "Pacific/Apia"), datetime(2011, 12, 30, 0, tzinfo=UTC), [
            ("12-31 00:00+1400",
             "2011-12-30 09:00 does not exist, the clocks are set forward at 2011-12-30 00:00: runs at 2011-12-31 00:00"),
            ("12-31 09:00+1400", None)]),
        (Cron("15 2 * * *", "Australia/Lord_Howe"), datetime(2026, 10, 3, 12, tzinfo=UTC), [
            ("10-04 02:30+1100", "02:15 does not exist, the clocks are set forward at 02:00: runs at 02:30")]),
        (Cron("30 2 * * *", "Asia/Seoul"), NOW, [("11-23 02:30+0900", None), ("11-24 02:30+0900", None)]),
        (Union(Cron("30 2 * * *", NEW_YORK), Interval(seconds=86400, anchor=SPRING)), SPRING, [
            ("03-08 03:00-0400", "02:30 does not exist, the clocks are set forward at 02:00: runs at 03:00"),
            ("03-08 17:00+0000", None)]),
        (Excluding(Cron("30 2 * * *", NEW_YORK), dates=("2026-03-09",)), SPRING, [
            ("03-08 03:00-0400", "02:30 does not exist, the clocks are set forward at 02:00: runs at 03:00"),
            ("03-10 02:30-0400", None)]),
    ],
)  # fmt: skip
def test_the_next_instants_say_what_the_clocks_do(rule: Recurrence, after: datetime, shown: list[Any]) -> None:
    found = upcoming(rule, after, len(shown), "en")
    assert [(f"{each.local:%m-%d %H:%M%z}", each.shift) for each in found] == shown
    assert [each.at for each in found] == [each.local.astimezone(UTC) for each in found]


@pytest.mark.parametrize(
    ("rule", "after", "shift"),
    [
        (Cron("30 2 * * *", NEW_YORK), SPRING, "02:00에 시계를 앞당겨 02:30이 없습니다. 03:00에 실행합니다"),
        (Cron("0 2 * * *", NEW_YORK), SPRING, "02:00에 시계를 앞당겨 02:00가 없습니다. 03:00에 실행합니다"),
        (Cron("30 2 * * *", NEW_YORK, gap="skip"), SPRING, "2026-03-08 02:30은 시계를 앞당겨 없는 시각이라 건너뜁니다"),
        (Cron("30 1 * * *", NEW_YORK), AUTUMN,
         "02:00에 시계를 되돌려 01:30이 두 번 옵니다. 첫 번째에 한 번만 실행합니다"),
        (Cron("0 1 * * *", NEW_YORK, repeat="both"), AUTUMN,
         "02:00에 시계를 되돌려 01:00가 두 번 옵니다. 두 번 실행하며 이번이 첫 번째입니다"),
        (Cron("0 9 * * *", NEW_YORK), SPRING, "2026-03-08 02:00에 시계를 앞당겨 이제부터 UTC-04:00입니다"),
    ],
)  # fmt: skip
def test_the_same_in_korean(rule: Recurrence, after: datetime, shift: str) -> None:
    assert upcoming(rule, after, 1, "ko")[0].shift == shift


def test_a_rule_without_a_zone_is_shown_in_the_one_that_is_named() -> None:
    (only,) = upcoming(Once(NOW + timedelta(hours=1)), NOW, 5, zone="Asia/Seoul")
    assert (f"{only.local:%H:%M%z}", only.shift) == ("19:00+0900", None)


@pytest.mark.parametrize(
    ("state", "hours"),
    [
        ({}, [10, 11, 12]),
        ({"max_runs": 5, "total_runs": 3}, [10, 11]),
        ({"next_at": NOW + timedelta(hours=3)}, [12, 13, 14]),
        ({"next_at": NOW - timedelta(hours=2)}, [10, 11, 12]),
        ({"next_at": None}, []),
        ({"problem": "unreadable"}, []),
        ({"enabled": False, "next_at": None, "pause": Pause(NOW)}, []),
        ({"enabled": False, "next_at": None, "pause": Pause(NOW, until=NOW + timedelta(hours=4))}, [14, 15, 16]),
        ({"end": NOW + timedelta(hours=2)}, [10, 11]),
    ],
)
def test_a_schedule_shows_what_it_will_run(state: dict[str, Any], hours: list[int]) -> None:
    assert [each.at.hour for each in upcoming(stored(Cron("0 * * * *", "UTC"), **state), NOW, 3)] == hours


def test_a_preview_shows_what_is_lost_and_gained() -> None:
    current = stored(Cron("0 9,18 * * *", "UTC"))
    edited = current.spec.with_changes(recurrence=Cron("0 7,18 * * *", "UTC"))
    shown = preview(current, edited, NOW, 4)
    assert [f"{each.at:%d %H}" for each in shown.before] == ["22 18", "23 09", "23 18", "24 09"]
    assert [f"{each.at:%d %H}" for each in shown.after] == ["22 18", "23 07", "23 18", "24 07"]
    assert [f"{at:%d %H}" for at in shown.lost] == ["23 09"]
    assert [f"{at:%d %H}" for at in shown.gained] == ["23 07", "24 07"]


def test_a_preview_of_an_edit_that_changes_no_instant() -> None:
    current = stored(Interval(seconds=600, anchor=NOW))
    shown = preview(current, current.spec.with_changes(description="other"), NOW, 3)
    assert shown.before == shown.after
    assert not shown.lost + shown.gained


def test_a_preview_of_what_ends_misses_nothing() -> None:
    current = stored(Once(NOW + timedelta(hours=30)))
    shown = preview(current, current.spec.with_changes(recurrence=Cron("0 9 * * *", "UTC")), NOW, 4)
    assert (len(shown.before), list(shown.lost)) == (1, [NOW + timedelta(hours=30)])
    assert list(shown.gained) == [each.at for each in shown.after]


def test_a_preview_of_a_new_schedule_and_of_a_pause() -> None:
    spec = ScheduleSpec(name="a", task="t", recurrence=Cron("0 9 * * *"))
    new = preview(None, spec, NOW, 2, zone="Asia/Seoul")
    assert (new.before, [each.at for each in new.after]) == ((), [NOW + timedelta(hours=15), NOW + timedelta(hours=39)])
    current = stored(Cron("0 9 * * *", "UTC"))
    paused = preview(current, current.spec.with_changes(enabled=False), NOW, 2)
    assert paused.after == ()
    assert list(paused.lost) == [each.at for each in paused.before]


DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


def by_hand(schedules: list[StoredSchedule], start: datetime, end: datetime, bucket: timedelta) -> list[int]:
    """The same by walking every schedule."""
    counts = [0] * -(-(end - start) // bucket)
    for each in schedules:
        for at in each.spec.rule.walk(start - DAY, end):
            begins = at + each.delay // SECOND * SECOND
            if start <= begins < end:
                counts[(begins - start) // bucket] += 1
    return counts


RULES = st.sampled_from([
    Cron("0 * * * *", "UTC"), Cron("*/7 * * * *", "Asia/Seoul"), Cron("30 1 * * *", NEW_YORK), Cron("0 9 * * 1-5", "UTC"),
    Interval(seconds=90, anchor=NOW - DAY), Interval(seconds=2.7, anchor=NOW), Interval(seconds=31, anchor=NOW - DAY),
    Interval(seconds=100_000, anchor=NOW - 9 * DAY),
    Interval(seconds=3600, anchor=NOW + timedelta(hours=3, seconds=0.25)), Once(NOW + timedelta(hours=5)),
    RRule("FREQ=HOURLY;INTERVAL=5", NOW - DAY, "UTC"), Union(Cron("0 9 * * *", "UTC"), Interval(seconds=7200, anchor=NOW)),
])  # fmt: skip


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(RULES, st.sampled_from([0, 0, 0.5, 30])), max_size=8),
    st.integers(1, 12),
    st.sampled_from([1, 7, 60, 600, 3600]),
)
def test_load_counts_as_walking_would(rules: list[tuple[Recurrence, float]], hours: int, bucket: int) -> None:
    schedules = [stored(rule, name=f"{n}", jitter=jitter) for n, (rule, jitter) in enumerate(rules)]
    end, width = NOW + timedelta(hours=hours), timedelta(seconds=bucket)
    if (end - NOW) / width > 10_000:
        width = timedelta(seconds=60)
    found = load(schedules, NOW, end, width, crowd=3)
    assert list(found.counts) == by_hand(schedules, NOW, end, width)
    seconds = by_hand(schedules, NOW, end, SECOND)
    assert {(crowd.at, crowd.starts) for crowd in found.crowds[:999]} <= {
        (NOW + at * SECOND, number) for at, number in enumerate(seconds) if number > 3
    }
    assert len(found.crowds) == min(sum(number > 3 for number in seconds), 1000)


def test_a_slot_before_the_window_may_start_in_it() -> None:
    daily = Interval(seconds=86_400, anchor=NOW - DAY - 5 * SECOND)
    schedules = [stored(daily, name=f"{n}", jitter=60) for n in range(20)]
    late = sum(each.delay >= 5 * SECOND for each in schedules)
    assert 0 < late < 20
    assert load(schedules, NOW, NOW + 60 * SECOND, 60 * SECOND).counts == (late,)


def test_what_will_not_run_is_no_load() -> None:
    hourly = Cron("0 * * * *", "UTC")
    schedules = [
        stored(hourly, name="runs"),
        stored(hourly, name="paused", enabled=False, next_at=None, pause=Pause(NOW)),
        stored(hourly, name="finished", next_at=None),
        stored(hourly, name="aside", problem="unreadable"),
        stored(hourly, name="ends", max_runs=5, total_runs=4),
        stored(hourly, name="later", enabled=False, next_at=None, pause=Pause(NOW, until=NOW + timedelta(hours=2))),
    ]
    assert load(schedules, NOW, NOW + timedelta(hours=5), timedelta(hours=1)).counts == (1, 2, 1, 2, 2)


def test_a_load_keeps_no_schedule() -> None:
    """So one of a million costs no more memory than their distinct rules and names."""
    seen: list[weakref.ref[StoredSchedule]] = []

    def read() -> Iterator[StoredSchedule]:
        for number in range(60):
            one = stored(Cron("0 * * * *", "UTC"), name=f"{number}", max_runs=5 if number % 2 else None)
            seen.append(weakref.ref(one))
            yield one
            del one
            assert sum(each() is not None for each in seen) <= 1

    found = load(read(), NOW, NOW + DAY, timedelta(hours=1), crowd=10)
    assert (found.total, len(found.spread())) == (30 * 24 + 30 * 5, 60)
    assert [each for each in seen if each() is not None] == []


def spread(schedules: list[StoredSchedule], start: datetime, end: datetime, crowd: int = 100) -> list[Suggestion]:
    return load(schedules, start, end, end - start, crowd=crowd).spread()


def test_a_crowd_is_told_and_spread() -> None:
    crowd = [stored(Cron("0 9 * * *", "UTC"), name=f"daily {n:03}") for n in range(300)]
    often = [stored(Cron("* * * * *", "UTC"), name=f"often {n}") for n in range(5)]
    start, end = NOW + timedelta(hours=1), NOW + timedelta(hours=25)
    found = load([*crowd, *often], start, end, timedelta(hours=1))
    assert found.crowds == (Crowd(NOW + DAY, 305),)
    assert found.total == 300 + 5 * 24 * 60
    assert load(crowd[:100], start, end, timedelta(hours=1)).crowds == ()
    assert spread(crowd[:100], start, end) == []
    suggested = spread([*crowd, *often], start, end)
    assert suggested[0] == Suggestion("daily 000", 10, 305)
    assert suggested[-1] == Suggestion("often 4", 10, 305)
    assert spread([*crowd, *often], start + DAY, end + DAY) == suggested
    spreaded = [
        stored(each.spec.recurrence, name=each.spec.name, jitter=one.jitter)
        for each, one in zip([*crowd, *often], suggested, strict=True)
    ]
    assert load(spreaded, start, end, timedelta(hours=1)).crowds == ()
    assert spread(spreaded, start, end) == []


def test_a_suggestion_leaves_room_between_a_schedules_own_starts() -> None:
    crowd = [stored(Interval(seconds=20, anchor=NOW), name=f"{n}") for n in range(900)]
    assert {each.jitter for each in spread(crowd, NOW, NOW + DAY, crowd=10)} == {10}
    packed = [stored(Interval(seconds=1, anchor=NOW), name=f"{n}") for n in range(20)]
    assert spread(packed, NOW, NOW + timedelta(minutes=5), crowd=10) == []


def test_what_starts_before_the_window_is_no_crowd_of_it() -> None:
    crowd = [
        stored(Interval(seconds=DAY.total_seconds(), anchor=NOW - DAY - 5 * SECOND), name=f"{n}") for n in range(200)
    ]
    late = stored(Cron("0 * * * *", "UTC"), name="late", jitter=600)
    assert spread([*crowd, late], NOW, NOW + timedelta(hours=1)) == []
    assert len(spread([*crowd, late], NOW - 10 * SECOND, NOW + timedelta(hours=1))) == 200


@pytest.mark.parametrize(
    ("end", "bucket", "field"),
    [
        (NOW, timedelta(hours=1), "end"),
        (NOW + timedelta(days=32), timedelta(hours=1), "end"),
        (NOW + DAY, timedelta(seconds=8), "bucket"),
        (NOW + DAY, timedelta(0), "bucket"),
        (NOW + DAY, timedelta(seconds=60.5), "bucket"),
    ],
)
def test_what_is_too_much_is_refused(end: datetime, bucket: timedelta, field: str) -> None:
    with pytest.raises(SpecError) as caught:
        load([], NOW, end, bucket)
    assert caught.value.facts["field"] == field
