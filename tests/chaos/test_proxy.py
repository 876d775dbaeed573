"""Each mode of the proxy, with a real client on a real server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from chaos.proxy import Blackhole, Delay, HalfOpen, LoseReplies, Pass, Proxy, Reset, Throttle
from launcher.servers.valkey import EmbeddedValkey
from livebeat import clock
from support.engine import connect


@pytest.fixture
def proxy(redis_server: EmbeddedValkey, redis_url: str) -> Iterator[Proxy]:
    with Proxy(redis_server.socket_path) as proxy:
        yield proxy


@pytest.fixture
def direct(redis_url: str) -> Iterator["redis.Redis"]:
    with connect(redis_url) as client:
        yield client


@pytest.fixture
def client(proxy: Proxy) -> Iterator["redis.Redis"]:
    """Hears of everything: it never retries, and waits half a second."""
    with _client(proxy) as client:
        assert client.set("warm", 1)
        yield client


def _client(proxy: Proxy) -> "redis.Redis":
    return redis.Redis(port=proxy.port, retry=Retry(NoBackoff(), 0), socket_timeout=0.5, decode_responses=True)


def test_all_goes_through(client: "redis.Redis", direct: "redis.Redis") -> None:
    big = "x" * 1_000_000
    client.set("big", big)
    assert client.get("big") == direct.get("big") == big


def test_a_black_hole_answers_nobody_and_delivers_later_what_was_on_its_way(
    proxy: Proxy, client: "redis.Redis"
) -> None:
    waiting = redis.Connection(port=proxy.port, socket_timeout=10)
    waiting.connect()
    proxy.set(Blackhole())
    for hasty in (client, _client(proxy)):
        with hasty, pytest.raises(redis.TimeoutError):
            hasty.ping()
    waiting.send_command("PING")
    assert not waiting.can_read(0.2)
    proxy.set(Pass())
    assert waiting.read_response() == b"PONG"
    waiting.disconnect()


def test_a_half_open_line_is_dead_and_a_new_one_works(
    proxy: Proxy, client: "redis.Redis", direct: "redis.Redis"
) -> None:
    proxy.set(HalfOpen())
    with pytest.raises(redis.TimeoutError):
        client.set("a", 1)
    assert direct.get("a") is None
    assert client.set("a", 2)  # by a new line
    proxy.set(Pass())
    assert client.get("a") == "2"


def test_a_reset_ends_old_lines_and_new_ones_until_it_is_over(proxy: Proxy, client: "redis.Redis") -> None:
    proxy.set(Reset())
    for _ in range(2):
        with pytest.raises(redis.ConnectionError):
            client.ping()
    proxy.set(Pass())
    assert client.ping()


def test_a_delay_is_paid_each_way(proxy: Proxy, client: "redis.Redis") -> None:
    proxy.set(Delay(0.1))
    started = clock.monotonic()
    client.ping()
    assert clock.monotonic() - started >= 0.2


def test_a_throttle_lets_so_many_bytes_through(proxy: Proxy, client: "redis.Redis") -> None:
    client.set("some", "x" * 2000)
    proxy.set(Throttle(10_000))
    started = clock.monotonic()
    client.get("some")
    assert clock.monotonic() - started >= 0.2


def test_a_lost_reply_is_that_of_a_request_that_was_carried_out(
    proxy: Proxy, client: "redis.Redis", direct: "redis.Redis"
) -> None:
    proxy.set(LoseReplies(2, frozenset({"INCRBY"})))
    for count in ("1", "2"):
        with pytest.raises(redis.ConnectionError):
            client.incr("counter")
        assert direct.get("counter") == count
    assert client.incr("counter") == 3
    assert proxy.lost == 2


def test_only_the_named_script_loses_its_reply(proxy: Proxy, client: "redis.Redis") -> None:
    one, other = client.script_load("return 1"), client.script_load("return 2")
    proxy.set(LoseReplies(1, frozenset({one})))
    assert client.evalsha(other, 0) == 2
    assert client.get("warm") == "1"
    with pytest.raises(redis.ConnectionError):
        client.evalsha(one, 0)
    assert client.evalsha(one, 0) == 1


def test_a_share_of_the_replies_is_lost_and_the_seed_says_which(proxy: Proxy, client: "redis.Redis") -> None:
    def run() -> list[bool]:
        proxy.set(LoseReplies(1000, frozenset({"GET"}), share=0.3, seed=7))
        return [_answered(client) for _ in range(40)]

    first = run()
    assert 5 <= first.count(False) <= 20
    assert run() == first


def _answered(client: "redis.Redis") -> bool:
    try:
        client.get("warm")
    except redis.ConnectionError:
        return False
    return True


def test_a_server_that_is_away_is_a_line_that_is_reset(tmp_path: Path) -> None:
    with (
        Proxy(tmp_path / "nobody") as before_nobody,
        _client(before_nobody) as client,
        pytest.raises(redis.ConnectionError),
    ):
        client.ping()
