"""What hurt about the old beats, one test a pain, on real processes, with the settings that they hurt with."""

import json
import os
import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from celery.schedules import schedule
from redbeat import RedBeatSchedulerEntry

from livebeat import Interval, ScheduleSpec, ScheduleStore, clock, hand_over, leader
from livebeat.beat.heartbeat import newest
from livebeat.cadence import Progress
from livebeat.connection import link
from support.beats import OURS, Watch, beat, gaps
from support.engine import connect, make_app
from support.processes import is_alive
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)
LOCK = "redbeat::lock"
HOUR = timedelta(hours=1)


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def store(app: Celery) -> ScheduleStore:
    return ScheduleStore(app)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def configure(folder: Path, **conf: Any) -> None:
    (folder / "conf.json").write_text(json.dumps(conf))


def spec(name: str, seconds: float = 1, **more: Any) -> ScheduleSpec:
    return ScheduleSpec(
        name=name,
        task="sample.echo",
        args=(name,),
        recurrence=Interval(seconds=seconds, **more.pop("rule", {})),
        **more,
    )


def test_1_a_lock_that_runs_out_ends_no_beat(
    app: Celery, store: ScheduleStore, client: "redis.Redis", redis_url: str, tmp_path: Path
) -> None:
    """The lock of 30 seconds ended between two ticks of 300, beat died of LockNotOwnedError, and schedules stopped."""
    configure(tmp_path, redbeat_lock_timeout=1, beat_max_loop_interval=300)
    store.put(spec("a"))
    with Watch(redis_url) as watch, beat(redis_url, tmp_path, *OURS) as running:
        wait_until(lambda: leader(app), 30, "a leader")
        assert int(client.pttl(LOCK)) > 1000  # its length is none of the settings' business
        running.send(signal.SIGSTOP)  # as a laptop that sleeps
        client.pexpire(LOCK, 1)
        wait_until(lambda: leader(app) is None, 5, "the end of the lock")
        seen = len(watch.sent)
        running.send(signal.SIGCONT)
        wait_until(lambda: len(watch.of("a", since=seen)) >= 2, 10, "slots again")
        assert leader(app)
        assert is_alive(running.pid)
    slots = [sent.slot for sent in watch.sent]
    assert len(set(slots)) == len(slots)


def test_2_the_lock_of_a_killed_beat_is_in_nobodys_way(
    app: Celery, store: ScheduleStore, client: "redis.Redis", redis_url: str, tmp_path: Path
) -> None:
    """The lock was made 12 hours long against pain 1; after a kill the next beat waited for it, and status said active."""
    configure(tmp_path, redbeat_lock_timeout=43_200)
    store.put(spec("a"))
    with Watch(redis_url) as watch:
        with beat(redis_url, tmp_path, *OURS) as first:
            token = wait_until(lambda: leader(app), 30, "a leader")
            wait_until(lambda: watch.sent, 10, "a slot")
            first.send(signal.SIGKILL)
            first.wait(10)
        assert 0 < int(client.pttl(LOCK)) <= 5000
        seen = len(watch.sent)
        with beat(redis_url, tmp_path, *OURS):
            wait_until(lambda: watch.of("a", since=seen), 20, "a slot of the next beat")
            wait_until(lambda: leader(app) not in {None, token}, 10, "the next beat leads")


def test_3_a_restart_reaches_the_leader_and_ends_no_process(app: Celery, redis_url: str, tmp_path: Path) -> None:
    """The restart of old looked for words in command lines: it missed beat, and could not reach another container."""
    with beat(redis_url, tmp_path, *OURS) as running:
        token = wait_until(lambda: leader(app), 30, "a leader")
        assert hand_over(app) == token
        after = wait_until(lambda: leader(app) not in {None, token} and leader(app), 10, "a new term")
        assert f":{running.pid}:" in str(after)
        assert is_alive(running.pid)


