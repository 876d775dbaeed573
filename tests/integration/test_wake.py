"""A beat's connections after its server went away, or the line to it died."""

from pathlib import Path

import pytest
import redis

from chaos.proxy import HalfOpen, Proxy
from launcher.servers.valkey import EmbeddedValkey
from livebeat import Interval, ScheduleSpec, ScheduleStore
from livebeat.beat.scheduler import LiveBeatScheduler
from livebeat.beat.wake import Wake
from livebeat.connection import link
from support.engine import connect, make_app
from support.redis_servers import chosen
from support.waiting import wait_until


def test_a_beat_listens_again_after_the_server_came_back(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "server", binary=chosen(), durable=False)
    with server:
        of = link(make_app(server.client_url))
        wake = Wake(of)
        wake.listen()
    wait_until(lambda: _hears_that_it_is_away(wake), 10, "an error of the wake channel")
    with pytest.raises(redis.ConnectionError):
        wake.listen()
    with server:
        wake.listen()
        with connect(server.client_url) as client:
            assert client.publish(of.keys.wake, "changed") == 1
        wait_until(lambda: wake.wait(0.5) == ["changed"], 5, "news of the change")
        wake.close()
        of.app.close()


def _hears_that_it_is_away(wake: Wake) -> bool:
    wake.wait(0.05)
    try:
        wake.listen()
    except redis.ConnectionError:
        return True
    return False


def test_the_first_script_after_a_restart_finds_the_server(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "server", binary=chosen(), durable=False)
    with server:
        of = link(make_app(server.client_url))
        assert of.script("read", ["nothing"], []) == [[None, None, None]]
    with server:
        assert of.script("read", ["nothing"], []) == [[None, None, None]]
        of.app.close()


@pytest.mark.usefixtures("redis_url")
def test_a_standby_whose_lines_died_waits_for_one_of_them_only(redis_server: EmbeddedValkey) -> None:
    with Proxy(redis_server.socket_path) as proxy, connect(redis_server.client_url) as client:
        app = make_app(f"redis://127.0.0.1:{proxy.port}/0", redbeat_redis_options={"socket_timeout": 0.5})
        client.set(link(app).keys.lock, "livebeat:another:1:one:1")
        beat = LiveBeatScheduler(app)
        ScheduleStore(app).put(ScheduleSpec(name="a", task="sample.echo", recurrence=Interval(seconds=1)))
        _tick_until_sent(beat, client, 1)
        proxy.set(HalfOpen())
        assert _tick_until_sent(beat, client, 2) == 1
        beat.close()
        link(app).client.connection_pool.disconnect()
        app.close()


def _tick_until_sent(beat: LiveBeatScheduler, client: "redis.Redis", count: int) -> int:
    """How many ticks found the server away."""
    away = 0

    def is_sent() -> bool:
        nonlocal away
        away += beat.tick() > 0
        return client.llen("celery") >= count

    wait_until(is_sent, 20, f"message {count}", every=0.0)
    return away
