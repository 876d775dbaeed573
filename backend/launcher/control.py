"""`status` and `down`: find the launcher that runs in a data folder, from any terminal."""

import contextlib
import os
import signal
import time
from pathlib import Path

from launcher.instance import find_running
from launcher.messages import text
from launcher.output import Console

NOT_RUNNING = 3  # as init scripts answer
STILL_RUNNING = 1
DOWN_SECONDS = 40.0


def status(data_dir: Path, console: Console) -> int:
    """Print who runs; returns 0, or 3 where nobody does."""
    running = find_running(data_dir)
    if running is None:
        console.say(text("not_running", path=data_dir))
        return NOT_RUNNING
    console.say(text("is_running", path=data_dir, pid=running.pid, url=running.url))
    for name, pid in running.children.items():
        console.say(f"  {name:<10} {pid}")
    return 0


def down(data_dir: Path, console: Console) -> int:
    """Ask the launcher to stop and wait for its end; returns 0 once nothing runs, 1 if it still does."""
    running = find_running(data_dir)
    if running is None:
        console.say(text("not_running", path=data_dir))
        return 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while find_running(data_dir) is not None:
        if time.monotonic() > deadline:
            console.say(text("still_running", pid=running.pid, seconds=DOWN_SECONDS))
            return STILL_RUNNING
        time.sleep(0.1)
    console.say(text("stopped"))
    return 0