def test_4_an_edit_counts_at_once_and_a_disabled_entry_costs_nothing(
    app: Celery, redis_url: str, tmp_path: Path
) -> None:
    """An edit took not 5 seconds but up to 300, as long as beat slept; and one disabled entry that was due made it spin."""
    configure(tmp_path, beat_max_loop_interval=300)
    with Watch(redis_url) as watch, beat(redis_url, tmp_path, *OURS, "--max-interval=300") as running:
        wait_until(lambda: leader(app), 30, "a leader")
        entry = RedBeatSchedulerEntry("a", "sample.echo", schedule(1), args=["a first"], app=app).save()
        wait_until(lambda: watch.of("a"), 4, "the first slot of a schedule that RedBeat's own code saved")
        running.wait_for_line("Scheduler entry changed: a", 10)
        entry.args = ["a second"]
        entry.save()
        wait_until(lambda: watch.sent[-1].arguments == ("a second",), 4, "the edit")
        entry.enabled = False
        entry.save()
        link(app).client.zadd("redbeat::schedule", {entry.key: 1})
        before = _ticks(app)
        at = clock.monotonic()
        wait_until(lambda: clock.monotonic() - at > 3, 10, "three seconds")
        assert _ticks(app) - before < 30
        assert watch.sent[-1].arrived_at < clock.now() - timedelta(seconds=1)


def _ticks(app: Celery) -> int:
    found = newest(link(app))
    return found[0].ticks if found else 0


def test_5_after_a_downtime_each_schedule_does_as_it_says(
    store: ScheduleStore, client: "redis.Redis", redis_url: str, tmp_path: Path
) -> None:
    """A crawl of 06:00 ran whenever the laptop was opened, in some versions, in others never; `expires` was no help."""
    now = clock.now()
    rule = {"anchor": now - 10.5 * HOUR}  # slots half an hour ago, an hour and a half ago …
    slots = [now - (hours + 0.5) * HOUR for hours in range(3)]
    ran_last = Progress(slots[2] - HOUR, 7)
    for name, policy in {
        "none": {"catchup": "none"},
        "one": {"options": {"expires": 60}},
        "all": {"catchup": "all"},
        "windowed": {"catchup": "all", "catchup_window": 6000},
        "too-late": {"catchup_window": 600},
    }.items():
        store.put(spec(name, 3600, rule=rule, **policy), progress=ran_last)
    store.put(spec("tick"))
    with Watch(redis_url) as watch, beat(redis_url, tmp_path, *OURS):
        wait_until(lambda: len(watch.of("tick")) >= 2, 30, "the beat has been round")
        got = {name: [sent.slot for sent in watch.of(name)] for name in ("none", "one", "all", "windowed", "too-late")}
    assert got == {
        "none": [],
        "one": slots[:1],
        "all": slots[::-1],
        "windowed": slots[1::-1],
        "too-late": [],
    }
    entries = [(values["type"], json.loads(values["data"])) for _, values in client.xrange("livebeat:events")]
    skipped = {(data["name"], data["reason"], data["count"]) for kind, data in entries if kind == "slot.skipped"}
    assert {each for each in skipped if each[0] != "tick"} == {
        ("none", "skipped_catchup", 3),
        ("one", "skipped_catchup", 2),
        ("windowed", "missed_window", 1),
        ("too-late", "missed_window", 3),
    }


def test_6_beats_left_running_share_the_work_and_a_stale_pid_file_is_nothing(
    app: Celery, store: ScheduleStore, redis_url: str, tmp_path: Path
) -> None:
    """Beats left behind by nohup fought for the lock, their pid files lay about, and nothing restarted the dead one."""
    stale = tmp_path / "celerybeat.pid"
    stale.write_text(f"{_a_dead_pid()}\n")
    store.put(spec("a", catchup="all"))
    with (
        Watch(redis_url) as watch,
        beat(redis_url, tmp_path, *OURS, f"--pidfile={stale}") as first,
        beat(redis_url, tmp_path, *OURS) as second,
        beat(redis_url, tmp_path, *OURS) as third,
    ):
        beats = {running.pid: running for running in (first, second, third)}
        for running in beats.values():
            running.wait_for_line(lambda line: "Leading as" in line or "Standing by" in line, 40)
        leading = beats.pop(int(str(leader(app)).split(":")[2]))
        leading.send(signal.SIGKILL)
        leading.wait(10)
        seen = len(watch.sent)
        wait_until(lambda: len(watch.of("a", since=seen)) >= 4, 15, "the others go on")
        wait_until(lambda: int((leader(app) or "::0").split(":")[2]) in beats, 10, "one of them leads")
        assert all(is_alive(pid) for pid in beats)
    assert set(gaps(sorted(watch.sent, key=lambda sent: sent.at))) == {1.0}


def _a_dead_pid() -> int:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    return pid
