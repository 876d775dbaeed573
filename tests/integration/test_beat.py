"""Beat processes on a real server: seeding, live edits, leadership and take-over."""

import json
import signal
from pathlib import Path

import pytest
import redis
from celery import Celery

from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore, clock, hand_over, leader
from livebeat.beat.statics import apply_statics
from livebeat.connection import link
from livebeat.errors import SeedFileError
from livebeat.seedfile import Seeding
from support.engine import celery_process, connect, make_app, start_celery
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)
BEAT = ("beat", "--loglevel=info")


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def store(app: Celery) -> ScheduleStore:
    return ScheduleStore(app)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def slots(client: "redis.Redis") -> list[tuple[str, str]]:
    headers = [json.loads(text)["headers"] for text in client.lrange("celery", 0, -1)]
    return [(each["livebeat_schedule"], each["livebeat_slot"]) for each in headers]


def test_a_new_schedule_acts_within_a_second_without_a_restart(
    app: Celery, store: ScheduleStore, client: "redis.Redis", redis_url: str, tmp_path: Path
) -> None:
    with celery_process(redis_url, tmp_path, *BEAT):
        wait_until(lambda: leader(app), 20, "a leader")
        store.put(ScheduleSpec(name="a", task="sample.echo", recurrence=Interval(seconds=1)))
        put_at = clock.monotonic()
        wait_until(lambda: slots(client), 10, "its first slot", every=0.01)
        assert clock.monotonic() - put_at < 2  # the first slot is a second after creation
        log = tmp_path / "beat.log"
        wait_until(lambda: "Scheduler entry changed: a" in log.read_text(), 5, "the log's line, perhaps after its slot")


def test_takeover_after_kill_9_doubles_and_loses_nothing(
    app: Celery, store: ScheduleStore, client: "redis.Redis", redis_url: str, tmp_path: Path
) -> None:
    store.put(ScheduleSpec(name="a", task="sample.echo", recurrence=Interval(seconds=1), catchup="all"))
    first = start_celery(redis_url, tmp_path, *BEAT)
    wait_until(lambda: leader(app), 20, "a leader")
    with celery_process(redis_url, tmp_path, *BEAT):
        wait_until(lambda: "Standing by" in (tmp_path / "beat.log").read_text(), 20, "a standby")
        wait_until(lambda: len(slots(client)) >= 2, 20, "some slots")
        first.send_signal(signal.SIGKILL)
        first.wait()
        seen = len(slots(client))
        wait_until(lambda: len(slots(client)) >= seen + 4, 20, "slots of the second beat")
    found = sorted({slot for _, slot in slots(client)})
    assert len(found) == len(slots(client))
    seconds = [int(clock.from_epoch(0).fromisoformat(slot).timestamp()) for slot in found]
    assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))


def test_sigterm_hands_the_lock_over_at_once(app: Celery, redis_url: str, tmp_path: Path) -> None:
    with celery_process(redis_url, tmp_path, *BEAT) as process:
        wait_until(lambda: leader(app), 20, "a leader")
        process.terminate()
        process.wait(10)
        assert leader(app) is None


def test_a_leader_that_was_asked_hands_over_and_goes_on(app: Celery, redis_url: str, tmp_path: Path) -> None:
    with celery_process(redis_url, tmp_path, *BEAT) as first:
        before = wait_until(lambda: leader(app), 20, "a leader")
        assert hand_over(app) == before
        after = wait_until(lambda: leader(app) not in {None, before} and leader(app), 10, "a new term, alone")
        with celery_process(redis_url, tmp_path, *BEAT):
            wait_until(lambda: "Standing by" in (tmp_path / "beat.log").read_text(), 20, "a standby")
            assert hand_over(app) == after
            other = wait_until(lambda: leader(app) not in {None, after} and leader(app), 10, "the other beat")
            assert other.split(":")[2] != str(first.pid)
            assert first.poll() is None


def test_nobody_to_hand_over(app: Celery, client: "redis.Redis") -> None:
    assert hand_over(app) is None
    client.set("redbeat::lock", "a-stock-beat")
    assert hand_over(app) is None


def test_beat_survives_redis_going_away(redis_url: str, tmp_path: Path, client: "redis.Redis", app: Celery) -> None:
    with celery_process(redis_url, tmp_path, *BEAT) as process:
        wait_until(lambda: leader(app), 20, "a leader")
        client.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        client.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        ScheduleStore(app).put(ScheduleSpec(name="a", task="sample.echo", recurrence=Interval(seconds=1)))
        wait_until(lambda: slots(client), 10, "a slot after the cut")
        assert process.poll() is None


# The seed file, applied by hand.


def seed_file(tmp_path: Path, **entries: int) -> Path:
    path = tmp_path / "schedules.json"
    data = {name: {"task": "sample.echo", "schedule": {"hour": hour, "minute": 0}} for name, hour in entries.items()}
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@pytest.fixture
def seeding(app: Celery, store: ScheduleStore, tmp_path: Path) -> Seeding:
    return Seeding(link(app), tmp_path / "schedules.json")


