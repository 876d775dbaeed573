"""An app on the sample app's broker that never called `livebeat.install`: its workers are plain."""

import os
from pathlib import Path
from typing import Any

from celery import Celery

from app.core.redis_addresses import to_broker_url

REDIS, EVIDENCE = os.environ["SAMPLE_REDIS"], Path(os.environ["SAMPLE_EVIDENCE"])  # noqa: TID251  the test's choice

app = Celery("plain", broker=to_broker_url(REDIS))
app.conf.update(task_ignore_result=True, broker_connection_retry_on_startup=True)


@app.task(name="sample.note", bind=True)
def note(self: Any) -> None:
    """The sample app's task of this name, done by another."""
    with (EVIDENCE / "plain.txt").open("a") as file:
        file.write(f"{self.request.id}\n")
