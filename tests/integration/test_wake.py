"""The wake channel after its server went away."""

from pathlib import Path

import pytest
import redis

from launcher.servers.valkey import EmbeddedValkey
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
