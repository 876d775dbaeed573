"""Poison on a queue: whatever lies there, the worker lives, sets it aside with its reason, and takes the next."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from support import poison
from support.engine import celery_process, connect
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(170)
QUEUES = ("celery", "other")
#: kombu's lists of one queue: its name alone, and with each further priority.
PRIORITIES = ("", "\x06\x163", "\x06\x166", "\x06\x169")
WORKER = ("worker", "--concurrency=2", "--loglevel=info", "-Q", ",".join(QUEUES))


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


@pytest.fixture(params=["prefork", "threads"])
def worker(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[Any]:
    with celery_process(redis_url, tmp_path, *WORKER, f"--pool={request.param}") as process:
        yield process


def executed(
    client: "redis.Redis", folder: Path, message: dict[str, Any], queue: str = "celery", seconds: float = 2
) -> None:
    """Push a good message and wait for its run."""
    run = message["headers"].get("id") or message["properties"]["correlation_id"]
    client.lpush(queue, json.dumps(message))
    evidence = folder / "evidence.txt"
    wait_until(lambda: evidence.exists() and f"done {run}" in evidence.read_text(), seconds, f"{run} on {queue}")


def first(client: "redis.Redis", folder: Path) -> None:
    """The worker is up: its first task has run."""
    run = poison.message()
    client.lpush("celery", json.dumps(run))
    evidence = folder / "evidence.txt"
    wait_until(lambda: evidence.exists() and run["headers"]["id"] in evidence.read_text(), 40, "a working worker")


def aside(client: "redis.Redis") -> list[dict[str, Any]]:
    return [json.loads(entry) for entry in client.hvals("livebeat:dead-messages")]


def fits(entries: list[dict[str, Any]], words: str) -> bool:
    """Whether it is one entry, of this reason, cut to size."""
    if len(entries) != 1 or (entries[0]["queue"], entries[0]["kind"]) != ("celery", "message"):
        return False
    kept = len(entries[0]["text"])
    return words in entries[0]["reason"] and kept <= 64 * 1024 and entries[0]["length"] >= kept


def test_each_of_the_corpus(worker: Any, client: "redis.Redis", tmp_path: Path) -> None:
    first(client, tmp_path)
    wrong = {}
    for name, (made, words) in poison.corpus().items():
        before = set(client.hkeys("livebeat:dead-messages"))
        client.lpush("celery", made)
        executed(client, tmp_path, poison.message())
        found = set(client.hkeys("livebeat:dead-messages")) - before
        entries = [json.loads(client.hget("livebeat:dead-messages", key)) for key in found]
        if not fits(entries, words):
            wrong[name] = entries
    assert wrong == {}
    assert worker.poll() is None
    assert client.hlen("unacked") == 0
    assert client.zcard("unacked_index") == 0
    told = [value for _, value in client.xrange("livebeat:events") if value["type"] == "message.set_aside"]
    assert len(told) == len(poison.corpus())


@pytest.mark.usefixtures("worker")
def test_nesting_that_can_be_read_and_not_be_pickled(client: "redis.Redis", tmp_path: Path) -> None:
    first(client, tmp_path)
    for levels in (90, *range(100, 900, 20)):
        client.lpush("celery", *poison.deep(levels))
    executed(client, tmp_path, poison.message(), seconds=20)
    assert client.hlen("livebeat:dead-messages") == 80
    assert {entry["reason"] for entry in aside(client)} == {"it is nested more than 100 levels deep"}


@pytest.mark.usefixtures("worker")
def test_on_every_queue_and_priority_and_among_good_ones(client: "redis.Redis", tmp_path: Path) -> None:
    first(client, tmp_path)
    for queue in QUEUES:
        for priority in PRIORITIES:
            client.lpush(queue + priority, b"no JSON", json.dumps(poison.message({"a": 1})))
            executed(client, tmp_path, poison.message(), queue + priority)
    assert sorted({entry["queue"] for entry in aside(client)}) == ["celery", "other"]


@pytest.mark.usefixtures("worker")
def test_the_first_protocol_still_passes(client: "redis.Redis", tmp_path: Path) -> None:
    first(client, tmp_path)
    executed(client, tmp_path, poison.protocol_1())
    assert not aside(client)
