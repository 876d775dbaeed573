"""The transport below an installed app: chosen for each kind of Redis URL, for this app alone; what it sets aside."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Consumer, Queue
from kombu.transport import redis as stock

from launcher.servers.valkey import EmbeddedValkey
from livebeat import install
from livebeat.connection import link
from livebeat.transport import SentinelTransport, Transport
from support import poison
from support.engine import celery_process, connect, make_app
from support.redis_servers import MASTER, sentinel, server, tls_before
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)
GOOD = "celery"


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


def taken(app: Celery, also: Callable[[], Any] = lambda: True) -> list[str]:
    """The ids of the good messages that the app's task consumer gets until there is one, and `also` holds."""
    found: list[str] = []

    def take(message: Any) -> None:
        found.append(message.headers["id"])
        message.ack()

    with app.connection_for_read() as connection:
        consumer = app.amqp.TaskConsumer(connection)
        consumer.on_message = take
        with consumer:
            drain(connection, lambda: bool(found and also()))
    return found


def drain(connection: Any, until: Callable[[], bool], seconds: float = 10) -> None:
    def more() -> bool:
        with suppress(TimeoutError):
            connection.drain_events(timeout=0.1)
        return until()

    wait_until(more, seconds, "the good message", every=0)


def reasons(client: "redis.Redis") -> list[str]:
    return [json.loads(entry)["reason"] for entry in client.hvals("livebeat:dead-messages")]


@pytest.mark.parametrize(
    ("url", "transport"),
    [
        ("redis://127.0.0.1/0", Transport),
        ("rediss://127.0.0.1/0", Transport),
        ("redis+socket:///tmp/nowhere.sock", Transport),
        ("sentinel://127.0.0.1:26379", SentinelTransport),
        ("redis://127.0.0.1:1/0;redis://127.0.0.1:2/0", Transport),
    ],
)
def test_the_url_stays_and_the_transport_is_ours(url: str, transport: type) -> None:
    app = Celery(broker=url, set_as_current=False)
    install(app)
    connection = app.connection_for_read()
    assert connection.get_transport_cls() is transport
    assert connection.clone().get_transport_cls() is transport
    connection.maybe_switch_next()
    assert connection.get_transport_cls() is transport
    assert connection.transport_options["health_check_interval"] == 5


def test_other_apps_and_other_brokers_keep_theirs() -> None:
    for url, expected in (
        ("redis://127.0.0.1/0", stock.Transport),
        ("sentinel://127.0.0.1:1", stock.SentinelTransport),
    ):
        plain, ours = (Celery(broker=url, set_as_current=False) for _ in range(2))
        install(ours)
        assert plain.connection_for_read().get_transport_cls() is expected
        assert plain.connection_for_read().transport_options == {}
        assert plain.pool is not ours.pool
    memory = Celery(broker="memory://", set_as_current=False)
    install(memory)
    assert memory.connection_for_read().transport_options == {}


@pytest.fixture(params=["redis", "redis+socket", "sentinel", "rediss"])
def reached(
    request: pytest.FixtureRequest, redis_server: EmbeddedValkey, redis_url: str, tmp_path: Path
) -> Iterator[tuple[Celery, "redis.Redis"]]:
    """An app whose broker and store are reached in this way, and a client of that server."""
    with ExitStack() as stack:
        if request.param == "redis+socket":
            yield make_app(redis_url), connect(redis_url)
        elif request.param == "rediss":
            port = stack.enter_context(tls_before(redis_server.socket_path, tmp_path))
            url, ca = f"rediss://127.0.0.1:{port}/0", str(tmp_path / "ca.pem")
            ssl = {"ssl_cert_reqs": "required", "ssl_ca_certs": ca}
            conf = {"broker_url": url, "broker_use_ssl": ssl, "redbeat_redis_url": redis_url}
            yield make_app(redis_url, **conf), connect(redis_url)
        else:
            port = stack.enter_context(server(tmp_path / "server"))
            url = f"redis://127.0.0.1:{port}/0"
            conf = {}
            if request.param == "sentinel":
                watching = stack.enter_context(sentinel(tmp_path / "sentinel", port))
                conf = {
                    "broker_url": f"sentinel://127.0.0.1:{watching}",
                    "broker_transport_options": {"master_name": MASTER},
                }
            yield make_app(url, **conf), connect(url)


