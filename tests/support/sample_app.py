"""The app that worker and beat processes of the tests load. Its tasks leave evidence in files, not in the system.

`conf.json` in the evidence folder, where there is one, adds settings; in its `beat_schedule` a text is a crontab.
"""

import json
import os
import threading
from pathlib import Path
from typing import Any

from celery.schedules import crontab

from support.engine import make_app

EVIDENCE = Path(os.environ["SAMPLE_EVIDENCE"])


def _more_conf() -> dict[str, Any]:
    file = EVIDENCE / "conf.json"
    conf: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    for entry in conf.get("beat_schedule", {}).values():
        if isinstance(entry["schedule"], str):
            entry["schedule"] = crontab(*entry["schedule"].split())
    return conf


app = make_app(os.environ["SAMPLE_REDIS"], worker_hijack_root_logger=True, **_more_conf())


def note(kind: str, run_id: str) -> None:
    """One line, whole and on disk before the caller goes on."""
    line = f"{kind} {run_id} {os.getpid()}\n".encode()
    handle = os.open(EVIDENCE / "evidence.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(handle, line)
        os.fsync(handle)
    finally:
        os.close(handle)


@app.task(name="sample.note", bind=True)
def leave_note(self: Any) -> str:
    note("done", self.request.id)
    return "noted"


@app.task(name="sample.fail")
def fail() -> None:
    raise ValueError("as asked")


@app.task(name="sample.retry", bind=True, max_retries=3)
def retry(self: Any, times: int, countdown: float = 0.2) -> int:
    note("attempt", self.request.id)
    if self.request.retries < times:
        raise self.retry(countdown=countdown, exc=ValueError("not yet"))
    return int(self.request.retries)


@app.task(name="sample.hang", bind=True)
def hang(self: Any, first_only: bool = True) -> str:
    """Hangs in its first attempt; a later one ends at once."""
    marker = EVIDENCE / f"hung-{self.request.id}"
    note("start", self.request.id)
    if not marker.exists() or not first_only:
        marker.touch()
        threading.Event().wait(600)
    note("done", self.request.id)
    return "over"


@app.task(name="sample.nap", bind=True)
def nap(self: Any, seconds: float) -> str:
    """Says that it started, then takes its time."""
    note("start", self.request.id)
    threading.Event().wait(seconds)
    note("done", self.request.id)
    return "rested"
