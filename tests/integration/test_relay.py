"""What the relay pushes again, what it leaves where it is, and what it can't be stopped by."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import run_state, send
from livebeat.connection import link
from livebeat.delivery import Relay
from livebeat.delivery.ledger import Because, Ledger, Run
from livebeat.delivery.relay import LONGEST_CHECK, MAX_PUSHES, NEXT_LOOK, PAGE, SECOND_LOOK
from support.engine import checked_relay, connect, make_app

LEDGER = "livebeat:ledger"


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def sent(app: Celery, **options: Any) -> str:
    return send("sample.echo", app=app, **options).run_id


def make_due(client: "redis.Redis", *runs: str) -> None:
    client.zadd(LEDGER, dict.fromkeys(runs, 1), xx=True)


def waiting(client: "redis.Redis", list_: str = "celery") -> list[str]:
    """The ids on a list, the oldest first."""
    return [json.loads(text)["headers"]["id"] for text in reversed(client.lrange(list_, 0, -1))]


def wait_of(client: "redis.Redis", run: str) -> float:
    """Seconds until a run's next check."""
    seconds, microseconds = client.time()
    return float(client.zscore(LEDGER, run) or math.nan) - seconds - microseconds / 1e6


def age(client: "redis.Redis", run: str, seconds: float) -> None:
    """Let a run's message have been pushed this much earlier."""
    pushed_at = float(client.hget(f"livebeat:run:{run}", "pushed_at") or 0)
    client.hset(f"livebeat:run:{run}", "pushed_at", pushed_at - seconds)


def relay_all(relay: Relay) -> None:
    """Rounds until nothing more is due at once; a slow machine needs several."""
    while relay.run_once():
        pass


def lost(client: "redis.Redis") -> dict[str, str]:
    found = [json.loads(v["data"]) for _, v in client.xrange("livebeat:events") if v["type"] == "run.lost"]
    return {data["run"]: data["error"] for data in found}


def test_a_message_behind_an_older_one_is_left_alone_and_one_that_was_overtaken_is_not(
    app: Celery, client: "redis.Redis"
) -> None:
    first, second, third = sent(app), sent(app), sent(app)
    relay = checked_relay(app)
    client.lrem("celery", 0, client.lindex("celery", 1))  # the second was taken and is in nobody's hands
    make_due(client, first, second, third)
    relay_all(relay)
    assert waiting(client) == [first, third]  # it may still be there, for all that the oldest tells
    client.rpop("celery")  # a worker takes the first
    make_due(client, first, second, third)
    relay_all(relay)
    assert waiting(client)[0] == third
    assert sorted(waiting(client)[1:]) == sorted([first, second])  # both are gone: the oldest that waits came later


def test_a_copy_is_dated_by_the_relay(app: Celery, client: "redis.Redis") -> None:
    first, second = sent(app), sent(app)
    relay = checked_relay(app)
    client.delete("celery")
    for run in (first, second):
        make_due(client, run)
        relay_all(relay)
    make_due(client, first, second)
    relay_all(relay)
    assert waiting(client) == [first, second]
    client.rpop("celery")
    make_due(client, first)
    relay_all(relay)
    assert waiting(client) == [second, first]  # what waits was pushed after it, says its header


def test_the_first_copy_of_a_run_that_was_pushed_again_is_as_old_as_it_is(app: Celery, client: "redis.Redis") -> None:
    """Its entry tells of the last push only."""
    first, second = sent(app), sent(app)
    relay = checked_relay(app)
    taken = [client.rpop("celery"), client.rpop("celery")]
    make_due(client, first)
    relay_all(relay)
    client.delete("celery")
    client.lpush("celery", *taken)  # both are given back by a worker
    make_due(client, second)
    relay_all(relay)
    assert waiting(client) == [first, second]


@pytest.mark.parametrize(
    "text", ["nonsense", "[]", "{}", '{"headers": {}}', '{"headers": {"livebeat_run": "ended"}}', "[" * 100_000]
)
def test_a_message_without_a_date_counts_as_older(app: Celery, client: "redis.Redis", text: str) -> None:
    run = sent(app)
    client.delete("celery")
    client.lpush("celery", text)
    make_due(client, run)
    relay_all(checked_relay(app))
    assert client.llen("celery") == 1
    assert 25 < wait_of(client, run) <= 31


def test_each_priority_is_a_list_of_its_own(app: Celery, client: "redis.Redis") -> None:
    """A backlog of another priority says nothing: this message is on none of the lists, and it is pushed again."""
    urgent, late = sent(app, priority=0), sent(app, priority=9)
    (of_late,) = (key for key in client.keys("celery*") if key != "celery")
    client.delete("celery")
    make_due(client, urgent, late)
    relay_all(checked_relay(app))
    assert (waiting(client), waiting(client, of_late)) == ([urgent], [late])


