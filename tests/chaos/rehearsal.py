"""A small stage for one operation and one process that kills itself in the middle of it.

Players are forks of the test process, which has everything imported: one plays within a tenth of a second.
"""

import atexit
import json
import multiprocessing
import os
import signal
import warnings
from contextlib import suppress
from dataclasses import asdict, replace
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import redis

from app.core.redis_addresses import to_broker_url
from chaos import account
from chaos.app import TASK, Setup, Work, evidence, make_effects
from chaos.checker import first_starts
from chaos.history import Call, Every, Execution, Fault, History, Schedule, to_ms
from chaos.roles import BACKLOG, EVERY, ONCE, Role, beat, make, put_backlog
from livebeat import Backfills, Interval, ScheduleStore, clock, failpoints, send
from livebeat.errors import ScheduleNotFoundError
from support.engine import connect
from support.waiting import wait_until

INDEX, LEDGER, QUEUE, LOCK = "redbeat::schedule", "livebeat:ledger", "celery", "redbeat::lock"
UNACKED, WORKERS = "unacked", "livebeat:workers"
#: Seconds in which an operation is over, or its process dead: a message that its worker vanished with is looked at twice.
PATIENCE = 40
_fork = multiprocessing.get_context("fork")


class Rehearsal:
    """An empty Redis, and who plays on it. Ends with every process killed."""

    def __init__(self, redis_url: str, folder: Path, *, restores: bool) -> None:
        """`restores`: the broker gives back what a dead worker had in hand, late; else it is lost with the worker."""
        conf = {"worker_soft_shutdown_timeout": 0.1}
        self._setup = Setup(redis_url, to_broker_url(redis_url), str(folder), ledgered=True, conf=conf)
        self._folder, self._restores = folder, restores
        make_effects(folder)
        self.app = make(self._setup)
        self.client: redis.Redis = connect(redis_url)
        self.client.flushall()
        self._players: list[ForkProcess] = []
        self._schedules: list[Schedule] = []
        self._calls: list[Call] = []

    def start(self, role: Role, failpoint: str = "", *, in_child: bool = False) -> ForkProcess:
        """A process in this role, that kills itself when it first comes by a failpoint, where one is named.

        `in_child`: its pool's children do, and it does not.
        """
        player = _fork.Process(target=_play, args=(role, self._setup, failpoint, in_child, self._folder))
        player.start()
        self._players.append(player)
        return player

    def await_death(self, player: ForkProcess) -> None:
        """Return once it has killed itself."""
        player.join(PATIENCE)
        if player.exitcode != -signal.SIGKILL:
            raise AssertionError(f"it did not come by ({player.exitcode}):\n{self.log()}")

    def kill_all(self) -> None:
        """Kill -9 of whoever plays, and of what a dead one left behind."""
        for player in self._players:
            with suppress(ProcessLookupError):
                os.killpg(player.pid or 0, signal.SIGKILL)
            player.kill()
            player.join(10)

    def log(self) -> str:
        """What the players said."""
        file = self._folder / "players.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def backlog(self) -> None:
        """Store a schedule with slots that are overdue."""
        put_backlog(self.app)
        self.note_backlog()

    def note_backlog(self) -> None:
        """The history is to know of the backlog, where there is one."""
        try:
            rule = ScheduleStore(self.app).get(BACKLOG).spec.recurrence
        except ScheduleNotFoundError:
            return
        if isinstance(rule, Interval) and rule.anchor is not None:
            anchor = to_ms(rule.anchor)
            self._schedules.append(Schedule(BACKLOG, Every(EVERY, anchor), "all", anchor, anchor))

    def note_backfill(self) -> None:
        """The history is to know of the slots of the backfill, where there is one."""
        for backfill in Backfills(self.app).list():
            start, end = to_ms(backfill.start), to_ms(backfill.end)
            self._schedules.append(Schedule(backfill.name, Every(EVERY, start), "all", start, start))
            self._schedules.append(Schedule(backfill.name, None, "all", end, end))

    def send(self, **work: Any) -> str:
        """Send a job; returns its id. `expires`: in so many seconds."""
        options = {"expires": work.pop("expires")} if "expires" in work else {}
        job = Work(f"job-{len(self._calls)}", **work)
        run = send(TASK, ("",), asdict(job), app=self.app, **options).run_id
        self.note_call("send", job.job, "ok", run)
        return run

    def send_once(self, how: Literal["kill", "reject"]) -> str:
        """Send a job that does not go through the first time."""
        name = f"job-{len(self._calls)}"
        run = send(ONCE, (name, how), app=self.app).run_id
        self.note_call("send", name, "ok", run)
        return run

    def note_call(
        self, operation: Literal["send", "trigger"], subject: str, outcome: Literal["ok", "info"], run: str = ""
    ) -> None:
        """The history is to know of a call that was made just now."""
        self._calls.append(Call(operation, subject, outcome, _now_ms(), _now_ms(), run))

    def executions(self) -> tuple[Execution, ...]:
        """What tasks said so far."""
        return evidence(self._folder)

    def state(self, run: str) -> dict[str, str]:
        """A run's entry in the ledger; empty once it has ended."""
        entry: Any = self.client.hgetall(f"livebeat:run:{run}")
        return dict(entry)

    def let_time_pass(self) -> None:
        """What the dead held has run out: the leader lock, leases, waits, heartbeats, the broker's visibility time."""
        in_hand: Any = self.client.hvals(UNACKED)
        for message in in_hand if self._restores else ():
            self.client.rpush(QUEUE, json.dumps(json.loads(message)[0]))
        self.client.delete(LOCK, WORKERS, UNACKED, "unacked_index")
        unfinished: Any = self.client.zrange(LEDGER, 0, -1)
        for run in unfinished:
            if self.state(run).get("state") != "queued":
                self.client.hset(f"livebeat:run:{run}", "lease_until", "0")
            self.client.zadd(LEDGER, {run: 0})

    def is_over(self) -> bool:
        """Whether nothing is left to do."""
        left = self.client.zcard(LEDGER) or self.client.llen(QUEUE) or self.client.hlen(UNACKED)
        return not (left or self.is_overdue() or any(one.state == "running" for one in Backfills(self.app).list()))

    def is_overdue(self) -> bool:
        """Whether a slot is due."""
        return bool(self.client.zcount(INDEX, 0, _now_ms() / 1000))

    def end_well(self, worker: Role) -> History:
        """Start what was killed anew, wait until all is dealt with, and tell what happened."""
        began = _now_ms()
        self.let_time_pass()
        self.start(beat)
        self.start(worker)
        wait_until(self.is_over, PATIENCE, "the end of everything")
        read_at = to_ms(clock.now())
        self.kill_all()
        history = History((), (), (), (), read_at, executions=self.executions())
        first = min([began, *(schedule.asked_at for schedule in self._schedules)])
        return replace(
            history,
            schedules=tuple(self._schedules),
            dispatches=first_starts(history),
            news=account.news(self.client),
            skips=account.skips(self.client),
            faults=(Fault("kill", "", False, first - 1_000, read_at, 0.0),),
            calls=tuple(self._calls),
            endings=account.endings(self.client),
            visible=account.visible(self.client),
        )

    def is_recorded(self) -> bool:
        """Whether a recorder has read and acknowledged every event."""
        return account.is_recorded(self.client)

    def leftovers(self) -> list[str]:
        """Keys of runs that have all ended."""
        return [
            key
            for pattern in ("run:*", "running", "unique", "children:*")
            for key in self.client.keys(f"livebeat:{pattern}")
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill_all()
        self.app.close()
        self.client.close()


def _play(role: Role, setup: Setup, failpoint: str, in_child: bool, folder: Path) -> None:
    """In the forked process."""
    os.setpgid(0, 0)
    atexit._clear()  # what the test process does at its end is not a fork's to do
    warnings.simplefilter("default")  # pytest's own filters make errors of them
    handle = os.open(folder / "players.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    if failpoint:
        reach, main = failpoints.armed(f"{failpoint}:1"), os.getpid()
        failpoints.reach = lambda step: reach(step) if (os.getpid() != main) is in_child else None
    role(make(setup))
    atexit._run_exitfuncs()


def _now_ms() -> float:
    return clock.now().timestamp() * 1000
