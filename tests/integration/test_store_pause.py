"""Pause, resume and trigger, on a real server."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from celery import Celery
from celery.schedules import schedule
from redbeat import RedBeatSchedulerEntry

from app.core.redis_addresses import to_broker_url
from livebeat import Cron, Interval, RRule, ScheduleSpec, ScheduleStore, clock
from livebeat.beat.dispatch import Dispatcher
from livebeat.cadence import resumed
from livebeat.connection import link
from livebeat.entry import Pause
from livebeat.errors import ScheduleNotFoundError, SpecError
from support.engine import connect, make_app

NAME = "주간 업데이트"
KEY = f"redbeat:{NAME}"


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def store(app: Celery) -> ScheduleStore:
    return ScheduleStore(app)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def spec(**changes: Any) -> ScheduleSpec:
    return ScheduleSpec(**{"name": NAME, "task": "sample.echo", "recurrence": Cron("0 6 * * 1"), **changes})


def events(client: "redis.Redis", kind: str) -> list[dict[str, Any]]:
    return [json.loads(v["data"]) for _, v in client.xrange("livebeat:events") if v["type"] == kind]


def messages(client: "redis.Redis") -> list[dict[str, Any]]:
    return [json.loads(text) for text in reversed(client.lrange("celery", 0, -1))]


def in_an_hour() -> datetime:
    return (clock.now() + timedelta(hours=1)).replace(microsecond=0)


def test_a_pause_says_why_since_when_and_by_whom_and_stock_honours_it(
    app: Celery, store: ScheduleStore, client: "redis.Redis"
) -> None:
    before = store.put(spec())
    paused = store.pause(NAME, note="점검 중", by="kim", origin="api")
    assert store.get(NAME).pause == paused.pause
    assert paused.pause is not None
    assert (paused.pause.note, paused.pause.until, paused.pause.by) == ("점검 중", None, "kim")
    assert (paused.spec.enabled, paused.next_at, paused.revision) == (False, None, before.revision + 1)
    assert paused.incarnation == before.incarnation
    assert client.zscore("redbeat::schedule", KEY) == -1
    assert RedBeatSchedulerEntry.from_key(KEY, app=app).is_due() == (False, 5.0)
    (event,) = events(client, "schedule.paused")
    assert (event["name"], event["by"], event["origin"], event["spec"]["enabled"]) == (NAME, "kim", "api", False)
    assert event["before"]["enabled"] is True


def test_a_pause_with_an_end_lies_in_the_due_range_at_its_end(store: ScheduleStore, client: "redis.Redis") -> None:
    store.put(spec())
    until = in_an_hour()
    store.pause(NAME, until=until)
    assert client.zscore("redbeat::schedule", KEY) == clock.to_epoch(until)
    edited = store.put(spec(description="바뀜", enabled=False))
    assert edited.pause == store.get(NAME).pause
    assert edited.pause is not None
    assert edited.pause.until == until
    assert client.zscore("redbeat::schedule", KEY) == clock.to_epoch(until)


def test_the_beat_ends_a_pause_and_makes_up_for_nothing(
    app: Celery, store: ScheduleStore, client: "redis.Redis"
) -> None:
    store.put(spec(recurrence=Interval(seconds=60), catchup="all"))
    until = in_an_hour()
    store.pause(NAME, until=until)
    beat = Dispatcher(link(app), store)
    beat.run_once(until - timedelta(seconds=1))
    assert store.get(NAME).spec.enabled is False
    now = until + timedelta(hours=1)  # it comes late
    beat.run_once(now)
    stored = store.get(NAME)
    assert (stored.spec.enabled, stored.pause, stored.ours) == (True, None, True)
    assert stored.next_at is not None
    assert now < stored.next_at <= now + timedelta(seconds=60)
    assert client.zscore("redbeat::schedule", KEY) == clock.to_epoch(stored.next_at)
    assert stored.last_run_at == now  # from where a stock beat would go on
    assert messages(client) == []
    assert [event["name"] for event in events(client, "schedule.resumed")] == [NAME]
    assert resumed(stored, now) is stored


def test_a_second_pause_changes_note_and_end_and_keeps_its_beginning(
    store: ScheduleStore, client: "redis.Redis"
) -> None:
    store.put(spec())
    first = store.pause(NAME, note="a", by="kim")
    same = store.pause(NAME, note="a", by="lee")
    assert (same.pause, same.revision) == (first.pause, first.revision)
    until = in_an_hour()
    second = store.pause(NAME, note="b", until=until, by="lee")
    assert first.pause is not None
    assert second.pause == Pause(at=first.pause.at, note="b", until=until, by="lee")
    assert len(events(client, "schedule.paused")) == 2


def test_resume_counts_from_now_and_refires_nothing(app: Celery, store: ScheduleStore, client: "redis.Redis") -> None:
    store.put(spec(recurrence=Interval(seconds=30, anchor=datetime(2026, 1, 1, tzinfo=UTC))))
    store.pause(NAME)
    # As if the pause had lasted an hour, with the last run before it.
    meta = json.loads(client.hget(KEY, "meta") or "")
    old = clock.now() - timedelta(hours=1)
    meta["last_run_at"].update({name: getattr(old, name) for name in ("year", "month", "day", "hour", "minute")})
    client.hset(KEY, "meta", json.dumps(meta))
    begun = clock.now()
    stored = store.resume(NAME, by="lee")
    assert stored.next_at is not None
    assert begun < stored.next_at <= clock.now() + timedelta(seconds=30)
    assert stored.pause is None
    assert not RedBeatSchedulerEntry.from_key(KEY, app=app).is_due()[0]
    assert [event["by"] for event in events(client, "schedule.resumed")] == ["lee"]
    again = store.resume(NAME)
    assert (again.revision, again.next_at) == (stored.revision, stored.next_at)
    assert len(events(client, "schedule.resumed")) == 1


def test_enabled_of_a_plain_put_still_pauses_and_resumes(store: ScheduleStore) -> None:
    paused = store.put(spec(enabled=False), by="kim")
    assert paused.pause is not None
    assert paused.pause.by == "kim"
    assert store.put(spec()).pause is None


def test_a_pause_is_over_when_redbeats_own_code_enables_the_schedule(app: Celery, store: ScheduleStore) -> None:
    store.put(spec())
    store.pause(NAME, note="x", until=in_an_hour())
    entry = RedBeatSchedulerEntry.from_key(KEY, app=app)
    entry.enabled = True
    entry.save()
    assert store.get(NAME).pause is None
    entry.enabled = False
    entry.save()
    assert store.get(NAME).spec.enabled is False


def test_what_redbeat_disabled_can_be_paused_with_a_note_and_resumed(app: Celery, store: ScheduleStore) -> None:
    RedBeatSchedulerEntry("theirs", "sample.echo", schedule(60), enabled=False, app=app).save()
    assert store.pause("theirs").revision == 0  # it is paused already, and nothing was said
    assert store.pause("theirs", note="x").revision == 1
    assert store.resume("theirs").next_at is not None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"until": datetime(2099, 1, 1)}, "until"),
        ({"until": datetime(2020, 1, 1, tzinfo=UTC)}, "until"),
        ({"until": "tomorrow"}, "until"),
        ({"note": 3}, "note"),
    ],
)
def test_a_pause_that_makes_no_sense_is_refused(store: ScheduleStore, changes: dict[str, Any], field: str) -> None:
    written = store.put(spec())
    with pytest.raises(SpecError) as caught:
        store.pause(NAME, **changes)
    assert caught.value.facts["field"] == field
    assert caught.value.text("ko") != caught.value.text("en")
    assert store.get(NAME).revision == written.revision


def test_an_unknown_name_is_told(store: ScheduleStore) -> None:
    for verb in (store.pause, store.resume, store.trigger):
        with pytest.raises(ScheduleNotFoundError):
            verb("없음")


def test_a_trigger_runs_once_through_the_ledger_and_leaves_the_cadence_alone(
    app: Celery, store: ScheduleStore, client: "redis.Redis"
) -> None:
    before = store.put(spec(kwargs={"value": 7}, options={"expires": 60}))
    sent = store.trigger(NAME, by="kim", origin="api")
    (message,) = messages(client)
    headers = message["headers"]
    assert sent.accepted
    assert headers["id"] == headers["livebeat_run"] == sent.run_id
    assert (headers["livebeat_schedule"], headers["livebeat_kind"]) == (NAME, "trigger")
    assert headers["livebeat_revision"] == before.revision
    assert "livebeat_slot" not in headers
    assert headers["expires"] is not None
    assert client.zrange("livebeat:running", 0, -1) == [f"{NAME}\n{sent.run_id}"]
    assert client.zscore("livebeat:ledger", sent.run_id) is not None
    assert float(client.hget(f"livebeat:run:{sent.run_id}", "expires_at") or 0) > clock.to_epoch(clock.now())
    (event,) = events(client, "run.queued")
    assert (event["run"], event["kind"], event["schedule"], event["by"]) == (sent.run_id, "trigger", NAME, "kim")
    stored = store.get(NAME)
    assert (stored.next_at, stored.total_runs, stored.revision) == (before.next_at, 0, before.revision)
    assert store.trigger(NAME).run_id != sent.run_id


def test_a_paused_schedule_can_be_triggered_and_stays_paused(store: ScheduleStore, client: "redis.Redis") -> None:
    store.put(spec())
    store.pause(NAME)
    store.trigger(NAME)
    assert len(messages(client)) == 1
    assert store.get(NAME).spec.enabled is False


def test_without_install_a_trigger_is_pushed_and_told_but_not_entered(redis_url: str, client: "redis.Redis") -> None:
    plain = Celery("plain", broker=to_broker_url(redis_url), set_as_current=False)
    plain.conf.update(redbeat_redis_url=redis_url, redbeat_redis_options={}, timezone="Asia/Seoul")
    store = ScheduleStore(plain)
    store.put(spec(recurrence=RRule("FREQ=DAILY")))
    sent = store.trigger(NAME)
    (message,) = messages(client)
    assert message["headers"]["id"] == sent.run_id
    assert "livebeat_run" not in message["headers"]
    assert [event["run"] for event in events(client, "run.queued")] == [sent.run_id]
    assert client.exists("livebeat:ledger", f"livebeat:run:{sent.run_id}", "livebeat:running") == 0
