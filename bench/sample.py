"""The Celery app of every process that the benchmarks start, and of the harness itself.

Its one task counts its own executions in Redis, so that "each exactly once" is the worker's evidence and nobody's claim.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any

import redis
from celery import Celery

TASK = "bench.work"
#: Hash: id of a run → how often a worker executed it.
EXECUTED = "bench:executed"


def broker_url(redis_url: str) -> str:
    """kombu's spelling of redis-py's `unix:///path?db=0`."""
    return redis_url.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)


def make_app(redis_url: str) -> Celery:
    """An app as any RedBeat user would write it."""
    app = Celery("bench", broker=broker_url(redis_url), set_as_current=False)
    app.conf.update(
        redbeat_redis_url=redis_url,
        redbeat_redis_options={},
        timezone="UTC",
        task_ignore_result=True,
        task_acks_late=True,
        worker_prefetch_multiplier=16,
        broker_connection_retry_on_startup=True,
    )
    evidence = redis.Redis.from_url(redis_url)

    @app.task(name=TASK, bind=True, shared=False)
    def work(self: Any, schedule: str, number: int) -> None:
        evidence.hincrby(EXECUTED, self.request.id, 1)

    return app


@dataclass(frozen=True)
class Message:
    """What a message on the broker's list says. `slot` (ISO 8601) is the engine's header; others send none."""

    id: str
    schedule: str
    slot: str | None


def read_message(text: str) -> Message:
    """The message of its JSON envelope."""
    envelope = json.loads(text)
    headers = envelope["headers"]
    keywords = json.loads(base64.b64decode(envelope["body"]))[1]
    return Message(headers["id"], keywords["schedule"], headers.get("livebeat_slot"))
