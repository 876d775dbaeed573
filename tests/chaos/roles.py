"""What a forked process of a rehearsal plays: a beat, a worker, the recorder, or a client that makes one call."""

import json
import os
import signal
import socket
import threading
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import Reject
from django.db import connections

from app.recorder.service import Recorder
from chaos.app import TASK, Setup, Work, append, apply_effect, make_app
from chaos.history import Execution
from livebeat import Backfills, Interval, ScheduleSpec, ScheduleStore, clock, send
from livebeat.beat.scheduler import LiveBeatScheduler
from livebeat.cadence import Progress
from livebeat.connection import link
from livebeat.delivery.dead import dead_messages, revive
from livebeat.seedfile import SeedFile, apply
from livebeat.spec import Overlap

Role = Callable[[Celery], None]
#: A schedule with slots that are overdue: the milliseconds between two, and how many there are.
BACKLOG, EVERY, SLOTS = "backlog", 4_000, 6
#: A paused schedule, and the backfill of as many of its slots, as far apart.
PAST = "past"
#: A schedule whose next slot is far away.
STEADY = "steady"
#: A task that does not go through the first time.
ONCE = "chaos.not-at-once"


def make(setup: Setup) -> Celery:
    """The app of every role."""
    app = make_app(setup)

    @app.task(name=ONCE, bind=True, shared=False)  # type: ignore[untyped-decorator]
    def not_at_once(self: Any, job: str, how: str) -> None:
        """Asks to be put back, or kills its process, when it is executed first; goes through then."""
        folder = Path(setup.evidence)

        def tell(**more: Any) -> None:
            at = (clock.now().timestamp() * 1000, clock.monotonic(), os.getpid())
            line = Execution(run=self.request.id, schedule="", slot=None, attempt=0, job=job, **_moment(*at), **more)
            append(folder / f"{os.getpid()}.jsonl", json.dumps(asdict(line)))

        tell(kind="start")
        if not (folder / "first").exists():
            (folder / "first").touch()
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            tell(kind="end", outcome="retry")
            raise Reject("not here", requeue=True)
        apply_effect(folder, self.request.id)
        tell(kind="end", outcome="succeeded")

    return app


def _moment(at: float, monotonic: float, pid: int) -> dict[str, Any]:
    return {"at": at, "monotonic": monotonic, "pid": pid}


def beat(app: Celery) -> None:
    """Tick until SIGTERM, then hand over."""
    scheduler = LiveBeatScheduler(app)
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    while not told:
        scheduler.tick()
    scheduler.close()


def worker(app: Celery, pool: str = "solo") -> None:
    """Take messages until it is told to end."""
    options: dict[str, Any] = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
    app.Worker(pool=pool, concurrency=1, hostname=f"{os.getpid()}@rehearsal", loglevel="INFO", **options).start()


def prefork(app: Celery) -> None:
    """The same with a pool of one child."""
    worker(app, "prefork")


def recorder(app: Celery) -> None:
    """Write rows until it is killed."""
    connections.close_all()
    engine = link(app)
    Recorder(engine.client, engine.keys, socket.gethostname(), threading.Event()).run()


def send_one(app: Celery) -> None:
    send(TASK, ("",), asdict(Work("job-0")), app=app, unique="one")


def put_backlog(app: Celery) -> None:
    since = clock.now().replace(microsecond=0) - timedelta(milliseconds=EVERY * SLOTS + 6_000)
    rule = Interval(seconds=EVERY / 1000, anchor=since)
    spec = ScheduleSpec(name=BACKLOG, task=TASK, args=(BACKLOG,), recurrence=rule, catchup="all")
    ScheduleStore(app).put(spec, progress=Progress(since))


def put_past(app: Celery) -> None:
    since = clock.now().replace(microsecond=0) - timedelta(milliseconds=EVERY * SLOTS + 6_000)
    rule = Interval(seconds=EVERY / 1000, anchor=since)
    ScheduleStore(app).put(ScheduleSpec(name=PAST, task=TASK, args=(PAST,), recurrence=rule, enabled=False))


def begin_backfill(app: Celery) -> None:
    rule = ScheduleStore(app).get(PAST).spec.recurrence
    assert rule.anchor is not None
    Backfills(app).start(PAST, rule.anchor, rule.anchor + timedelta(milliseconds=EVERY * SLOTS), rate=5.0)


def put_steady(app: Celery, hours: float = 24, overlap: Overlap = "allow") -> None:
    rule = Interval(seconds=3600 * hours)
    ScheduleStore(app).put(ScheduleSpec(name=STEADY, task=TASK, args=(STEADY,), recurrence=rule, overlap=overlap))


def change(app: Celery) -> None:
    put_steady(app, hours=48)


def pause(app: Celery) -> None:
    ScheduleStore(app).pause(STEADY, note="for a while")


def resume(app: Celery) -> None:
    ScheduleStore(app).resume(STEADY)


def delete(app: Celery) -> None:
    ScheduleStore(app).delete(STEADY)


def apply_file(app: Celery) -> None:
    entry = {"task": TASK, "schedule": {"hour": 6, "minute": 0}, "enabled": False}
    apply(link(app), SeedFile(Path("schedules.json"), json.dumps({"morning": entry, "evening": entry})))


def trigger(app: Celery) -> None:
    ScheduleStore(app).trigger(STEADY)


def revive_all(app: Celery) -> None:
    for dead in dead_messages(link(app)):
        revive(link(app), dead)
