"""A backfill sends each slot of its range once, at its rate, and leaves the schedule as it is."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import Backfills, Cron, Interval, ScheduleSpec, ScheduleStore, run_state
from livebeat.backfill import backfills as module
from livebeat.backfill.record import MOST
from livebeat.connection import link
from livebeat.delivery.consumers import known_plain
from livebeat.delivery.ledger import Ledger
from livebeat.errors import BackfillNotFoundError, ConfigurationError, ScheduleNotFoundError, SpecError
from support.beats import messages
from support.engine import celery_process, connect, make_app
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

MIDNIGHT = datetime(2026, 11, 1, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FAST = 1000.0


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def put(app: Celery, name: str = "hourly", **changes: Any) -> None:
    fields: dict[str, Any] = {"task": "sample.echo", "recurrence": Cron("0 * * * *", "UTC"), "args": (name,), **changes}
    ScheduleStore(app).put(ScheduleSpec(name=name, **fields))


def start(app: Celery, hours: int = 4, **options: Any) -> str:
    """A backfill of so many hours' slots."""
    given = {"rate": FAST, **options}
    return Backfills(app).start("hourly", MIDNIGHT, MIDNIGHT + (hours - 1) * HOUR, **given).id


def work(app: Celery) -> bool:
    """One look of a beat, which has just begun to lead."""
    return Backfills(app).work()


def work_until(app: Celery, backfill_id: str, sent: int) -> None:
    def done() -> bool:
        work(app)
        return Backfills(app).get(backfill_id).sent >= sent

    wait_until(done, 20, f"{sent} sent slots", every=0.01)


def finish(app: Celery, run_id: str, event: str = "run.succeeded") -> None:
    """What a worker does with a run."""
    entry = run_state(app, run_id)
    assert entry is not None
    ledger = Ledger(link(app))
    outcome, attempt = ledger.claim(entry.run, "a", "w")
    assert outcome == "claimed"
    assert ledger.finish(entry.run, "a", attempt, event)


def events(client: "redis.Redis", kind: str) -> list[dict[str, Any]]:
    found = client.xrange("livebeat:events")
    return [json.loads(values["data"]) for _, values in found if values["type"].startswith(kind)]


def test_each_slot_of_the_range_once_in_order(app: Celery, client: "redis.Redis") -> None:
    put(app)
    backfill_id = start(app, hours=5, by="me")
    work_until(app, backfill_id, 5)
    work(app)
    found = messages(client, "celery")
    assert [sent.slot for sent in found] == [MIDNIGHT + hour * HOUR for hour in range(5)]
    assert len({sent.run for sent in found}) == 5
    for sent in found:
        entry = run_state(app, sent.run)
        assert entry is not None
        assert (entry.run.kind, entry.run.schedule, entry.run.parent) == ("backfill", "hourly", backfill_id)
        assert client.zscore("livebeat:ledger", sent.run)
    queued = events(client, "run.queued")
    assert [(event["kind"], event["parent"], event["revision"]) for event in queued] == [
        ("backfill", backfill_id, 1)
    ] * 5
    (begun,) = events(client, "backfill.started")
    assert (begun["name"], begun["total"], begun["by"], begun["origin"]) == ("hourly", 5, "me", "python")


def test_it_is_finished_when_all_its_runs_have_ended(app: Celery, client: "redis.Redis") -> None:
    put(app)
    backfill_id = start(app, hours=3)
    work_until(app, backfill_id, 3)
    first, second, third = (sent.run for sent in messages(client, "celery"))
    finish(app, first)
    assert 0 <= events(client, "run.started")[0]["lateness"] < 60  # from its sending, not from its slot
    finish(app, second, "run.failed")
    work(app)
    found = Backfills(app).get(backfill_id)
    assert (found.state, found.sent, found.done, dict(found.ended)) == ("running", 3, 2, {"succeeded": 1, "failed": 1})
    finish(app, third)
    work(app)
    found = Backfills(app).get(backfill_id)
    assert (found.state, found.done, dict(found.ended)) == ("finished", 3, {"succeeded": 2, "failed": 1})
    (ended,) = events(client, "backfill.finished")
    assert (ended["id"], ended["ended"]) == (backfill_id, {"succeeded": 2, "failed": 1})
    assert not list(client.scan_iter("livebeat:children:*"))
    assert not list(client.scan_iter("livebeat:run:*"))


