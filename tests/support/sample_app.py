"""The app that worker and beat processes of the tests load. Its tasks leave evidence in files, not in the system.

`conf.json` in the evidence folder, where there is one, adds settings; in its `beat_schedule` a text is a crontab.
"""

import ctypes
import json
import logging
import os
import signal
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from celery import chain
from celery.exceptions import Ignore, Reject
from celery.schedules import crontab

from livebeat import current_run, progress
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


def take_effect(run_id: str) -> None:
    """What domain services do: the effect carries the run's id, so that it is there once."""
    with closing(sqlite3.connect(EVIDENCE / "effects.sqlite", timeout=10)) as database, database:
        database.execute("CREATE TABLE IF NOT EXISTS effects (run TEXT PRIMARY KEY)")
        database.execute("INSERT OR IGNORE INTO effects VALUES (?)", (run_id,))
    note("done", run_id)


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
    is_first = not marker.exists()
    marker.touch()  # before it says that it started: from then on it may be killed
    note("start", self.request.id)
    if is_first or not first_only:
        threading.Event().wait(600)
    note("done", self.request.id)
    return "over"


@app.task(name="sample.nap", bind=True)
def nap(self: Any, seconds: float) -> str:
    """Says that it started, then takes its time."""
    note("start", self.request.id)
    threading.Event().wait(seconds)
    take_effect(self.request.id)
    return "rested"


@app.task(name="sample.stubborn", bind=True)
def stubborn(self: Any) -> None:
    """Goes on although it is asked to stop."""
    note("start", self.request.id)
    while True:
        try:
            threading.Event().wait(600)
        except SystemExit:
            note("asked", self.request.id)


@app.task(name="sample.automatic", bind=True, autoretry_for=(ValueError,), retry_backoff=False, default_retry_delay=0.1)
def automatic(self: Any, times: int) -> int:
    note("attempt", self.request.id)
    if self.request.retries < times:
        raise ValueError("not yet")
    return int(self.request.retries)


@app.task(name="sample.retry_quietly", bind=True)
def retry_quietly(self: Any) -> str:
    """Asks for a retry and goes on."""
    note("attempt", self.request.id)
    if self.request.retries == 0:
        self.retry(countdown=0.1, throw=False)
    return "went on"


@app.task(name="sample.retry_changed", bind=True)
def retry_changed(self: Any, left: int, word: str = "first") -> dict[str, Any]:
    """Retries with other arguments; tells what the message says at last."""
    note("attempt", self.request.id)
    if left:
        raise self.retry(args=[left - 1], kwargs={"word": "changed"}, countdown=0.1)
    request = self.request
    return {
        "word": word,
        "queue": request.delivery_info["routing_key"],
        "priority": request.delivery_info["priority"],
        "expires": request.expires,
        "timelimit": request.timelimit,
        "header": request.get("sample_header"),
    }


@app.task(name="sample.reject", bind=True)
def reject(self: Any, requeue: bool) -> str:
    """Rejects its message the first time."""
    note("attempt", self.request.id)
    marker = EVIDENCE / f"rejected-{self.request.id}"
    if marker.exists():
        return "the second time"
    marker.touch()
    raise Reject("not now", requeue=requeue)


@app.task(name="sample.ignore", bind=True)
def ignore(self: Any) -> None:
    note("attempt", self.request.id)
    raise Ignore


@app.task(name="sample.replace", bind=True)
def replace(self: Any, by: str = "sample.note", times: int = 1) -> None:
    note("attempt", self.request.id)
    signature = app.signature(by, immutable=True)
    raise self.replace(signature if times == 1 else chain(signature.clone() for _ in range(times)))


@app.task(name="sample.die", bind=True)
def die(self: Any, times: int = 1, how: str = "kill") -> str:
    """Its process is lost, as by the kernel's out-of-memory killer, or ends itself, in its first executions."""
    note("attempt", self.request.id)
    deaths = EVIDENCE / f"deaths-{self.request.id}"
    died = len(deaths.read_text()) if deaths.exists() else 0
    if died < times:
        deaths.write_text("x" * (died + 1))
        if how == "exit":
            raise SystemExit(1)
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


@app.task(name="sample.hold", bind=True)
def hold(self: Any, seconds: float) -> str:
    """Holds the interpreter lock in its first execution: no other thread of the process runs meanwhile."""
    note("start", self.request.id)
    marker = EVIDENCE / f"held-{self.request.id}"
    if not marker.exists():
        marker.touch()
        ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))
    take_effect(self.request.id)
    return str(os.getpid())


@app.task(name="sample.progress", bind=True)
def tell_progress(self: Any, steps: int) -> dict[str, Any]:
    for step in range(steps):
        progress(step + 1, steps, f"step {step + 1}")
    run = current_run()
    logging.getLogger("sample").warning("this is run %s", run and run.run)
    return {"run": run and run.run, "attempts": self.request.retries + 1}


@app.task(name="sample.retry_then_hang", bind=True, max_retries=None)
def retry_then_hang(self: Any, times: int) -> str:
    """Retries, then hangs in its first execution without a retry."""
    if self.request.retries < times:
        raise self.retry(countdown=0)
    note("start", self.request.id)
    marker = EVIDENCE / f"hung-{self.request.id}"
    if not marker.exists():
        marker.touch()
        threading.Event().wait(600)
    return "over"
