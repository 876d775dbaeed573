"""What a beat says of itself, and `livebeat alive`, which fails when that stops."""

import signal
import socket
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest
import redis
from celery import Celery

from livebeat import clock
from livebeat.beat.heartbeat import Facts, Heartbeat, beats, newest
from livebeat.connection import link
from support.beats import beat, livebeat
from support.engine import connect, make_app
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)
HOST = socket.gethostname()


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def test_it_says_who_it_is_and_what_it_does(app: Celery) -> None:
    of = link(app)
    before = of.now()
    facts = Facts(holds="clock", uncached=("a router",), tick_seconds=0.25)
    Heartbeat(of).beat("leader", "livebeat:host:7:abc:3", facts)
    (found,) = beats(of)
    assert before <= found.at <= of.now()
    assert (found.role, found.token, found.host, found.ticks) == ("leader", "livebeat:host:7:abc:3", HOST, 1)
    assert (found.holds, found.uncached, found.tick_seconds, found.unledgered) == ("clock", ("a router",), 0.25, "")
    assert of.client.hkeys("livebeat:beats") == ["host:7:abc"]


def test_it_is_written_once_a_second_but_news_at_once(app: Celery) -> None:
    of = link(app)
    heartbeat, token = Heartbeat(of), "livebeat:host:7:abc:3"
    for _ in range(50):
        heartbeat.beat("leader", token, Facts())
    assert beats(of)[0].ticks == 1
    heartbeat.beat("standby", token, Facts())
    assert (beats(of)[0].role, beats(of)[0].ticks) == ("standby", 51)
    heartbeat.beat("standby", token, Facts(holds="clock"))
    assert beats(of)[0].holds == "clock"
    wait_until(lambda: heartbeat.beat("standby", token, Facts()) or beats(of)[0].ticks > 60, 5, "the next second")


def test_what_is_gone_for_long_or_no_heartbeat_is_removed(app: Celery, client: "redis.Redis") -> None:
    of = link(app)
    now = clock.to_epoch(of.now())
    client.hset("livebeat:beats", mapping={"a": f'{{"at": {now - 400:.6f}, "role": "leader"}}', "b": "nonsense"})
    client.hset("livebeat:beats", "c", f'{{"at": {now - 30:.6f}, "role": "standby", "of another version": 1}}')
    Heartbeat(of).beat("leader", "livebeat:host:7:abc:3", Facts())
    assert sorted(client.hkeys("livebeat:beats")) == ["c", "host:7:abc"]
    assert [found.role for found in beats(of)] == ["leader"]


def test_every_beat_says_so_until_it_ends(app: Celery, redis_url: str, tmp_path: Path) -> None:
    of = link(app)
    with beat(redis_url, tmp_path, "--loglevel=info") as first:
        wait_until(lambda: [found.role for found in beats(of)] == ["leader"], 20, "the leader's heartbeat")
        with beat(redis_url, tmp_path, "--loglevel=info") as second:
            wait_until(lambda: {found.role for found in beats(of)} == {"leader", "standby"}, 20, "the standby's")
            assert {found.pid for found in beats(of)} == {first.pid, second.pid}
            ticks = {found.pid: found.ticks for found in beats(of)}
            wait_until(lambda: all(found.ticks > ticks[found.pid] for found in beats(of)), 5, "both tick on")
        assert [found.pid for found in beats(of)] == [first.pid]
    assert beats(of) == []


def test_alive_fails_when_the_ticks_stop(app: Celery, redis_url: str, tmp_path: Path) -> None:
    def alive(*arguments: str) -> tuple[int, str]:
        done = livebeat(redis_url, tmp_path, "alive", *arguments)
        assert done.stderr == ""
        return done.returncode, done.stdout

    status, text = alive()
    assert (status, text) == (1, f"{HOST}: no beat has given a sign of life. Start one with celery beat.\n")
    with beat(redis_url, tmp_path, "--loglevel=info") as running:
        wait_until(lambda: newest(link(app)), 20, "a heartbeat")
        status, text = alive()
        assert (status, text.split(",")[:2]) == (0, [f"{HOST}: leader", f" process {running.pid}"])
        assert alive("--any")[0] == 0
        assert alive("--host", "another")[0] == 1
        running.send(signal.SIGSTOP)
        try:
            wait_until(lambda: (newest(link(app)) or (None, 0))[1] > 2, 10, "two seconds of silence")
            status, text = alive("--seconds", "2")
            assert status == 1
            assert f"process {running.pid} has not ticked for" in text
        finally:
            running.send(signal.SIGCONT)
        wait_until(lambda: alive("--seconds", "2")[0] == 0, 10, "it ticks again")
        assert psutil.Process(running.pid).is_running()
    assert alive()[0] == 1


def test_alive_without_redis(redis_url: str, tmp_path: Path) -> None:
    done = livebeat("redis://127.0.0.1:1/0", tmp_path, "alive")
    assert done.returncode == 1
    assert done.stderr.startswith("Redis does not answer: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