def test_a_look_that_is_slow_makes_a_step_nevertheless(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    put(app)
    backfill_id = start(app, hours=3)
    monkeypatch.setattr(module, "_ROUND", 0.0)
    backfills = Backfills(app)
    for sent in (1, 2, 3):
        assert backfills.work()
        assert backfills.get(backfill_id).sent == sent
    assert not backfills.work()


def test_both_ends_of_the_range_belong_to_it(app: Celery) -> None:
    put(app)
    backfills = Backfills(app)
    for begin, end, total in (
        (MIDNIGHT, MIDNIGHT, 1),
        (MIDNIGHT + MINUTE, MIDNIGHT + HOUR, 1),
        (MIDNIGHT, MIDNIGHT + HOUR - MINUTE, 1),
        (MIDNIGHT, MIDNIGHT + 30 * 24 * HOUR, 721),
    ):
        assert backfills.start("hourly", begin, end, dry_run=True).total == total


def test_a_dry_run_changes_nothing(app: Celery, client: "redis.Redis") -> None:
    put(app)
    before = set(client.keys("livebeat:*"))
    planned = Backfills(app).start("hourly", MIDNIGHT, MIDNIGHT + 2 * HOUR, dry_run=True)
    assert (planned.state, planned.id, planned.total) == ("planned", "", 3)
    assert list(planned.slots()) == [MIDNIGHT, MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR]
    assert set(client.keys("livebeat:*")) == before
    assert events(client, "backfill.") == []


def test_the_schedule_stays_as_it_is_paused_or_not(app: Celery) -> None:
    put(app)
    store = ScheduleStore(app)
    for paused in (False, True):
        if paused:
            store.pause("hourly")
        before = store.get("hourly")
        backfill_id = start(app, hours=3)
        work_until(app, backfill_id, 3)
        assert store.get("hourly") == before


def test_never_more_than_its_rate(app: Celery, client: "redis.Redis") -> None:
    put(app)
    backfill_id = start(app, hours=6, rate=5.0)
    work_until(app, backfill_id, 6)
    pushed = sorted(float(client.hget(key, "pushed_at") or 0) for key in client.scan_iter("livebeat:run:*"))
    begun = Backfills(app).get(backfill_id).at.timestamp()
    assert all(at >= begun + nth / 5 for nth, at in enumerate(pushed))


def test_two_beats_send_each_slot_once(redis_url: str, client: "redis.Redis") -> None:
    put(make_app(redis_url))
    backfill_id = start(make_app(redis_url), hours=200)
    stop = threading.Event()

    def lead() -> None:
        app = make_app(redis_url)
        while not stop.is_set():
            work(app)

    beats = [threading.Thread(target=lead) for _ in range(3)]
    for beat in beats:
        beat.start()
    try:
        wait_until(lambda: Backfills(make_app(redis_url)).get(backfill_id).sent == 200, 60, "all slots")
    finally:
        stop.set()
        for beat in beats:
            beat.join()
    slots = [sent.slot for sent in messages(client, "celery")]
    assert slots == [MIDNIGHT + hour * HOUR for hour in range(200)]


@pytest.mark.parametrize("overlap", ["one_at_a_time", None])
def test_one_at_a_time_waits_for_every_run_of_the_schedule(app: Celery, client: "redis.Redis", overlap: Any) -> None:
    put(app, overlap="allow" if overlap else "skip")
    by_hand = ScheduleStore(app).trigger("hourly").run_id
    backfill_id = start(app, hours=2, overlap=overlap)
    work(app)
    assert Backfills(app).get(backfill_id).sent == 0
    finish(app, by_hand)
    work(app)
    work(app)
    assert Backfills(app).get(backfill_id).sent == 1
    finish(app, messages(client, "celery")[-1].run)
    work_until(app, backfill_id, 2)
    assert len(messages(client, "celery")) == 3


def test_it_runs_the_schedule_as_it_was_when_it_was_started(app: Celery, client: "redis.Redis") -> None:
    put(app)
    backfill_id = start(app, hours=2, rate=1.0)
    work_until(app, backfill_id, 1)
    put(app, args=("edited",), recurrence=Interval(seconds=1))
    work_until(app, backfill_id, 2)
    assert [(sent.arguments, sent.slot) for sent in messages(client, "celery")] == [
        (("hourly",), MIDNIGHT),
        (("hourly",), MIDNIGHT + HOUR),
    ]


def test_its_policies_are_the_schedules(app: Celery, client: "redis.Redis") -> None:
    begin = MIDNIGHT + HOUR
    put(app, start=begin, options={"expires": 50, "priority": 3}, max_runtime=7)
    backfill_id = start(app, hours=3)
    assert Backfills(app).get(backfill_id).total == 2
    work_until(app, backfill_id, 2)
    (text, _) = client.lrange("celery\x06\x163", 0, -1)
    assert json.loads(text)["headers"]["timelimit"][0] == 7
    entry = run_state(app, json.loads(text)["headers"]["id"])
    assert entry is not None
    assert entry.expires_at == pytest.approx(entry.pushed_at + 50, abs=1)


def test_a_cancelled_one_sends_no_more(app: Celery, client: "redis.Redis") -> None:
    put(app)
    backfill_id = start(app, hours=50, rate=2.0)
    work_until(app, backfill_id, 1)
    cancelled = Backfills(app).cancel(backfill_id, by="me")
    assert (cancelled.state, cancelled.why["en"]) == ("cancelled", "cancelled by me")
    assert Backfills(app).cancel(backfill_id, by="you") == cancelled
    work(app)
    assert len(messages(client, "celery")) == cancelled.sent
    assert [event["id"] for event in events(client, "backfill.cancelled")] == [backfill_id]
    finish(app, messages(client, "celery")[0].run)  # what was sent goes on
    with pytest.raises(BackfillNotFoundError, match="no backfill nobody"):
        Backfills(app).cancel("nobody")


@pytest.mark.parametrize("again", [False, True])
def test_a_deleted_schedule_cancels_its_backfill(app: Celery, client: "redis.Redis", again: bool) -> None:
    put(app)
    backfill_id = start(app, hours=50, rate=2.0)
    work_until(app, backfill_id, 1)
    ScheduleStore(app).delete("hourly")
    if again:
        put(app)
    work(app)
    found = Backfills(app).get(backfill_id)
    assert found.state == "cancelled"
    assert found.why["en"] == "the schedule was deleted while its backfill was under way"
    assert "삭제" in found.why["ko"]
    assert len(messages(client, "celery")) == found.sent
    assert "deleted" in events(client, "backfill.cancelled")[0]["reason"]


def test_what_can_not_be_sent_cancels_it_and_stops_no_other(app: Celery, client: "redis.Redis") -> None:
    put(app, options={"queue": "celery"})
    put(app, "good")
    good = Backfills(app).start("good", MIDNIGHT, MIDNIGHT + HOUR, rate=FAST).id
    bad = start(app, hours=3)
    text = client.hget("livebeat:backfills", bad)
    assert text is not None
    record = json.loads(text)
    record["spec"]["args"] = [1, 2, 3]
    client.hset("livebeat:backfills", bad, json.dumps(record))
    client.hset("livebeat:backfills", "nonsense", "{")
    work_until(app, good, 2)

    def ended() -> bool:
        work(app)
        return Backfills(app).get(bad).state == "cancelled"

    wait_until(ended, 20, "the end of the bad one", every=0.01)
    assert "TypeError" in Backfills(app).get(bad).why["en"]
    assert {one.id for one in Backfills(app).list()} == {good, bad}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start": MIDNIGHT.replace(tzinfo=None)}, "start"),
        ({"end": "2026-11-02"}, "end"),
        ({"end": datetime.max.replace(tzinfo=UTC)}, "end"),
        ({"end": MIDNIGHT - MINUTE}, "end"),
        ({"start": MIDNIGHT + MINUTE, "end": MIDNIGHT + 2 * MINUTE}, "start"),
        ({"end": MIDNIGHT + MOST * HOUR}, "end"),
        ({"rate": 0}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"rate": 5000}, "rate"),
        ({"rate": "fast"}, "rate"),
        ({"rate": True}, "rate"),
        ({"overlap": "skip"}, "overlap"),
    ],
)
def test_what_is_no_backfill_is_refused(
    app: Celery, client: "redis.Redis", changes: dict[str, Any], field: str
) -> None:
    put(app)
    given: dict[str, Any] = {"start": MIDNIGHT, "end": MIDNIGHT + HOUR, **changes}
    with pytest.raises(SpecError) as refused:
        Backfills(app).start("hourly", given.pop("start"), given.pop("end"), **given)
    assert refused.value.facts["field"] == field
    assert refused.value.text("ko") != refused.value.text("en")
    assert not client.exists("livebeat:backfills")


