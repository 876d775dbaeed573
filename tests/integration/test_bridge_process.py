"""The bridge as a process: told to end, killed at its steps, Redis away. In every case each message is one run."""

import signal
from pathlib import Path

import pytest
import redis

from launcher.servers.valkey import EmbeddedValkey
from livebeat.failpoints import VARIABLE
from support.bridges import FAILED, HAND, MAIN, PROCESSING, Place, bridging, compact, end, node
from support.platform_processes import platform_environment, start
from support.waiting import wait_until

pytest_plugins = ["support.bridge_places"]
#: A bridge asks for nothing of the database.
NO_DATABASE = "postgresql://nobody:x@127.0.0.1:1/none"


def environment(place: Place, folder: Path, **more: str) -> dict[str, str]:
    theirs = place.settings.bridge_client_url
    if theirs is not None:
        more["BRIDGE_REDIS_URL"] = theirs
    return platform_environment(folder, DATABASE_URL=NO_DATABASE, **more)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_and_well_when_it_is_told(beside: Place, tmp_path: Path, number: signal.Signals) -> None:
    with start("bridge", environment(beside, tmp_path)) as process:
        process.wait_for_line("takes from the list vd2:queue:stats-refresh", 30)
        beside.push(node(1))
        process.wait_for_line("the refresh of user 1 was taken", 10)
        beside.push(*map(node, range(2, 60)))
        process.send(number)
        assert process.wait(3) == 0
    assert "Traceback" not in process.output
    waits, visible, _ = beside.lengths()
    assert waits + visible == 59
    assert len(beside.runs()) == visible


def test_its_log_has_a_file(beside: Place, tmp_path: Path) -> None:
    beside.push("{oops")
    with start("bridge", environment(beside, tmp_path)):
        log = tmp_path / "logs" / "bridge.log"
        wait_until(lambda: log.exists() and "a message was put on" in log.read_text(), 30, "a line of it")


@pytest.mark.parametrize("failpoint", ["before_accept", "after_accept"])
def test_a_kill_in_the_middle_loses_and_doubles_nothing(place: Place, tmp_path: Path, failpoint: str) -> None:
    place.push(node(1), node(2))
    with start("bridge", environment(place, tmp_path, **{VARIABLE: f"{failpoint}:1"})) as victim:
        assert victim.wait(30) == -signal.SIGKILL
    with bridging(place):
        entries = place.visible(2)
    assert [entry["userId"] for entry in entries] == [1, 2]
    assert [entry["requestId"] for entry in entries] == list(place.runs())
    assert len(place.events("run.queued")) == 2


@pytest.mark.parametrize("event", ["run.succeeded", "run.failed"])
def test_a_run_that_ends_before_its_dead_bridge_showed_it_is_not_done_again(
    apart: Place, tmp_path: Path, event: str
) -> None:
    apart.push(node(1))
    with start("bridge", environment(apart, tmp_path, **{VARIABLE: "after_accept:1"})) as victim:
        assert victim.wait(30) == -signal.SIGKILL
    (run,) = apart.runs()
    assert (apart.old.llen(HAND), apart.lengths()) == (1, (0, 0, 0))
    end(run, event, error="why")
    with bridging(apart):
        wait_until(lambda: not apart.old.llen(HAND), 10, "an empty hand")
        wait_until(lambda: not apart.old.llen(PROCESSING), 10, "nothing in sight")
    assert [entry["requestId"] for entry in apart.entries(FAILED)] == ([run] if event == "run.failed" else [])
    assert len(apart.events("run.queued")) == 1


def test_a_redis_that_is_away_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    server = EmbeddedValkey(tmp_path / "v", durable=True)
    env = platform_environment(tmp_path / "data", REDIS_URL=server.client_url, DATABASE_URL=NO_DATABASE)
    with start("bridge", env) as process:
        process.wait_for_line("waiting: Redis", 30)
        with server:
            process.wait_for_line("goes on", 30)
            seen = len(process.lines)
        process.wait_for_line("waiting: Redis", 15, after=seen)
        with EmbeddedValkey(tmp_path / "v", durable=True) as again:
            process.wait_for_line("goes on", 30, after=seen)
            with redis.Redis.from_url(again.client_url) as client:
                client.lpush(MAIN, compact(node(1)))
                wait_until(lambda: client.llen(PROCESSING) == 1, 10, "the message taken")
            process.send(signal.SIGTERM)
            assert process.wait(10) == 0
    assert process.output.count("waiting: Redis") == 2
