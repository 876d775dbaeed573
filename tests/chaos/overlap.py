"""Overlap rules under kills: never two executions of a schedule at once, and none stuck after its run ended or died."""

import math
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

from celery import Celery

from chaos import account
from chaos.app import TASK, Work
from chaos.drama import CALM, DRAIN, Say
from chaos.history import Ending, Execution
from chaos.nemeses import Hand, Nemesis, plan
from chaos.recovery import Kill
from chaos.report import Bar, Report
from chaos.stage import LEDGER, Stage
from chaos.violation import Violation
from launcher.servers.binaries import ServerBinary
from livebeat import Interval, ScheduleSpec, ScheduleStore, clock, send
from livebeat.spec import Overlap
from support.waiting import wait_until

#: Each schedule's rule, seconds between its slots, and seconds that a run takes: longer, so that each slot finds one.
CAST: dict[str, tuple[Overlap, float, float]] = {
    "skip-0": ("skip", 1, 1.4),
    "skip-1": ("skip", 1, 3.0),
    "buffer-0": ("buffer_one", 1, 1.2),
    "buffer-1": ("buffer_one", 2, 2.5),
    "cancel-0": ("cancel_previous", 4, 30.0),
}
#: Seconds in which every schedule must run again once everybody is well. What a dying worker took from the queue, and had
#: not begun, is pushed again after about 45 s.
AGAIN = 100.0
#: Milliseconds by which the stamps of two processes may differ.
_STAMPS = 2.0
#: Jobs that make a backlog, and seconds that each takes.
_BACKLOG, _JOB = 150, 0.2
_WORKER = ("--pool=prefork", "--concurrency=4")


@dataclass(frozen=True)
class Span:
    """One execution of a schedule's run; instants are epoch ms."""

    schedule: str
    run: str
    begin: float
    end: float


def spans(executions: Iterable[Execution], killed: Sequence[Kill], endings: Iterable[Ending]) -> Iterator[Span]:
    """When each execution was at work: to its own word, its process's kill, or the end of its run, whichever is first."""
    lines = sorted(executions, key=lambda line: line.at)
    ends = {ending.run: ending.at for ending in endings}
    last: dict[tuple[str, int, int], float] = {}
    for line in lines:
        if line.kind == "end":
            last[line.run, line.pid, line.attempt] = line.at
    for line in lines:
        if line.kind == "start" and line.schedule:
            kills = [at for at, pids in killed if line.pid in pids and at >= line.at]
            told = last.get((line.run, line.pid, line.attempt), math.inf)
            yield Span(line.schedule, line.run, line.at, min([told, ends.get(line.run, math.inf), *kills]))


def two_at_once(found: Iterable[Span]) -> Iterator[Violation]:
    """Executions of one schedule that began before the one before had ended."""
    of: dict[str, list[Span]] = defaultdict(list)
    for span in found:
        of[span.schedule].append(span)
    for schedule, mine in of.items():
        for before, after in pairwise(sorted(mine, key=lambda span: span.begin)):
            if after.begin < before.end - _STAMPS:
                yield Violation("overlap", schedule, None, f"{after.run} began while {before.run} was at work")


def overlap(logs: Path, binary: ServerBinary, *, seconds: float, seed: int, faults: int, say: Say) -> Report:
    """Two workers are killed -9, their children and beats too, while every schedule has more slots than it may run."""
    nemeses = (
        Nemesis("kill", ("worker-0", "worker-1"), (7.0, 10.0)),
        Nemesis("kill child", ("worker-0", "worker-1"), (3.0, 5.0)),
        Nemesis("kill", ("leader",), (12.0, 16.0), name="kill leader"),
    )
    with Stage(logs, binary, ledgered=True) as stage:
        stage.client.xgroup_create(account.EVENTS, "chaos", id="0", mkstream=True)
        stage.start_beats(2)
        for name in ("worker-0", "worker-1"):
            stage.start_worker(name, *_WORKER)
        stage.await_workers()
        _put_all(stage.app)
        threading.Event().wait(CALM)
        hand = Hand(stage, say)
        for number in range(_BACKLOG):
            send(TASK, ("",), asdict(Work(f"job-{number}", _JOB)), app=stage.app)
        hand.run(plan(seed, seconds, nemeses), seconds)
        say("healed; waiting for each schedule to run again")
        again = _run_again(stage)
        for name in CAST:
            ScheduleStore(stage.app).pause(name)
        drained = _is_drained(stage)
        left = stage.client.zrange("livebeat:running", 0, -1)
        stage.end("worker", "beat")
        ended, executions = account.endings(stage.client), stage.executions()
    found = list(spans(executions, hand.killed, ended))
    violations = list(two_at_once(found))
    return Report(
        "overlap",
        (
            Bar(f"at least {faults} faults", str(len(hand.faults)), len(hand.faults) >= faults),
            Bar("never two executions of a schedule at once", f"{len(violations)} times", not violations),
            Bar("each schedule runs again after the last fault", ", ".join(again) or "each", not again),
            Bar("every run ends once nothing is due any more", "yes" if drained else "no", drained),
            Bar("no run is left in a schedule's way", str(len(left)), not left),
        ),
        {
            "executions": {name: sum(span.schedule == name for span in found) for name in CAST},
            "ends": {
                outcome: sum(end.outcome == outcome for end in ended)
                for outcome in sorted({end.outcome for end in ended})
            },
        },
        tuple(violations),
    )


def _put_all(app: Celery) -> None:
    for name, (rule, every, seconds) in CAST.items():
        work = asdict(Work(seconds=seconds))
        recurrence = Interval(seconds=every)
        ScheduleStore(app).put(
            ScheduleSpec(name=name, task=TASK, args=(name,), kwargs=work, recurrence=recurrence, overlap=rule)
        )


def _run_again(stage: Stage) -> list[str]:
    """The schedules that did not start anew in time."""
    since = clock.now().timestamp() * 1000

    def silent() -> list[str]:
        started = {line.schedule for line in stage.executions() if line.kind == "start" and line.at > since}
        return sorted(CAST.keys() - started)

    try:
        wait_until(lambda: not silent(), AGAIN, "each schedule", every=1.0)
    except AssertionError:
        return silent()
    return []


def _is_drained(stage: Stage) -> bool:
    try:
        return wait_until(lambda: not stage.client.zcard(LEDGER), DRAIN, "an empty ledger", every=0.5)
    except AssertionError:
        return False
