"""Celery schedules that change while they run: RedBeat's data, each slot dispatched exactly once.

`beat_scheduler = "livebeat:LiveBeatScheduler"` adopts an app's RedBeat schedules; `livebeat.install(app)` puts its
messages into the ledger, so that none is lost with a worker.
"""

from livebeat.backfill import Backfill, Backfills
from livebeat.beat import LiveBeatScheduler, hand_over, leader
from livebeat.delivery import (
    Children,
    LedgerEntry,
    Run,
    Sent,
    children,
    current_run,
    current_slot,
    install,
    progress,
    run_state,
    send,
)
from livebeat.entry import Pause, StoredSchedule
from livebeat.rules import Cron, Excluding, Holidays, Interval, Once, RRule, Union
from livebeat.spec import ScheduleSpec
from livebeat.store import ScheduleStore

__all__ = [
    "Backfill",
    "Backfills",
    "Children",
    "Cron",
    "Excluding",
    "Holidays",
    "Interval",
    "LedgerEntry",
    "LiveBeatScheduler",
    "Once",
    "Pause",
    "RRule",
    "Run",
    "ScheduleSpec",
    "ScheduleStore",
    "Sent",
    "StoredSchedule",
    "Union",
    "children",
    "current_run",
    "current_slot",
    "hand_over",
    "install",
    "leader",
    "progress",
    "run_state",
    "send",
]
