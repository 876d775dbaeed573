"""Accept, claim, renew, release, finish: one script each, on a real server."""

import json
import threading
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import run_state, send
from livebeat.connection import link
from livebeat.delivery.ledger import Ledger, Run
from livebeat.delivery.relay import Relay
from support.engine import checked_relay, connect, make_app
from support.runs import data_of


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


@pytest.fixture
def ledger(app: Celery) -> Ledger:
    return Ledger(link(app))


def accepted(app: Celery, **options: Any) -> Run:
    return Run(send("sample.echo", app=app, **options).run_id, "sample.echo", kind="send")


def types(client: "redis.Redis") -> list[str]:
    return [values["type"] for _, values in client.xrange("livebeat:events")]


def losses(client: "redis.Redis", run: Run) -> list[int]:
    """What each start says of the executions that were lost before it."""
    return [data["losses"] for data in data_of(client, "run.started", run.run)]


def test_a_run_from_accept_to_finish_leaves_nothing(app: Celery, ledger: Ledger, client: "redis.Redis") -> None:
    run = accepted(app, unique="u")
    assert run_state(app, run.run).state == "queued"  # type: ignore[union-attr]
    assert ledger.claim(run, "owner", "w@host") == ("claimed", 1)
    assert ledger.finish(run, "owner", 1, "run.succeeded", result=3)
    assert run_state(app, run.run) is None
    client.delete("celery", "livebeat:events")
    assert client.keys("livebeat:*") == []
    assert ledger.claim(run, "owner", "w@host") == ("gone", 0)


def test_unique_admits_one_until_it_ends(app: Celery, ledger: Ledger, client: "redis.Redis") -> None:
    first = send("sample.echo", app=app, unique="user:1")
    second = send("sample.echo", app=app, unique="user:1")
    other = send("sample.echo", app=app, unique="user:2")
    assert (first.accepted, second.accepted, other.accepted) == (True, False, True)
    assert second.run_id == first.run_id
    assert client.llen("celery") == 2
    run = Run(first.run_id, "sample.echo")
    ledger.claim(run, "o", "w")
    ledger.finish(run, "o", 1, "run.failed", error="x")
    assert send("sample.echo", app=app, unique="user:1").accepted


def test_racing_senders_of_one_key_get_one_run(app: Celery, client: "redis.Redis") -> None:
    results: list[Any] = []
    threads = [
        threading.Thread(target=lambda: results.append(send("sample.echo", app=app, unique="u"))) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.accepted for result in results) == 1
    assert len({result.run_id for result in results}) == 1
    assert client.llen("celery") == 1


def test_racing_claimers_get_one_claim(app: Celery, ledger: Ledger) -> None:
    run = accepted(app)
    claims: list[str] = []
    threads = [
        threading.Thread(target=lambda me=str(n): claims.append(ledger.claim(run, me, "w")[0])) for n in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claims) == ["claimed", *["held"] * 9]


def test_a_claim_repeated_after_a_lost_reply_is_the_same_claim(app: Celery, ledger: Ledger) -> None:
    run = accepted(app)
    assert ledger.claim(run, "me", "w") == ledger.claim(run, "me", "w") == ("claimed", 1)


def test_a_lost_lease_is_fenced(app: Celery, ledger: Ledger, client: "redis.Redis") -> None:
    run = accepted(app)
    ledger.claim(run, "first", "w")
    client.hset(f"livebeat:run:{run.run}", "lease_until", 1)
    assert ledger.claim(run, "second", "w") == ("claimed", 2)
    assert not ledger.finish(run, "first", 1, "run.succeeded")
    assert ledger.renew({run.run: "first"}) == ([run.run], [])
    assert not ledger.release(run, "first", 1, after=0)
    assert ledger.finish(run, "second", 2, "run.succeeded")
    assert types(client).count("run.succeeded") == 1
    assert losses(client, run) == [0, 1]