def test_a_schedule_that_is_not_there(app: Celery) -> None:
    with pytest.raises(ScheduleNotFoundError):
        start(app)


def test_it_needs_the_ledger(app: Celery, client: "redis.Redis", redis_url: str) -> None:
    put(app)
    client.hset("livebeat:plain", "celery", '["plain@h"]')
    with pytest.raises(ConfigurationError, match=r"worker without livebeat\.install consumes queue 'celery'"):
        start(app)
    client.delete("livebeat:plain")
    bare = Celery("bare", broker=redis_url, set_as_current=False)
    bare.conf.update(redbeat_redis_url=redis_url, timezone="Asia/Seoul")
    with pytest.raises(ConfigurationError, match=r"did not call livebeat\.install"):
        start(bare)
    assert not client.exists("livebeat:backfills")


def test_while_a_plain_worker_consumes_its_queue_it_waits(app: Celery, client: "redis.Redis") -> None:
    put(app)
    backfill_id = start(app, hours=2)
    client.hset("livebeat:plain", "celery", '["plain@h"]')
    work(app)
    work(app)
    assert client.llen("celery") == 0
    client.delete("livebeat:plain")
    work_until(app, backfill_id, 2)
    assert known_plain(link(app)).text == ""


def test_the_newest_that_have_ended_are_kept(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    put(app)
    ids = [start(app) for _ in range(5)]
    for backfill_id in ids[1:]:
        Backfills(app).cancel(backfill_id)
    last = start(app)
    assert [one.id for one in Backfills(app).list("hourly")] == [last, ids[4], ids[3], ids[0]]
    assert Backfills(app).list("other") == []


def test_progress_is_told(app: Celery, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TELL_PERIOD", 0.0)
    put(app)
    backfill_id = start(app, hours=3)
    work_until(app, backfill_id, 3)
    assert [event["sent"] for event in events(client, "backfill.progress")] == [1, 2, 3]


def test_beats_that_are_killed_and_a_worker_carry_it_out(redis_url: str, app: Celery, tmp_path: Path) -> None:
    put(app, task="sample.note", args=(), enabled=False)
    backfill_id = start(app, hours=60, rate=20.0)
    beat = ("beat", "--pidfile=", "--loglevel=info")
    with celery_process(redis_url, tmp_path, "worker", "--pool=solo", "--loglevel=info"):
        for sent in (10, 30):
            with celery_process(redis_url, tmp_path, *beat) as victim:
                wait_until(lambda sent=sent: Backfills(app).get(backfill_id).sent > sent, 60, f"{sent} sent slots")
                victim.kill()
        with celery_process(redis_url, tmp_path, *beat):
            wait_until(lambda: Backfills(app).get(backfill_id).state == "finished", 60, "the end of the backfill")
    found = Backfills(app).get(backfill_id)
    assert (found.total, found.sent, dict(found.ended)) == (60, 60, {"succeeded": 60})
    ran = [line.split()[1] for line in (tmp_path / "evidence.txt").read_text().splitlines()]
    assert len(ran) == len(set(ran)) == 60
