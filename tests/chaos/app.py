"""The Celery app under chaos: one task, which writes its evidence outside of everything that is under test."""

import json
import os
import sqlite3
import threading
import zoneinfo
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from celery import Celery

from chaos.history import Execution, to_ms
from livebeat import clock, current_slot, install

TASK = "chaos.mark"
OURS, STOCK = "livebeat:LiveBeatScheduler", "redbeat.RedBeatScheduler"
#: Seconds from a job's failure to its next attempt.
COUNTDOWN = 0.3
_EFFECTS = "effects.sqlite3"


@dataclass(frozen=True)
class Setup:
    """All that a process of the app must know. `ledgered`: messages go into the ledger, for workers."""

    redis_url: str
    broker_url: str
    evidence: str
    scheduler: str = OURS
    ledgered: bool = False
    conf: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Setup":
        return cls(**json.loads(text))


@dataclass(frozen=True)
class Work:
    """What one execution has to do. `job`: the client's name for it, '' for a schedule's run.

    It takes so many `seconds`, then it fails, or has its effect; where `retries` is given, so many attempts before
    that one ask for another.
    """

    job: str = ""
    seconds: float = 0.0
    retries: int = 0
    fails: bool = False


def make_app(setup: Setup) -> Celery:
    """The app of these processes; the driver makes one of its own. `chaos_zones` in `conf`: a folder of time zones."""
    if zones := setup.conf.get("chaos_zones"):
        zoneinfo.reset_tzpath(to=[zones, *zoneinfo.TZPATH])
    app = Celery("chaos", broker=setup.broker_url, set_as_current=False)
    app.conf.update(
        redbeat_redis_url=setup.redis_url,
        redbeat_redis_options={},
        beat_scheduler=setup.scheduler,
        timezone="Asia/Seoul",
        task_ignore_result=True,
        result_expires=None,  # else Celery's own clean-up is scheduled too
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        broker_connection_retry_on_startup=True,
        **setup.conf,
    )
    if setup.ledgered:
        install(app)

    @app.task(name=TASK, bind=True, shared=False, max_retries=None)  # type: ignore[untyped-decorator]
    def mark(self: Any, schedule: str, **work: Any) -> None:
        """Leave evidence of this execution, before and after."""
        job = Work(**work)
        witness = _Witness(Path(setup.evidence), self.request, schedule, job.job)
        witness.tell("start")
        if job.seconds:
            threading.Event().wait(job.seconds)
        if self.request.retries < job.retries:
            witness.tell("end", "retry")
            raise self.retry(countdown=COUNTDOWN, exc=ValueError("not yet"))
        if job.fails:
            witness.tell("end", "failed")
            raise ValueError("as asked")
        apply_effect(Path(setup.evidence), self.request.id)
        witness.tell("end", "succeeded")

    return app


class _Witness:
    """Writes the lines of one execution into the file of its process."""

    def __init__(self, folder: Path, request: Any, schedule: str, job: str) -> None:
        self._file = folder / f"{os.getpid()}.jsonl"
        self._request, self._schedule, self._job = request, schedule, job

    def tell(self, kind: Literal["start", "end"], outcome: Literal["", "succeeded", "failed", "retry"] = "") -> None:
        slot = current_slot()
        line = Execution(
            kind=kind,
            run=self._request.id,
            schedule=self._schedule,
            slot=to_ms(slot) if slot else None,
            attempt=self._request.retries,
            at=clock.now().timestamp() * 1000,
            monotonic=clock.monotonic(),
            pid=os.getpid(),
            job=self._job,
            outcome=outcome,
        )
        append(self._file, json.dumps(asdict(line)))


def append(file: Path, line: str) -> None:
    """One whole line, on disk before the caller goes on."""
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(handle, f"{line}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def make_effects(folder: Path) -> None:
    """The table of effects, where there is none yet."""
    with closing(sqlite3.connect(folder / _EFFECTS)) as database, database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE effect (run TEXT PRIMARY KEY, at REAL, monotonic REAL, pid INTEGER)")
        database.execute("CREATE TABLE unkeyed (run TEXT)")


def apply_effect(folder: Path, run: str) -> None:
    """In one transaction: the effect, which carries the run's id and so counts once, and one that counts each time."""
    with closing(sqlite3.connect(folder / _EFFECTS, timeout=30)) as database, database:
        row = (run, clock.now().timestamp() * 1000, clock.monotonic(), os.getpid())
        database.execute("INSERT INTO effect VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", row)
        database.execute("INSERT INTO unkeyed VALUES (?)", (run,))


def evidence(folder: Path) -> tuple[Execution, ...]:
    """Every line that tasks left there, and every effect."""
    lines = [line for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]
    executions = [Execution(**json.loads(line)) for line in lines]
    of = {each.run: each for each in executions}
    with closing(sqlite3.connect(folder / _EFFECTS)) as database:
        effects = database.execute("SELECT run, at, monotonic, pid FROM effect").fetchall()
    for run, at, monotonic, pid in effects:
        one = of[run]
        executions.append(Execution("effect", run, one.schedule, one.slot, one.attempt, at, monotonic, pid, one.job))
    return tuple(executions)


def effects_without_key(folder: Path) -> int:
    """How often an effect would have been applied if it did not carry the run's id."""
    with closing(sqlite3.connect(folder / _EFFECTS)) as database:
        return int(database.execute("SELECT count(*) FROM unkeyed").fetchone()[0])