def test_a_bad_message_is_set_aside_and_the_next_is_taken(reached: tuple[Celery, "redis.Redis"]) -> None:
    app, client = reached
    good = poison.message()
    client.lpush(GOOD, b"no JSON", json.dumps(poison.message({"a": 1})), json.dumps(good))
    assert taken(app) == [good["headers"]["id"]]
    assert len(reasons(client)) == 2
    assert client.hlen("unacked") == 0


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        ("no JSON", "not JSON"),
        ("[" * 100_000, "levels deep"),
        ("5", "no entry"),
        (json.dumps([poison.message(), ""]), "no entry"),
        (json.dumps([17, "", GOOD]), "no object"),
        (json.dumps([{**poison.message(), "properties": 5}, "", GOOD]), "no properties"),
        (json.dumps([poison.message(), {"a": 1}, GOOD]), "no queue is bound"),
        (json.dumps([poison.message(), "", ""]), "no queue is bound"),
        (json.dumps([poison.message(), "gone", "nowhere"]), "no queue is bound"),
        (json.dumps([{**poison.message(), "body": "abcde"}, "", GOOD]), "body can't be decoded"),
        (json.dumps([poison.message({"a": 1}), "", GOOD]), "not the arguments"),
    ],
)
def test_what_a_dead_worker_left_is_restored_or_set_aside(
    app: Celery, client: "redis.Redis", left: str, reason: str
) -> None:
    good = poison.message()
    client.hset("unacked", mapping={"bad": left, "good": json.dumps([good, "", GOOD])})
    client.zadd("unacked_index", {"bad": 1, "good": 2})
    assert taken(app, lambda: reasons(client)) == [good["headers"]["id"]]
    assert reason in reasons(client)[0]
    assert client.hlen("unacked") == 0
    assert client.zcard("unacked_index") == 0


@pytest.mark.parametrize("end", ["acknowledged", "rejected", "requeued", "given back as the worker stops"])
@pytest.mark.parametrize("run", ["a run's", "plain Celery's"])
def test_what_keeps_a_message_in_hand(app: Celery, client: "redis.Redis", run: str, end: str) -> None:
    one = poison.message()
    if run == "a run's":
        one["headers"]["livebeat_run"] = one["headers"]["id"]
    client.lpush(GOOD, json.dumps(one))
    found: list[Any] = []
    with app.connection_for_read() as connection:
        consumer = app.amqp.TaskConsumer(connection)
        consumer.on_message = found.append
        with consumer:
            drain(connection, lambda: bool(found))
            assert (
                client.hlen("unacked") == client.zcard("unacked_index") == (run != "a run's")
            )  # else it is the ledger
            if end == "acknowledged":
                found[0].ack()
            elif end in {"rejected", "requeued"}:
                found[0].reject(requeue=end == "requeued")
            consumer.cancel()
    assert client.hlen("unacked") == client.zcard("unacked_index") == 0
    waiting = [json.loads(text)["headers"] for text in client.lrange(GOOD, 0, -1)]
    is_back = end in {"requeued", "given back as the worker stops"}
    assert [(headers["id"], headers["redelivered"]) for headers in waiting] == [(one["headers"]["id"], True)] * is_back


def test_what_is_given_back_twice_is_there_once_more_and_what_was_acknowledged_is_not(
    app: Celery, client: "redis.Redis"
) -> None:
    texts = [poison.message() for _ in range(2)]
    for one in texts:
        one["headers"]["livebeat_run"] = one["headers"]["id"]
        client.lpush(GOOD, json.dumps(one))
    found: list[Any] = []
    with app.connection_for_read() as connection:
        consumer = app.amqp.TaskConsumer(connection)
        consumer.on_message = found.append
        with consumer:
            drain(connection, lambda: len(found) == 2)
            consumer.cancel()
            found[0].ack()
            consumer.recover(requeue=True)
    waiting = [json.loads(text)["headers"]["id"] for text in client.lrange(GOOD, 0, -1)]
    assert waiting == [texts[1]["headers"]["id"]]


def test_where_the_store_does_not_take_it_the_log_has_it(
    app: Celery, client: "redis.Redis", caplog: pytest.LogCaptureFixture
) -> None:
    client.set("livebeat:dead-messages", "something else")
    good = poison.message()
    client.lpush(GOOD, b"a poor text", json.dumps(good))
    with caplog.at_level(logging.ERROR, "livebeat.transport"):
        assert taken(app) == [good["headers"]["id"]]
    assert "a poor text" in caplog.text


