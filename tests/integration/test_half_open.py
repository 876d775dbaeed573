"""Lines to Redis that are dead and never say so: each process finds out by itself and opens new ones."""

from pathlib import Path

import pytest
import redis

from chaos.proxy import HalfOpen, Proxy
from launcher.servers.valkey import EmbeddedValkey
from livebeat import Interval, ScheduleSpec, ScheduleStore, clock, send
from support.engine import celery_process, connect, make_app
from support.runs import events_of
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(150)
#: Seconds: a reply is waited for 10 s, so much the beat and the sender need. A worker finds its lines one after the
#: other: those that it asks something, at 10 s each, and the one on which it waits for messages.
SOON, FOUND = 15, 60


def test_each_process_works_again(redis_url: str, redis_server: EmbeddedValkey, tmp_path: Path) -> None:
    client = connect(redis_url)
    with Proxy(redis_server.socket_path) as proxy:
        url = f"redis://127.0.0.1:{proxy.port}/0"
        app = make_app(url)
        ScheduleStore(app).put(ScheduleSpec(name="tick", task="sample.note", recurrence=Interval(seconds=1)))
        with (
            celery_process(url, tmp_path, "worker", "--concurrency=2", "--loglevel=info") as worker,
            celery_process(url, tmp_path, "beat", "--pidfile=", "--loglevel=info") as beat,
        ):
            wait_until(lambda: count(client, "run.succeeded") > 2, 40, "a worker and a beat that work")
            proxy.set(HalfOpen())
            since = clock.monotonic()
            before = count(client, "run.queued")
            with pytest.raises(redis.RedisError):
                send("sample.note", app=app)
            probe = send("sample.note", app=app).run_id
            wait_until(lambda: count(client, "run.queued") > before + 1, SOON, "a beat that dispatches")
            wait_until(lambda: "run.succeeded" in dict(events_of(client, probe)), FOUND, "a worker that works")
            wait_until(lambda: make_app(url).control.ping(timeout=1), FOUND, "a worker that hears", every=0)
            assert clock.monotonic() - since < FOUND
            assert worker.poll() is None
            assert beat.poll() is None
    client.close()


def count(client: "redis.Redis", kind: str) -> int:
    """How many events of a type there are."""
    return len([values for _, values in client.xrange("livebeat:events") if values["type"] == kind])