def test_a_released_run_waits_and_is_pushed_by_the_relay(app: Celery, ledger: Ledger, client: "redis.Redis") -> None:
    run = accepted(app)
    ledger.claim(run, "o", "w")
    client.delete("celery")
    ledger.release(run, "o", 1, after=60, error="later")
    Relay(link(app)).run_once()
    assert client.llen("celery") == 0
    assert ledger.claim(run, "o2", "w")[0] == "held"
    client.zadd("livebeat:ledger", {run.run: 1})
    client.hset(f"livebeat:run:{run.run}", "lease_until", 1)
    Relay(link(app)).run_once()
    (message,) = client.lrange("celery", 0, -1)
    assert json.loads(message)["headers"]["id"] == run.run
    assert ledger.claim(run, "o2", "w") == ("claimed", 2)
    assert losses(client, run) == [0, 0]  # it was given back, not lost


def test_the_relay_leaves_a_run_alone_that_was_claimed_under_its_eyes(
    app: Celery, ledger: Ledger, client: "redis.Redis"
) -> None:
    """It saw that the message's check was due; before it read the entry, a worker claimed it."""
    run = accepted(app)
    client.delete("celery")
    ledger.claim(run, "o", "w")
    entry = ledger.read(run.run)
    assert entry is not None
    assert not ledger.push_again(entry, now=1.0, next_check=30, plain="")
    assert not ledger.conclude(entry, "run.lost", error="nobody took it")
    assert client.llen("celery") == 0
    assert ledger.finish(run, "o", 1, "run.succeeded")


def test_the_relay_gives_each_push_a_fresh_tag(app: Celery, ledger: Ledger, client: "redis.Redis") -> None:
    run = accepted(app)
    first = json.loads(client.rpop("celery"))
    client.zadd("livebeat:ledger", {run.run: 1})
    checked_relay(app).run_once()
    second = json.loads(client.rpop("celery"))
    assert first["properties"].pop("delivery_tag") != second["properties"].pop("delivery_tag")
    assert first["headers"]["id"] == run.run
    assert 0 < second["headers"].pop("livebeat_pushed") <= link(app).now().timestamp()
    assert first == second


def test_the_relay_does_not_flood_a_queue_with_a_backlog(app: Celery, client: "redis.Redis") -> None:
    runs = [accepted(app) for _ in range(3)]
    client.zadd("livebeat:ledger", {run.run: 1 for run in runs})
    for _ in range(3):
        Relay(link(app)).run_once()
    assert client.llen("celery") == 3


def test_attempts_are_bounded_and_the_reason_is_told(app: Celery, ledger: Ledger, client: "redis.Redis") -> None:
    run = accepted(app, unique="u")
    for attempt in (1, 2, 3):
        assert ledger.claim(run, f"o{attempt}", "w") == ("claimed", attempt)
        client.hset(f"livebeat:run:{run.run}", "lease_until", 1)
        client.zadd("livebeat:ledger", {run.run: 1})
        Relay(link(app)).run_once()
    lost = [
        json.loads(values["data"]) for _, values in client.xrange("livebeat:events") if values["type"] == "run.lost"
    ]
    assert len(lost) == 1
    assert "vanished in attempt 3" in lost[0]["error"]
    assert losses(client, run) == [0, 1, 2]
    assert send("sample.echo", app=app, unique="u").accepted


def test_a_message_that_nobody_took_before_it_expired(app: Celery, client: "redis.Redis") -> None:
    run = accepted(app, expires=30)
    client.hset(f"livebeat:run:{run.run}", "expires_at", 1)
    client.zadd("livebeat:ledger", {run.run: 1})
    Relay(link(app)).run_once()
    assert types(client)[-1] == "run.expired"
    assert run_state(app, run.run) is None


def test_arguments_that_do_not_fit_are_refused_and_nothing_is_written(app: Celery, client: "redis.Redis") -> None:
    with pytest.raises(TypeError):
        send("sample.echo", kwargs={"unknown": 1}, app=app)
    assert client.keys("livebeat:*") == []
