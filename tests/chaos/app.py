"""The Celery app under chaos: one task, which writes its evidence outside of everything that is under test."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from celery import Celery

from chaos.history import Execution, to_ms
from livebeat import clock, current_slot, install

TASK = "chaos.mark"
OURS, STOCK = "livebeat:LiveBeatScheduler", "redbeat.RedBeatScheduler"


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


def make_app(setup: Setup) -> Celery:
    """The app of these processes; the driver makes one of its own."""
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

    @app.task(name=TASK, bind=True, shared=False)  # type: ignore[untyped-decorator]
    def mark(self: Any, schedule: str) -> None:
        """Evidence of this execution, before and after."""
        slot = current_slot()
        for kind in ("start", "end"):
            line = Execution(
                kind=kind,
                run=self.request.id,
                schedule=schedule,
                slot=to_ms(slot) if slot else None,
                attempt=self.request.retries,
                at=clock.now().timestamp() * 1000,
                monotonic=clock.monotonic(),
                pid=os.getpid(),
            )
            append(Path(setup.evidence) / f"{os.getpid()}.jsonl", json.dumps(asdict(line)))

    return app


def append(file: Path, line: str) -> None:
    """One whole line, on disk before the caller goes on."""
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(handle, f"{line}\n".encode())
        os.fsync(handle)
    finally:
        os.close(handle)


def evidence(folder: Path) -> tuple[Execution, ...]:
    """Every line that tasks left there."""
    lines = [line for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]
    return tuple(Execution(**json.loads(line)) for line in lines)
