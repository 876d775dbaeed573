"""APScheduler with its Redis job store, each job publishing one Celery task: `python -m bench.apscheduler_beat`."""

import logging
import os
from collections.abc import Sequence
from datetime import UTC
from typing import Any

import redis
from apscheduler.job import Job
from apscheduler.jobstores.redis import RedisJobStore
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger

from bench import apscheduler_job
from bench.plan import Planned


def populate(url: str, planned: Sequence[Planned]) -> None:
    """Store a plan of intervals through the job store's own method. No grace limit: by default what is a second late is dropped."""
    scheduler, store = _scheduler(url)
    store._scheduler = scheduler
    for one in planned:
        store.add_job(
            Job(
                scheduler,
                id=one.name,
                name=one.name,
                func="bench.apscheduler_job:send",
                args=(one.arguments,),
                kwargs={},
                trigger=IntervalTrigger(seconds=one.every, start_date=one.due_at, timezone=UTC),
                executor="default",
                misfire_grace_time=None,
                coalesce=True,
                max_instances=1,
                next_run_time=one.due_at,
            )
        )


def _scheduler(url: str) -> tuple[Any, Any]:
    where = redis.Redis.from_url(url).connection_pool.connection_kwargs
    store = RedisJobStore(db=where["db"], unix_socket_path=where["path"])
    return BlockingScheduler(jobstores={"default": store}, timezone=UTC), store


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    apscheduler_job.app()
    _scheduler(os.environ["BENCH_REDIS"])[0].start()
