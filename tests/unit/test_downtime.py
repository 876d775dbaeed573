"""A beat that was down from 0 s to a day, by a moved clock: for every kind of rule and every policy exactly the slots
promised, each with one outcome."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from livebeat import Cron, Interval, Once, RRule, ScheduleSpec, StoredSchedule
from livebeat.beat.plan import NONE_GRACE, decide
from livebeat.entry import Raw
from livebeat.rules import Excluding, Recurrence, Union

#: An hour before the clocks of New York go back, and a little: slots before, in and after the repeated hour.
DOWN = datetime(2026, 11, 1, 4, 59, 30, tzinfo=UTC)
NEW_YORK = "America/New_York"
DOWNTIMES = [0, 0.5, 1, 29, 30, 31, 59, 60, 61, 1800, 3599, 3600, 3601, 7200, 43_200, 86_399, 86_400]
RULES: dict[str, Recurrence] = {
    "interval": Interval(seconds=60, anchor=DOWN - timedelta(seconds=25)),
    "long interval": Interval(seconds=3600, anchor=DOWN - timedelta(seconds=25)),
    "cron": Cron("*/10 * * * *", timezone=NEW_YORK),
    "cron in the repeated hour": Cron("30 1 * * *", timezone=NEW_YORK),
    "cron in both": Cron("30 1 * * *", timezone=NEW_YORK, repeat="both"),
    "cron with seconds": Cron("*/30 * * * * *", timezone=NEW_YORK),
    "rrule": RRule("FREQ=MINUTELY;INTERVAL=7", DOWN - timedelta(days=400), NEW_YORK),
    "once": Once(DOWN + timedelta(seconds=40)),
    "union": Union(Cron("0 * * * *", timezone="UTC"), Interval(seconds=1000, anchor=DOWN)),
    "excluding": Excluding(Cron("*/5 * * * *", timezone="UTC"), rules=(Cron("*/15 * * * *", timezone="UTC"),)),
}
POLICIES: list[dict[str, Any]] = [
    {},
    {"start": DOWN + timedelta(seconds=100)},
    {"end": DOWN + timedelta(seconds=3600)},
    {"jitter": 20},
    {"max_runs": 2},
    {"catchup_window": 600},
]


def stored(rule: Recurrence, policies: dict[str, Any]) -> StoredSchedule:
    spec = ScheduleSpec(name="a", task="t", recurrence=rule, **policies)
    return StoredSchedule(
        spec=spec,
        revision=1,
        incarnation="i",
        next_at=spec.rule.next_after(DOWN - timedelta(seconds=120)),
        last_run_at=None,
        total_runs=0,
        origin="python",
        by="",
        changed_at=None,
        problem=None,
        ours=True,
        redbeat_exact=True,
        raw=Raw(),
    )


class Beat:
    """Asks `decide` as the engine does, whenever the schedule is due by its score."""

    def __init__(self, schedule: StoredSchedule) -> None:
        self.schedule = schedule
        self.ran: list[datetime] = []
        self.passed: list[datetime] = []

    def work(self, now: datetime) -> None:
        """Everything that is due now."""
        while (due := self.schedule.next_at) is not None and due + self.schedule.delay <= now:
            decision = decide(self.schedule, due, now - self.schedule.delay)
            rule = self.schedule.spec.rule
            for skipped in decision.skipped:
                passed = [skipped.first, *rule.walk(skipped.first, skipped.last)]
                assert (len(passed), passed[-1]) == (skipped.count, skipped.last)
                self.passed += passed
            if decision.slot:
                assert decision.slot + self.schedule.delay <= now
                self.ran.append(decision.slot)
            after = decision.after
            self.schedule = replace(self.schedule, next_at=after.next_at, total_runs=after.total_runs)


def ticks(until: datetime) -> Iterator[datetime]:
    """Every half second of the two minutes until then."""
    return (until - timedelta(seconds=number / 2) for number in range(240, -1, -1))


def promised(slots: list[datetime], schedule: StoredSchedule, down: datetime, up: datetime) -> list[datetime]:
    """The slots that run, said without a rule: `slots` are all of them; down from one instant to the other."""
    spec, delay = schedule.spec, schedule.delay
    missed = slots[bisect_right(slots, down - delay) : bisect_right(slots, up - delay)]
    in_time = slots[: bisect_right(slots, down - delay)]
    window = spec.catchup_window
    young = [slot for slot in missed if window is None or slot >= up - delay - timedelta(seconds=window)]
    if spec.catchup == "none":
        caught_up = [slot for slot in young[-1:] if up - delay - slot <= NONE_GRACE]
    else:
        caught_up = young[-1:] if spec.catchup == "one" else young
    return [*in_time, *caught_up][: spec.max_runs]


@pytest.mark.parametrize("catchup", ["none", "one", "all"])
@pytest.mark.parametrize("policies", POLICIES, ids=str)
@pytest.mark.parametrize("kind", RULES)
def test_exactly_the_promised_slots_run_after_a_downtime(kind: str, policies: dict[str, Any], catchup: str) -> None:
    for seconds in DOWNTIMES:
        schedule = stored(RULES[kind], {**policies, "catchup": catchup})
        up = DOWN + timedelta(seconds=seconds)
        slots = schedule.spec.rule.between(DOWN - timedelta(seconds=120), up)
        beat = Beat(schedule)
        for now in ticks(DOWN):
            beat.work(now)
        beat.work(up)
        told = f"down for {seconds} s"
        assert beat.ran == promised(slots, schedule, DOWN, up), told
        due = [slot for slot in slots if slot + schedule.delay <= up]
        if not schedule.spec.max_runs:
            assert sorted([*beat.ran, *beat.passed]) == due, told
        assert not set(beat.ran) & set(beat.passed), told
