"""What `celery -A chaos.process …` loads, in the beats and workers that the driver starts."""

import os
import time
from datetime import datetime, timedelta
from pathlib import Path

from celery import Celery

from chaos.app import Setup, make_app
from livebeat import clock


def move_clock(app: Celery, file: Path) -> None:
    """From now on this process's wall clock is wrong by the seconds that the file says, 0 where there is none.

    So for what is Python's: the engine, Celery, kombu, RedBeat and the log. The monotonic clock is no wall clock.
    """
    right_time, right_now = time.time, clock.now  # noqa: TID251  what is put aside

    def wrong_by() -> float:
        try:
            return float(file.read_text())
        except (OSError, ValueError):
            return 0.0

    def wrong_now() -> datetime:
        return right_now() + timedelta(seconds=wrong_by())

    time.time = lambda: right_time() + wrong_by()  # noqa: TID251
    clock.now = wrong_now
    app.now = lambda: wrong_now().astimezone(app.timezone)


app = make_app(Setup.from_json(os.environ["CHAOS_SETUP"]))  # noqa: TID251  how the driver tells its children
if os.environ.get("CHAOS_CLOCK"):  # noqa: TID251
    move_clock(app, Path(os.environ["CHAOS_CLOCK"]))  # noqa: TID251
