"""What APScheduler's jobs run: publish one Celery task."""

import os
from functools import cache
from typing import Any

from celery import Celery

from bench.sample import TASK, make_app


@cache
def app() -> Celery:
    """This process's app. To be called once before the pool's threads race for it."""
    made = make_app(os.environ["BENCH_REDIS"])
    made.finalize()
    return made


def send(arguments: dict[str, Any]) -> None:
    """The job itself."""
    app().send_task(TASK, kwargs=arguments)
