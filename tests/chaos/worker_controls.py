"""Negative controls for delivery, in the same driver: plain Celery, and the consumer of old, must lose what is killed."""

import os
import random
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from chaos.app import TASK, Work
from chaos.checker import check
from chaos.history import Call, Fault, History, to_ms
from chaos.job_checks import jobs
from chaos.old_consumer import PROCESSING, QUEUE
from chaos.players import Player
from chaos.report import Bar, Report
from chaos.stage import PROJECT, TESTS, Stage
from launcher.servers.binaries import ServerBinary
from livebeat import clock
from support.processes import clean_environment
from support.waiting import wait_until

#: Seconds that a job takes, of which a child is killed in the middle.
_JOB = 1.0
#: Seconds of a job of the old consumer, and between two of its kills.
_OLD_JOB, _APART = 0.05, (0.1, 0.4)


def plain_celery(logs: Path, binary: ServerBinary, *, kills: int) -> Report:
    """Celery with late acknowledgement: a pool's child is killed with a job, as the kernel does where memory is short."""
    with Stage(logs, binary) as stage:
        stage.start_worker("worker-0", "--pool=prefork", "--concurrency=1")
        stage.await_workers()
        calls, faults = [], []
        for number in range(kills):
            job = Work(f"job-{number}", seconds=_JOB)
            asked = _now_ms()
            run = stage.app.send_task(TASK, ("",), asdict(job)).id
            calls.append(Call("send", job.job, "ok", asked, _now_ms(), run))
            pid = wait_until(lambda of=run: _executes(stage, of), 30, f"the start of {job.job}")
            os.kill(pid, signal.SIGKILL)
            faults.append(Fault("kill child", "worker-0", False, _now_ms(), _now_ms(), clock.monotonic()))
        last = stage.app.send_task(TASK, ("",), asdict(Work("last"))).id
        calls.append(Call("send", "last", "ok", _now_ms(), _now_ms(), last))
        wait_until(lambda: _has_ended(stage, last), 60, "the job that nobody disturbs")
        threading.Event().wait(2 * _JOB)
        executions = stage.executions()
    read_at = to_ms(clock.now())
    history = History((), (), (), (), read_at, tuple(faults), executions, tuple(calls))
    counts, violations = jobs(history), check(history)
    return Report(
        "control: plain Celery, a child killed",
        (
            Bar(f"at least {kills * 9 // 10} of {kills} jobs lost", str(counts.lost), counts.lost * 10 >= kills * 9),
            Bar("the job that nobody disturbed is done", str(counts.done), counts.done >= 1),
            Bar("the checker says so", "yes" if violations else "no", bool(violations)),
        ),
        {"executions": counts.executions},
    )


def old_consumer(logs: Path, binary: ServerBinary, *, kills: int, seed: int) -> Report:
    """BRPOP, LPUSH, work, LREM, killed again and again: what it had in hand stays in `:processing`, or is nowhere."""
    chance, pause = random.Random(f"{seed} old"), threading.Event()
    with Stage(logs, binary) as stage:
        evidence = stage.evidence / "old.txt"
        evidence.touch()
        argv = [sys.executable, "-m", "chaos.old_consumer", stage.setup.redis_url, str(evidence), str(_OLD_JOB)]
        env = clean_environment(PYTHONPATH=f"{TESTS}:{PROJECT / 'backend'}")
        player = stage.players["old"] = Player("old", argv, env, stage.scratch, logs / "old.log")
        pushed = 0
        for _ in range(kills):
            player.start()
            pushed += stage.client.rpush(QUEUE, *(f"job-{pushed + more}" for more in range(10))) and 10
            done = _lines(evidence)
            wait_until(lambda before=done: _lines(evidence) > before, 30, "a job of the old consumer", every=0.005)
            pause.wait(chance.uniform(*_APART))
            player.kill()
        player.start()
        wait_until(lambda: not stage.client.llen(QUEUE), 60, "an empty list")
        pause.wait(10 * _OLD_JOB)
        done, stranded = len(set(evidence.read_text().split())), stage.client.llen(PROCESSING)
    return Report(
        "control: the old consumer",
        (
            Bar(
                "at least half a job stranded or lost a kill", f"{pushed - done} in {kills}", pushed - done >= kills / 2
            ),
            Bar("and most are done", f"{done} of {pushed}", done * 2 > pushed),
        ),
        {"stranded in :processing": stranded, "without any trace": max(0, pushed - done - int(stranded))},
    )


def _executes(stage: Stage, run: str) -> int:
    """The process that executes a run; 0 where none does yet."""
    return next((line.pid for line in stage.executions() if line.run == run and line.kind == "start"), 0)


def _has_ended(stage: Stage, run: str) -> bool:
    return any(line.run == run and line.kind == "end" for line in stage.executions())


def _lines(file: Path) -> int:
    return file.read_text().count("\n")


def _now_ms() -> float:
    return clock.now().timestamp() * 1000
