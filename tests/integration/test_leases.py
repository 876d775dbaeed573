"""Leases are renewed in every kind of pool, through lost replies; one that is lost is told once."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
import redis
from celery import Celery

from chaos.proxy import LoseReplies, Proxy
from launcher.servers.valkey import EmbeddedValkey
from livebeat import send
from livebeat.connection import link
from livebeat.delivery.lease import Leases
from livebeat.delivery.ledger import LEASE, Ledger, run_state
from support.engine import celery_process, connect, make_app
from support.runs import data_of, ended, events_of, relaying
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)
WORKER = ("worker", "--concurrency=1", "--without-gossip", "--without-mingle", "--loglevel=info")


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


@pytest.fixture
def proxy(redis_server: EmbeddedValkey, redis_url: str) -> Iterator[Proxy]:
    with Proxy(redis_server.socket_path) as proxy:
        yield proxy


def through(proxy: Proxy) -> str:
    return f"redis://127.0.0.1:{proxy.port}/0"


class Held(Leases):
    """Leases of this process, dropped at the end."""

    def __exit__(self, *_: object) -> None:
        for run_id in list(self._held):
            self.drop(run_id)

    def __enter__(self) -> Self:
        return self


def held(app: Celery, leases: Leases) -> str:
    """A run that this process has claimed."""
    run_id = send("sample.echo", app=app).run_id
    entry = run_state(app, run_id)
    assert entry is not None
    owner = leases.owner()
    assert Ledger(link(app)).claim(entry.run, owner, "w") == ("claimed", 1)
    leases.hold(run_id, owner)
    return run_id


def lease_end(client: "redis.Redis", run_id: str) -> float:
    return float(client.hget(f"livebeat:run:{run_id}", "lease_until") or 0)


def now(client: "redis.Redis") -> float:
    seconds, microseconds = client.time()
    return float(seconds) + float(microseconds) / 1e6


def renewed(client: "redis.Redis", run_id: str) -> None:
    """Wait for the next renewal."""
    end = lease_end(client, run_id)
    wait_until(lambda: lease_end(client, run_id) > end, 10, "a renewal")


def test_a_lost_lease_is_told_once(app: Celery, client: "redis.Redis", caplog: pytest.LogCaptureFixture) -> None:
    with Held(link(app)) as leases, caplog.at_level(logging.WARNING, "livebeat"):
        kept, lost = held(app, leases), held(app, leases)
        client.hset(f"livebeat:run:{lost}", "owner", "another")
        renewed(client, kept)
        renewed(client, kept)
    assert [record.args for record in caplog.records] == [(lost,)]


def test_a_run_that_ends_is_not_told_as_lost(
    app: Celery, client: "redis.Redis", caplog: pytest.LogCaptureFixture
) -> None:
    with Held(link(app)) as leases, caplog.at_level(logging.WARNING, "livebeat"):
        kept, over = held(app, leases), held(app, leases)
        leases.drop(over)
        client.delete(f"livebeat:run:{over}")
        renewed(client, kept)
    assert caplog.records == []


def test_renewals_whose_replies_are_lost(app: Celery, proxy: Proxy, client: "redis.Redis") -> None:
    far = make_app(through(proxy))
    left: list[float] = []
    with Held(link(far)) as leases:
        run_id = held(far, leases)
        over = now(client) + LEASE + 2
        proxy.set(LoseReplies(3, frozenset({link(app)._script("renew").sha})))
        wait_until(lambda: left.append(lease_end(client, run_id) - now(client)) or now(client) > over, 20, "12 s")
    assert proxy.lost == 3
    assert min(left) > LEASE / 3


@pytest.mark.parametrize("script", ["claim", "finish", "release"])
def test_a_step_whose_reply_is_lost_is_taken_once(
    app: Celery, proxy: Proxy, client: "redis.Redis", tmp_path: Path, script: str
) -> None:
    with relaying(app), celery_process(through(proxy), tmp_path, *WORKER, "--pool=threads"):
        warm = send("sample.retry", (1,), app=app).run_id  # from then on the server knows the scripts
        assert ended(client, warm) == "run.succeeded"
        proxy.set(LoseReplies(1, frozenset({link(app)._script(script).sha})))
        run_id = send("sample.retry", (1,), app=app).run_id
        assert ended(client, run_id) == "run.succeeded"
        assert proxy.lost == 1
        log = tmp_path / "worker.log"
        if script != "claim":
            wait_until(lambda: "Redis was away as it ended" in log.read_text(), 10, "the second try")
    assert [kind for kind, _ in events_of(client, run_id) if kind != "run.requeued"] == [
        "run.queued",
        "run.started",
        "run.retrying",
        "run.started",
        "run.succeeded",
    ]
    assert "any more; how it ended here doesn't count" not in log.read_text()
    assert (tmp_path / "evidence.txt").read_text().count(f"attempt {run_id}") == 2


@pytest.mark.parametrize("pool", ["prefork", "prefork -- worker.pool_start_method=spawn", "threads", "solo"])
def test_a_run_longer_than_a_lease_keeps_it(
    app: Celery, redis_url: str, client: "redis.Redis", tmp_path: Path, pool: str
) -> None:
    name, *more = pool.split()
    with relaying(app), celery_process(redis_url, tmp_path, *WORKER, f"--pool={name}", *more):
        run_id = send("sample.nap", (LEASE + 3,), app=app).run_id
        assert ended(client, run_id, 60) == "run.succeeded"
    assert [data["attempt"] for data in data_of(client, "run.started", run_id)] == [1]
