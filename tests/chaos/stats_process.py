"""What `celery -A chaos.stats_process worker` loads: the platform's own app, whose refreshes leave evidence of themselves."""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from celery.exceptions import Retry

from app.core.bootstrap import boot
from app.core.celery_app import celery_app
from chaos.app import append
from chaos.history import Execution
from chaos.request_checks import TASK
from livebeat import clock

app = celery_app
boot()
app.loader.import_default_modules()
_EVIDENCE = Path(os.environ["CHAOS_EVIDENCE"])  # noqa: TID251  how the driver tells its children


def _tell(run: str, job: str, **more: Any) -> None:
    now = clock.now().timestamp() * 1000
    line = Execution(
        run=run,
        schedule="",
        slot=None,
        attempt=0,
        at=now,
        monotonic=clock.monotonic(),
        pid=os.getpid(),
        job=job,
        **more,
    )
    append(_EVIDENCE / f"{os.getpid()}.jsonl", json.dumps(asdict(line)))


def _witnessed(body: Callable[..., Any], task: Any) -> Callable[..., Any]:
    """The body of the task, with a line before and after: what the engine's claim lets through, and nothing else."""

    def run(*args: Any, **kwargs: Any) -> Any:
        name, job = task.request.id, str(kwargs.get("user_id", args[-1] if args else ""))
        _tell(name, job, kind="start")
        try:
            result = body(*args, **kwargs)
        except Retry:
            _tell(name, job, kind="end", outcome="retry")
            raise
        except Exception:
            _tell(name, job, kind="end", outcome="failed")
            raise
        _tell(name, job, kind="end", outcome="succeeded")
        return result

    return run


_task = app.tasks[TASK]
_task.run = _witnessed(_task.run, _task)
