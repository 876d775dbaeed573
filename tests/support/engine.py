"""A small Celery app on the engine, its processes, and the bare RedBeat beside it."""

import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis
from celery import Celery

from app.core.redis_addresses import to_broker_url
from livebeat import install
from livebeat.connection import link
from livebeat.delivery import Relay

SAMPLE = "support.sample_app"


def make_app(redis_url: str, **conf: Any) -> Celery:
    """A Celery app on this Redis, with delivery installed and one task, `sample.echo`."""
    app = Celery("sample", broker=to_broker_url(redis_url), set_as_current=False)
    app.conf.update(
        redbeat_redis_url=redis_url,
        redbeat_redis_options={},
        beat_scheduler="livebeat:LiveBeatScheduler",
        timezone="Asia/Seoul",
        task_ignore_result=True,
        task_acks_late=True,
        broker_connection_retry_on_startup=True,
        worker_prefetch_multiplier=1,
        worker_soft_shutdown_timeout=20,
    )
    app.conf.update(conf)
    install(app)

    @app.task(name="sample.echo", shared=False)
    def echo(value: Any = None) -> Any:
        return value

    return app


def checked_relay(app: Celery) -> Relay:
    """A relay that finds the consumers just checked, whenever it looks: what is missing is pushed again at the first look."""
    relay = Relay(link(app))
    relay.consumers.checked_at = math.inf
    return relay


def connect(redis_url: str) -> "redis.Redis":
    """A plain client that decodes."""
    return redis.Redis.from_url(redis_url, decode_responses=True)


@contextmanager
def celery_process(redis_url: str, evidence: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`celery -A support.sample_app …` as a process group of its own; killed at the end if it still runs."""
    process = start_celery(redis_url, evidence, *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def start_celery(redis_url: str, evidence: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """Start `celery -A support.sample_app …`; its log goes beside the evidence."""
    here = Path(__file__).resolve().parents[1]
    with (evidence / f"{arguments[0]}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", SAMPLE, *arguments],
            cwd=here,
            env={
                "SAMPLE_REDIS": redis_url,
                "SAMPLE_EVIDENCE": str(evidence),
                "PATH": "/usr/bin:/bin",
                "PYTHONPATH": str(here),
                "REMAP_SIGTERM": "SIGQUIT",
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
