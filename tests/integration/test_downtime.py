"""A real beat that comes up after a downtime: every kind of rule, every catch-up policy, up to a day; and clock changes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from celery import Celery

from livebeat import Cron, Interval, RRule, ScheduleSpec, ScheduleStore, clock
from livebeat.cadence import Progress
from livebeat.rules import Excluding, Recurrence, Union
from support.beats import OURS, Watch, beat
from support.engine import connect, make_app
from support.moved_time import World
from support.waiting import wait_until

NEW_YORK = "America/New_York"
DOWNTIMES = {"none": 0, "minutes": 600, "hours": 7300, "a day": 86_400}


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


def rules(now: datetime) -> dict[str, Recurrence]:
    """Of every kind, and none that is due within a minute of now."""
    minute = (now - timedelta(minutes=5)).minute
    hourly = Cron(f"{minute} * * * *", timezone="UTC")
    return {
        "interval": Interval(seconds=900, anchor=now - timedelta(days=2, seconds=120)),
        "cron": hourly,
        "cron with seconds": Cron(f"7,37 {minute} * * * *", timezone=NEW_YORK),
        "rrule": RRule("FREQ=MINUTELY;INTERVAL=17", now - timedelta(days=400, seconds=90), NEW_YORK),
        "union": Union(hourly, Interval(seconds=1000, anchor=now - timedelta(days=2, seconds=300))),
        "excluding": Excluding(hourly, rules=(Cron(f"{minute} */2 * * *", timezone="UTC"),)),
    }


def test_a_beat_that_was_down_runs_exactly_what_each_schedule_promises(
    app: Celery, redis_url: str, tmp_path: Path
) -> None:
    now, store = clock.now(), ScheduleStore(app)
    expected: dict[str, list[datetime]] = {}
    missed: dict[str, int] = {}
    for kind, rule in rules(now).items():
        for length, seconds in DOWNTIMES.items():
            since = now - timedelta(seconds=seconds)
            slots = rule.between(since, now)
            for catchup, promised in {"none": [], "one": slots[-1:], "all": slots}.items():
                name = f"{kind}/{length}/{catchup}".replace(" ", "-")
                expected[name], missed[name] = promised, len(slots) - len(promised)
                spec = ScheduleSpec(
                    name=name,
                    task="sample.echo",
                    args=(name,),
                    recurrence=rule,
                    catchup=catchup,  # type: ignore[arg-type]
                )
                store.put(spec, progress=Progress(since))
    with Watch(redis_url) as watch, beat(redis_url, tmp_path, *OURS):
        all_there = sum(map(len, expected.values()))
        wait_until(lambda: len(watch.sent) >= all_there, 50, f"{all_there} messages")
        wait_until(
            lambda: not connect(redis_url).zcount("redbeat::schedule", 0, clock.now().timestamp()), 20, "the rest"
        )
    got = {name: [sent.slot for sent in watch.of(name) if sent.slot and sent.slot <= now] for name in expected}
    assert got == expected
    told = dict.fromkeys(expected, 0)
    for _, values in connect(redis_url).xrange("livebeat:events"):
        data = json.loads(values["data"])
        if values["type"] == "slot.skipped" and datetime.fromisoformat(data["to"]) <= now:
            told[data["name"]] += data["count"]
    assert told == missed


def test_slots_of_a_zone_whose_clocks_change(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    """New York, 2027: 02:00 to 03:00 on 14 March isn't there, 01:00 to 02:00 on 7 November is there twice."""
    world, day = World(app, monkeypatch), timedelta(days=1)
    kinds = {"gap": "30 2 * * *", "gap-skipped": "30 2 * * *", "fold": "30 1 * * *", "fold-both": "30 1 * * *"}
    for change in (datetime(2027, 3, 14, 7, tzinfo=UTC), datetime(2027, 11, 7, 6, tzinfo=UTC)):
        world.now, since = change - 2 * day, len(world.sent)
        for name, expression in {**kinds, "half-hourly": "*/30 * * * *"}.items():
            rule = Cron(
                expression,
                timezone=NEW_YORK,
                gap="skip" if name == "gap-skipped" else "next_valid",
                repeat="both" if name == "fold-both" else None,
            )
            world.store.put(
                ScheduleSpec(
                    name=name, task="sample.echo", args=(name,), recurrence=rule, start=change - day, end=change + day
                )
            )
        world.lead(change + 2 * day)
        slots = {name: world.slots(name, since=since) for name in (*kinds, "half-hourly")}
        assert slots["half-hourly"] == [change - day + step * timedelta(minutes=30) for step in range(97)]
        hours = {name: [round((slot - change) / timedelta(hours=1), 2) for slot in slots[name]] for name in kinds}
        if change.month == 3:
            assert hours["gap"] == [-23.5, 0, 23.5]
            assert hours["gap-skipped"] == [-23.5, 23.5]
        else:
            assert hours["fold"] == [-0.5]
            assert hours["fold-both"] == [-0.5, 0.5]
