"""What RedBeat's own code wrote or ran, taken over: no slot early, lost or run again. Time is moved by moving runs."""

from datetime import timedelta
from typing import Any

import pytest
from celery import Celery
from celery.schedules import crontab, schedule
from redbeat import RedBeatSchedulerEntry

from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore, clock
from livebeat.beat.dispatch import Dispatcher
from livebeat.beat.statics import apply_statics
from livebeat.cadence import adopted
from livebeat.connection import link
from support.engine import make_app


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def store(app: Celery) -> ScheduleStore:
    return ScheduleStore(app)


@pytest.mark.parametrize("rule", [schedule(30), crontab(minute="*/5")])
def test_an_edit_before_the_first_adoption_changes_no_slot(app: Celery, store: ScheduleStore, rule: Any) -> None:
    """Whoever edits a description while no beat runs must not drop what is due, nor bring back what stock ran."""
    entry = RedBeatSchedulerEntry("theirs", "sample.echo", rule, app=app).save()
    last = clock.now() - timedelta(minutes=20)
    entry.reschedule(last)
    written = store.put(store.get("theirs").spec.with_changes(description="edited"))
    assert written.next_at == store.get("theirs").spec.recurrence.next_after(last)
    assert written.next_at < clock.now()
    entry = RedBeatSchedulerEntry.from_key("redbeat:theirs", app=app)
    next(entry)  # stock runs it
    again = store.put(store.get("theirs").spec.with_changes(description="edited again"))
    assert again.next_at is not None
    assert again.next_at > clock.now()


def test_an_interval_that_stock_went_on_with_counts_from_its_last_run(app: Celery, store: ScheduleStore) -> None:
    store.put(ScheduleSpec(name="a", task="sample.echo", recurrence=Interval(seconds=3600)))
    entry = RedBeatSchedulerEntry.from_key("redbeat:a", app=app)
    ran_at = clock.now() + timedelta(minutes=100)
    entry._next_instance(last_run_at=ran_at)
    assert store.get("a").spec.recurrence == Interval(seconds=3600, anchor=ran_at)


@pytest.mark.parametrize("change", ["args", "rule"])
def test_a_save_by_redbeat_moves_no_slot_that_is_still_to_come(app: Celery, store: ScheduleStore, change: str) -> None:
    """The beat sees such a save when its slot is due; that slot must not be taken for one before the edit."""
    store.put(ScheduleSpec(name="a", task="sample.echo", recurrence=Interval(seconds=1000), args=("a",)))
    rule = schedule(1000 if change == "args" else 1)
    RedBeatSchedulerEntry("a", "sample.echo", rule, args=["a", change], app=app).save()
    stored = store.get("a")
    last = stored.last_run_at
    assert last is not None
    due = stored.spec.recurrence.next_after(last)
    assert due is not None
    hint = due.replace(microsecond=0)
    late = due + timedelta(milliseconds=400)
    assert adopted(stored, "Asia/Seoul", late, hint).next_at == due


@pytest.mark.parametrize("was_ours", [False, True])
def test_a_score_of_theirs_that_is_the_slot_itself(app: Celery, store: ScheduleStore, was_ours: bool) -> None:
    """What is written when it is dispatched is all of ours, not what lay there with another slot."""
    if was_ours:
        store.put(ScheduleSpec(name="a", task="sample.echo", recurrence=Cron("*/10 * * * *", "UTC")))
    entry = RedBeatSchedulerEntry("a", "sample.echo", crontab(minute="*/5"), app=app).save()
    entry.reschedule(clock.now() - timedelta(minutes=5))
    due = store.get("a").spec.recurrence.next_after(clock.now() - timedelta(minutes=5))
    assert due is not None
    link(app).client.zadd("redbeat::schedule", {"redbeat:a": due.timestamp()})
    assert Dispatcher(link(app), store).run_once(due + timedelta(seconds=1)) == ("ok", 1)
    stored = store.get("a")
    assert stored.ours
    assert (stored.spec.recurrence, stored.revision) == (Cron("*/5 * * * *", app.conf.timezone), 1 + was_ours)
    assert (stored.last_run_at, stored.next_at) == (due, due + timedelta(minutes=5))


@pytest.mark.parametrize("rule", [schedule(30), crontab(minute="*/5")])
def test_a_static_entry_of_stock_goes_on_at_our_first_start(redis_url: str, rule: Any) -> None:
    app = make_app(redis_url, beat_schedule={"a": {"task": "sample.echo", "schedule": rule}})
    last = clock.now() - timedelta(minutes=20)
    RedBeatSchedulerEntry("a", "sample.echo", rule, app=app).save().reschedule(last)
    link(app).client.sadd("redbeat::statics", "a")
    apply_statics(app, link(app), ScheduleStore(app))
    stored = ScheduleStore(app).get("a")
    assert stored.next_at == stored.spec.recurrence.next_after(last)
    assert stored.next_at < clock.now()