def test_what_a_worker_holds_is_not_pushed_again(app: Celery, client: "redis.Redis") -> None:
    run = sent(app)
    client.delete("celery")
    said = json.dumps({"host": "h", "pid": 1, "queues": ["celery"], "received": [run]})
    link(app).script("heartbeat", ["livebeat:workers"], ["w@h", said, ""])
    make_due(client, run)
    relay = checked_relay(app)
    relay_all(relay)
    assert client.llen("celery") == 0
    old = {**json.loads(said), "at": client.time()[0] - 60}
    client.hset("livebeat:workers", "w@h", json.dumps({"at": old.pop("at"), **old}))  # it fell silent
    make_due(client, run)
    relay_all(relay)
    assert waiting(client) == [run]


def test_it_takes_two_looks_with_a_check_of_the_consumers_between(app: Celery, client: "redis.Redis") -> None:
    run, relay = sent(app), Relay(link(app))
    client.delete("celery")
    for wait in (SECOND_LOOK, NEXT_LOOK):
        make_due(client, run)
        relay_all(relay)
        assert client.llen("celery") == 0
        assert wait - 2 < wait_of(client, run) <= wait
    relay.consumers.checked_at = link(app).now().timestamp()
    make_due(client, run)
    relay_all(relay)
    assert waiting(client) == [run]
    assert 50 < wait_of(client, run) <= 60


def test_it_looks_ever_more_seldom_at_what_waits_but_not_after_it_expired(app: Celery, client: "redis.Redis") -> None:
    new, old, oldest, expiring = sent(app), sent(app), sent(app), sent(app, expires=90)
    for run, seconds in ((old, 100), (oldest, 10_000), (expiring, 85)):
        age(client, run, seconds)
    client.hincrbyfloat(f"livebeat:run:{expiring}", "expires_at", -85)
    client.lpush("celery", client.rpop("celery"))  # all wait behind one without a date
    client.rpush("celery", "{}")
    make_due(client, new, old, oldest, expiring)
    relay_all(checked_relay(app))
    assert [round(wait_of(client, run), -1) for run in (new, old, oldest)] == [30, 100, LONGEST_CHECK]
    assert 0 < wait_of(client, expiring) < 7


def test_a_message_that_nobody_ever_takes_is_lost_in_the_end(app: Celery, client: "redis.Redis") -> None:
    run, relay = sent(app), checked_relay(app)
    waits = []
    for _ in range(MAX_PUSHES):
        client.delete("celery")
        make_due(client, run)
        relay_all(relay)
        waits.append(wait_of(client, run))
    assert [round(wait) for wait in waits[:-1]] == [30 * 2**n for n in range(1, MAX_PUSHES)]
    assert "no worker ever took it" in lost(client)[run]
    assert json.loads(client.hget("livebeat:dead-messages", run) or "")["kind"] == "run"
    assert run_state(app, run) is None


def test_retries_are_not_pushes_that_nobody_took(app: Celery, client: "redis.Redis") -> None:
    run, relay, ledger = sent(app), checked_relay(app), Ledger(link(app))
    for attempt in range(1, MAX_PUSHES + 3):
        assert ledger.claim(Run(run, "sample.echo"), "o", "w") == ("claimed", attempt)
        client.delete("celery")
        ledger.release(Run(run, "sample.echo"), "o", attempt, after=0)
        relay_all(relay)
        assert waiting(client) == [run]
    client.delete("celery")
    make_due(client, run)
    relay_all(relay)
    assert waiting(client) == [run]


def cut_short(client: "redis.Redis", ledger: Ledger, run: str, how: Because | None) -> None:
    """Let the worker that claimed it give it back, or vanish (None)."""
    assert ledger.claim(Run(run, "sample.echo"), "o", "w")[0] == "claimed"
    if how is None:
        client.hset(f"livebeat:run:{run}", "lease_until", 1)
        make_due(client, run)
    else:
        entry = ledger.read(run)
        assert entry is not None
        ledger.release(entry.run, "o", entry.attempt, after=0, because=how)


@pytest.mark.parametrize(("how", "comes_first"), [(None, True), ("lost", True), ("stopped", True), ("asked", False)])
def test_what_was_cut_short_goes_before_the_backlog(
    app: Celery, client: "redis.Redis", how: Because | None, comes_first: bool
) -> None:
    run, *backlog = (sent(app) for _ in range(4))
    ledger, relay = Ledger(link(app)), checked_relay(app)
    for _ in range(2):
        client.lrem("celery", 0, client.lindex("celery", 0 if waiting(client)[-1] == run else -1))
        cut_short(client, ledger, run, how)
        relay_all(relay)
        assert waiting(client) == ([run, *backlog] if comes_first else [*backlog, run])


