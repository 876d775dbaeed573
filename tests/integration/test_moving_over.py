"""Moving over, and back: from stock RedBeat, from Celery's PersistentScheduler. Real beats, one Redis.

The evidence is what lies on the broker's list, not what the engine says of itself.
"""

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from celery import Celery
from celery.schedules import crontab, schedule
from redbeat import RedBeatSchedulerEntry

from livebeat import Interval, ScheduleSpec, ScheduleStore, clock
from support.beats import LATE, OURS, STOCK, Sent, Watch, beat, gaps, livebeat
from support.engine import make_app
from support.processes import Running
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def store(app: Celery) -> ScheduleStore:
    return ScheduleStore(app)


@pytest.fixture
def beats() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def watch(redis_url: str) -> Iterator[Watch]:
    with Watch(redis_url) as running:
        yield running


def save(app: Celery, name: str, rule: object) -> RedBeatSchedulerEntry:
    return RedBeatSchedulerEntry(name, "sample.echo", rule, args=[name], app=app).save()


def more(watch: Watch, name: str, count: int, what: str) -> None:
    """Wait for so many further messages of a schedule."""
    seen = len(watch.of(name))
    wait_until(lambda: len(watch.of(name)) >= seen + count, 40, f"{count} messages of {name}: {what}")


def far_minute() -> int:
    """A minute of the hour that this test won't see."""
    return (clock.now().minute + 30) % 60


def check_whole(sent: Sequence[Sent], every: float) -> None:
    """No slot early or twice; while ours led, none but of its rule."""
    assert len({each.run for each in sent}) == len(sent)
    assert min(gaps(sent)) > every - LATE
    for before, after in pairwise(sent):
        if before.slot and after.slot:
            missed = (after.slot - before.slot).total_seconds() / every
            assert missed == pytest.approx(round(missed), abs=1e-4)


def check_minutes(sent: Sequence[Sent]) -> None:
    """One message a minute, none in a minute that had one."""
    minutes = [each.at.replace(second=0, microsecond=0) for each in sent]
    assert len(set(minutes)) == len(minutes)


def stop(running: Running) -> None:
    running.send(signal.SIGTERM)
    running.wait(20)


def test_from_stock_redbeat_and_back_and_again(
    app: Celery, store: ScheduleStore, redis_url: str, tmp_path: Path, watch: Watch, beats: ExitStack
) -> None:
    static = {"task": "sample.echo", "schedule": 3.0, "args": ["static-3s"]}
    (tmp_path / "conf.json").write_text(json.dumps({"beat_schedule": {"static-3s": static}}))
    save(app, "every-2s", schedule(2))
    save(app, "minutely", crontab())
    save(app, "far", crontab(minute=far_minute()))

    stock = beats.enter_context(beat(redis_url, tmp_path, *STOCK))
    more(watch, "every-2s", 3, "stock RedBeat")
    stop(stock)
    assert all(sent.slot is None for sent in watch.sent)

    ours = beats.enter_context(beat(redis_url, tmp_path, *OURS))
    adopted_at = len(watch.sent)
    more(watch, "every-2s", 3, "ours, on the same data")
    stock = beats.enter_context(beat(redis_url, tmp_path, *STOCK))
    stock.wait_for_line("Acquiring lock", 20)
    more(watch, "every-2s", 2, "ours, while a stock beat waits at the lock")
    assert "Acquired lock" not in stock.output
    assert all(sent.slot for sent in watch.sent[adopted_at:])

    edited = Interval(seconds=4)
    store.put(ScheduleSpec(name="every-2s", task="sample.echo", recurrence=edited, args=("every-2s edited",)))
    store.put(store.get("minutely").spec.with_changes(enabled=False))
    edited_at = len(watch.sent)
    more(watch, "every-2s", 1, "ours, as edited")
    stop(ours)
    rolled_back_at = len(watch.sent)
    stock.wait_for_line("Acquired lock", 20)
    more(watch, "every-2s", 2, "stock RedBeat, rolled back to")

    ours = beats.enter_context(beat(redis_url, tmp_path, *OURS))
    ours.wait_for_line("is held by a beat that is not Livebeat's", 20)
    more(watch, "every-2s", 1, "stock RedBeat, while ours waits")
    assert all(sent.slot is None for sent in watch.sent[rolled_back_at:])
    stop(stock)
    more(watch, "every-2s", 2, "ours again")
    stop(ours)

    check_whole(watch.of("every-2s")[: -len(watch.of("every-2s", since=edited_at))], 2)
    after_edit = watch.of("every-2s", since=edited_at)
    assert {sent.arguments for sent in after_edit} == {("every-2s edited",)}
    check_whole(after_edit, 4)
    check_whole(watch.of("static-3s"), 3)
    check_minutes(watch.of("minutely"))
    assert watch.of("minutely", since=edited_at) == []
    assert watch.of("far") == []