def test_what_celery_itself_fails_on_is_set_aside(app: Celery, client: "redis.Redis") -> None:
    found: list[str] = []

    def take(message: Any) -> None:
        if "trap" in message.headers:
            raise TypeError("unforeseen")
        found.append(message.headers["id"])
        message.ack()

    client.lpush(GOOD, json.dumps(poison.message(trap=True)), json.dumps(poison.message()))
    with app.connection_for_read() as connection:
        consumer = app.amqp.TaskConsumer(connection)
        consumer.on_message = take
        with consumer:
            drain(connection, lambda: bool(found))
    assert reasons(client) == ["the worker can't work with it: TypeError('unforeseen')"]
    assert client.hlen("unacked") == 0


def test_only_so_many_are_kept(app: Celery, client: "redis.Redis") -> None:
    at = link(app)
    for number in (1, 2, 3, 2):
        at.script("set_aside", [at.keys.dead_messages, at.keys.events], [number, '{"n": 1}', "{}", 100, 2])
    assert sorted(client.hkeys("livebeat:dead-messages")) == ["1", "2"]
    assert client.xlen("livebeat:events") == 4
    assert json.loads(client.hget("livebeat:dead-messages", "1"))["at"] == pytest.approx(at.now().timestamp(), abs=30)


def test_a_consumer_of_ones_own_takes_what_it_likes(app: Celery, client: "redis.Redis") -> None:
    found: list[Any] = []
    text = {**poison.message(), "body": "hello", "content-type": "text/plain", "headers": {}}
    text["properties"].pop("body_encoding")
    client.lpush("mine", json.dumps(text))
    with app.connection_for_read() as connection:
        consumer = Consumer(connection, [Queue("mine")], accept=["text/plain"])
        consumer.register_callback(lambda body, message: (found.append(body), message.ack()))
        with consumer:
            drain(connection, lambda: bool(found))
    assert found == ["hello"]
    assert not reasons(client)


BROADCASTS = [
    b"no JSON",
    b"\xff",
    b"[" * 100_000,
    b"17",
    b"{}",
    json.dumps({"properties": {}}).encode(),
    json.dumps(poison.message(5)).encode(),
    json.dumps(poison.message([1])).encode(),
    json.dumps(poison.message({"method": "no such command"})).encode(),
    json.dumps(poison.message({"method": "ping", "destination": 5})).encode(),
    json.dumps(poison.message({"method": "ping", "arguments": 5})).encode(),
    json.dumps(poison.message({"method": "ping", "reply_to": 5})).encode(),
    json.dumps({**poison.message({"method": "ping"}), "content-type": "application/x-python-serialize"}).encode(),
    json.dumps({**poison.message({"method": "ping"}), "body": "abcde"}).encode(),
    json.dumps(poison.message({"method": "ping"}, clock="x")).encode(),
]


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_malformed_broadcast_does_not_end_the_worker(
    app: Celery, redis_url: str, client: "redis.Redis", tmp_path: Path, pool: str
) -> None:
    with celery_process(
        redis_url, tmp_path, "worker", "--concurrency=1", f"--pool={pool}", "--loglevel=info"
    ) as worker:
        wait_until(lambda: app.control.ping(timeout=0.5), 40, "a worker that answers", every=0)
        for channel in ("/0.celery.pidbox", "/0.celeryev/worker.heartbeat", "/0.celeryev/worker.online"):
            for text in BROADCASTS:
                client.publish(channel, text)
        wait_until(lambda: app.control.ping(timeout=0.5), 10, "an answer after it", every=0)
        assert worker.poll() is None
        log = (tmp_path / "worker.log").read_text()
    assert "A broadcast message that can't be used was dropped" in log
    assert "Unrecoverable" not in log
    assert log.count("Connected to") == 1


def test_a_server_that_takes_no_writes_is_away(app: Celery, client: "redis.Redis") -> None:
    """A worker waits for a server that is away; of a refusal it dies."""
    with app.connection_for_read() as connection:
        theirs = connection.default_channel.client
        theirs.ping()
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(connection.connection_errors, match="takes no writes"):
                theirs.set("some", "thing")
        finally:
            client.config_set("maxmemory", 0)
        assert theirs.set("some", "thing")
        theirs.connection_pool.disconnect()