def test_a_backlog_behind_what_was_cut_short_is_not_pushed_again(app: Celery, client: "redis.Redis") -> None:
    """Whatever lies before them is older than they are, also where it was first on another queue."""
    backlog = [sent(app) for _ in range(3)]
    elsewhere = sent(app, queue="other")
    ledger, relay = Ledger(link(app)), checked_relay(app)
    client.delete("other")
    client.hset(f"livebeat:run:{elsewhere}", "queue", "celery")
    for run in backlog:
        age(client, run, 100)
    cut_short(client, ledger, elsewhere, None)
    relay_all(relay)
    for _ in range(2):
        make_due(client, *backlog)
        relay_all(relay)
    assert waiting(client) == [elsewhere, *backlog]


def test_a_long_queue_does_not_hide_a_run_whose_worker_vanished(app: Celery, client: "redis.Redis") -> None:
    """All the checks of a backlog are due at once, and before it."""
    ledger, relay = Ledger(link(app)), checked_relay(app)
    killed = sent(app, queue="other")
    assert ledger.claim(Run(killed, "sample.echo"), "o", "w")[0] == "claimed"
    client.delete("other")
    backlog = [sent(app) for _ in range(3)]
    entry = client.hgetall(f"livebeat:run:{backlog[1]}")
    with client.pipeline() as pipe:
        for number in range(4 * PAGE):
            pipe.hset(f"livebeat:run:{number}", mapping=entry)
            pipe.zadd(LEDGER, {str(number): number + 1})
        pipe.execute()
    seconds, _ = client.time()
    client.hset(f"livebeat:run:{killed}", "lease_until", seconds - 1)
    client.zadd(LEDGER, {killed: seconds - 1})
    assert relay.run_once()
    assert waiting(client, "other") == [killed]
    rounds = 1
    while relay.run_once():
        rounds += 1
    assert client.zcount(LEDGER, "-inf", seconds) == 0
    assert client.llen("celery") == 3
    assert rounds > 3  # each reads a page at most


POISON: dict[str, Callable[["redis.Redis", str], Any]] = {
    "a string in its place": lambda client, key: (client.delete(key), client.set(key, "x")),
    "no state": lambda client, key: client.hdel(key, "state"),
    "an unknown state": lambda client, key: client.hset(key, "state", "dreaming"),
    "no queue": lambda client, key: client.hdel(key, "queue"),
    "no number": lambda client, key: client.hset(key, "pushed_at", "yesterday"),
    "no time of its push": lambda client, key: client.hdel(key, "pushed_at"),
    "no message": lambda client, key: client.hdel(key, "text"),
    "no JSON": lambda client, key: client.hset(key, "text", "{"),
    "another JSON": lambda client, key: client.hset(key, "text", "[]"),
    "no properties": lambda client, key: client.hset(key, "text", '{"headers": {"task": "sample.echo"}}'),
    "further commands that are none": lambda client, key: client.hset(key, "more", "x"),
    "a queue that is none": lambda client, key: client.hset(key, "queue", "livebeat:ledger"),
    "bytes": lambda client, key: client.hset(key, "text", b"\xff\xfe"),
}


@pytest.mark.parametrize("poison", POISON)
def test_a_broken_entry_is_given_up_with_the_reason_and_the_others_go_on(
    app: Celery, client: "redis.Redis", poison: str
) -> None:
    bad, good = sent(app, unique="u"), sent(app)
    client.zadd("livebeat:running", {f"a\n{bad}": 0, f"a\n{good}": 0})
    POISON[poison](client, f"livebeat:run:{bad}")
    client.delete("celery")
    client.zadd(LEDGER, {bad: 1, good: 2})
    relay_all(checked_relay(app))
    assert waiting(client) == [good]
    assert client.zrange(LEDGER, 0, -1) == [good]
    assert client.zrange("livebeat:running", 0, -1) == [f"a\n{good}"]
    assert list(lost(client)) == [bad]
    kept = json.loads(client.hget("livebeat:dead-messages", bad) or "")
    assert kept["kind"] == "run"
    assert "its ledger entry can't be used: " in kept["reason"]
    assert lost(client)[bad] == kept["reason"]
    if poison != "a string in its place":
        assert send("sample.echo", app=app, unique="u").accepted


@pytest.mark.parametrize("member", ["gone", "", "a*[b]\\\n", b"\xff"])
def test_an_id_without_an_entry_leaves_the_ledger(app: Celery, client: "redis.Redis", member: str | bytes) -> None:
    good = sent(app)
    client.delete("celery")
    client.zadd(LEDGER, {member: 1, good: 2})
    relay_all(checked_relay(app))
    assert client.zrange(LEDGER, 0, -1) == [good]
    assert waiting(client) == [good]