def test_a_slot_missed_in_between_runs_once_in_either_direction(
    app: Celery, redis_url: str, tmp_path: Path, watch: Watch
) -> None:
    save(app, "tick", schedule(1))
    hourly = save(app, "hourly", crontab(minute=far_minute()))
    hourly.reschedule(clock.now() - timedelta(hours=3))
    with beat(redis_url, tmp_path, *STOCK):
        more(watch, "tick", 2, "stock RedBeat")
    with beat(redis_url, tmp_path, *OURS):
        more(watch, "tick", 3, "ours")
    assert [sent.slot for sent in watch.of("hourly")] == [None]  # what stock caught up on, ours doesn't

    hourly = RedBeatSchedulerEntry.from_key("redbeat:hourly", app=app)
    hourly.reschedule(clock.now() - timedelta(hours=3))
    with beat(redis_url, tmp_path, *OURS):
        more(watch, "tick", 3, "ours, after a downtime")
    with beat(redis_url, tmp_path, *STOCK):
        more(watch, "tick", 2, "stock RedBeat, rolled back to")
    _, caught_up = watch.of("hourly")
    assert caught_up.slot is not None
    assert timedelta(0) < caught_up.arrived_at - caught_up.slot < timedelta(hours=1)


# Celery's own beat.


def test_from_the_persistent_scheduler(store: ScheduleStore, redis_url: str, tmp_path: Path, watch: Watch) -> None:
    entries = {
        "every-2s": {"schedule": 2.0},
        "minutely": {"schedule": "* * * * *"},
        "매일": {"schedule": f"{far_minute()} * * * *"},
    }
    for name, entry in entries.items():
        entry |= {"task": "sample.echo", "args": [name]}
    (tmp_path / "conf.json").write_text(json.dumps({"beat_schedule": entries}))
    file = tmp_path / "celerybeat-schedule"
    with beat(redis_url, tmp_path, "--scheduler=celery.beat.PersistentScheduler", f"--schedule={file}"):
        more(watch, "every-2s", 3, "Celery's own beat")
    count = len(watch.of("every-2s"))

    shown = livebeat(redis_url, tmp_path, "import-beat", str(file))
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "create 4" in shown.stdout  # with Celery's own celery.backend_cleanup
    assert "--apply" in shown.stdout
    assert store.list() == []
    assert livebeat(redis_url, tmp_path, "import-beat", str(file), "--apply").returncode == 0
    imported = store.get("every-2s")
    assert (imported.total_runs, imported.origin, imported.by) == (count, "import", "celerybeat-schedule")
    assert imported.last_run_at is not None
    again = livebeat(redis_url, tmp_path, "import-beat", str(file), "--apply")
    assert (again.returncode, "as it is 4" in again.stdout) == (0, True)
    assert store.get("every-2s").revision == 1

    with beat(redis_url, tmp_path, *OURS):
        more(watch, "every-2s", 3, "ours")
    check_whole(watch.of("every-2s"), 2)
    first = watch.of("every-2s")[count]
    assert first.slot is not None
    assert (first.slot - imported.last_run_at).total_seconds() % 2 == pytest.approx(0, abs=1e-4)
    check_minutes(watch.of("minutely"))
    assert watch.of("매일") == []


def test_what_is_there_already_is_left_and_said(store: ScheduleStore, redis_url: str, tmp_path: Path) -> None:
    file = tmp_path / "celerybeat-schedule"
    (tmp_path / "conf.json").write_text(
        json.dumps({"beat_schedule": {"a": {"task": "sample.echo", "schedule": 2.0, "args": ["a"]}}})
    )
    with beat(redis_url, tmp_path, "--scheduler=celery.beat.PersistentScheduler", f"--schedule={file}", *OURS) as old:
        old.wait_for_line("Sending due task", 30)
    store.put(ScheduleSpec(name="a", task="sample.other", recurrence=Interval(seconds=60)))
    told = livebeat(redis_url, tmp_path, "import-beat", str(file), "--apply")
    assert told.returncode == 3
    assert "left: a" in told.stdout
    assert store.get("a").spec.task == "sample.other"