def names(store: ScheduleStore) -> list[str]:
    return [stored.spec.name for stored in store.list()]


def test_seeding_creates_and_a_second_time_changes_nothing(
    seeding: Seeding, store: ScheduleStore, tmp_path: Path
) -> None:
    seed_file(tmp_path, a=6, b=7)
    seeding.apply()
    seeding.apply()
    assert [(stored.spec.name, stored.revision, stored.origin) for stored in store.list()] == [
        ("a", 1, "file"),
        ("b", 1, "file"),
    ]


def test_live_edits_and_deletions_survive_an_unchanged_file(
    seeding: Seeding, store: ScheduleStore, tmp_path: Path, app: Celery
) -> None:
    path = seed_file(tmp_path, a=6, b=7)
    seeding.apply()
    store.put(store.get("a").spec.with_changes(recurrence=Cron("0 8 * * *"), enabled=False))
    store.delete("b")
    Seeding(link(app), path).apply()
    path.write_text(path.read_text() + "\n")
    Seeding(link(app), path).apply()
    assert names(store) == ["a"]
    assert store.get("a").spec.recurrence == Cron("0 8 * * *", "Asia/Seoul")


def test_a_change_in_the_file_wins_but_not_over_a_pause(seeding: Seeding, store: ScheduleStore, tmp_path: Path) -> None:
    seed_file(tmp_path, a=6)
    seeding.apply()
    store.put(store.get("a").spec.with_changes(enabled=False))
    seed_file(tmp_path, a=9)
    seeding.apply()
    stored = store.get("a")
    assert (stored.spec.recurrence, stored.spec.enabled) == (Cron("0 9 * * *", "Asia/Seoul"), False)


def test_what_was_made_elsewhere_is_never_touched(seeding: Seeding, store: ScheduleStore, tmp_path: Path) -> None:
    store.put(ScheduleSpec(name="by-rest", task="sample.echo", recurrence=Cron("0 1 * * *")))
    store.put(ScheduleSpec(name="a", task="sample.other", recurrence=Cron("0 1 * * *")))
    seed_file(tmp_path, a=6, b=7)
    seeding.apply()
    assert names(store) == ["a", "b", "by-rest"]
    assert store.get("a").spec.task == "sample.other"


def test_removed_from_the_file_and_unedited_is_removed(seeding: Seeding, store: ScheduleStore, tmp_path: Path) -> None:
    seed_file(tmp_path, a=6, b=7, c=8)
    seeding.apply()
    store.put(store.get("c").spec.with_changes(description="edited"))
    seed_file(tmp_path, a=6, b=7)
    seeding.apply()
    seed_file(tmp_path, a=6)
    seeding.apply()
    assert names(store) == ["a", "c"]


@pytest.mark.parametrize("text", ["{", "", "[]", '{"a": {"task": 1}}', "{}"])
def test_a_broken_or_emptied_file_deletes_nothing(
    seeding: Seeding, store: ScheduleStore, tmp_path: Path, client: "redis.Redis", text: str
) -> None:
    path = seed_file(tmp_path, a=6, b=7)
    seeding.apply()
    before = {key: client.hgetall(key) for key in client.keys("redbeat:[ab]")}
    path.write_text(text)
    with pytest.raises(SeedFileError):
        seeding.apply()
    path.unlink()
    with pytest.raises(SeedFileError):
        seeding.apply()
    seeding.apply_if_changed()
    assert {key: client.hgetall(key) for key in client.keys("redbeat:[ab]")} == before
    assert "schedules.json" in client.hget("livebeat:seed", "#problem")


def test_overwrite_puts_the_file_back_at_each_start(app: Celery, store: ScheduleStore, tmp_path: Path) -> None:
    path = seed_file(tmp_path, a=6)
    Seeding(link(app), path, "overwrite").apply_if_changed()
    store.put(store.get("a").spec.with_changes(recurrence=Cron("0 8 * * *")))
    Seeding(link(app), path, "overwrite").apply_if_changed()
    assert store.get("a").spec.recurrence == Cron("0 6 * * *", "Asia/Seoul")


def test_static_entries_follow_the_settings_and_keep_live_edits(redis_url: str, client: "redis.Redis") -> None:
    entry = {"task": "sample.echo", "schedule": 30.0}
    app = make_app(redis_url, beat_schedule={"a": entry, "b": entry, "bad": {"task": "x", "schedule": object()}})
    store = ScheduleStore(app)
    apply_statics(app, link(app), store)
    assert names(store) == ["a", "b", "celery.backend_cleanup"]  # the last is Celery's own
    assert client.smembers("redbeat::statics") == set(names(store))
    store.put(store.get("a").spec.with_changes(enabled=False))
    apply_statics(app, link(app), store)
    assert store.get("a").spec.enabled is False
    later = make_app(redis_url, beat_schedule={"a": entry})
    apply_statics(later, link(later), ScheduleStore(later))
    assert names(store) == ["a", "celery.backend_cleanup"]
