"""Negative controls in the same driver: stock RedBeat must break where it is known to. If it doesn't, we are blind."""

import signal
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from chaos.app import STOCK
from chaos.history import Dispatch, Schedule
from chaos.load import stock
from chaos.oracle import slots
from chaos.players import Player
from chaos.report import Bar, Report
from chaos.stage import Stage
from chaos.tap import Tap
from launcher.servers.binaries import ServerBinary
from support.waiting import wait_until

OPTIONS = ("--max-interval=1",)
#: Seconds of RedBeat's lock, and of the stop that outlasts it.
LOCK, STOP = 4, 6.5


def lockless(logs: Path, binary: ServerBinary, *, seconds: float) -> Report:
    """Two stock beats without a lock: every slot twice."""
    with (
        Stage(logs, binary, scheduler=STOCK, options=OPTIONS, redbeat_lock_key=None) as stage,
        Tap(stage.setup.redis_url) as tap,
    ):
        stage.start_beats(2)
        wait_until(lambda: _starts(stage, "beat: Starting") == [1, 1], 60, "two stock beats")
        schedules = stock(stage.app, 20)
        threading.Event().wait(seconds)
        stage.end("beat")
        tap.drain()
    doubled, slots_seen = _doubled(tap.dispatches, schedules)
    return Report(
        "control: two stock beats without a lock",
        (Bar("at least half of the slots double", f"{doubled} of {slots_seen}", doubled * 2 >= slots_seen > 0),),
        {"messages": len(tap.dispatches)},
    )


def stopped_holder(logs: Path, binary: ServerBinary, *, stops: int) -> Report:
    """SIGSTOP of the lock's holder in the middle of a tick, past its lock, then SIGCONT: it sends what it had in hand."""
    pause = threading.Event()
    with (
        Stage(logs, binary, scheduler=STOCK, options=OPTIONS, redbeat_lock_timeout=LOCK) as stage,
        Tap(stage.setup.redis_url) as tap,
    ):
        schedules = stock(stage.app, 100)
        stage.start_beats(2)
        calm = 0
        wait_until(lambda: _holder(stage), 60, "a holder of RedBeat's lock")
        pause.wait(2)
        settled = len(tap.dispatches)
        for _ in range(stops):
            holder = wait_until(lambda: _holder(stage), 60, "a holder of RedBeat's lock")
            pause.wait(3)
            _await_burst(tap)
            calm = calm or len(tap.dispatches)
            holder.signal(signal.SIGSTOP)
            pause.wait(STOP)
            holder.signal(signal.SIGCONT)
            pause.wait(2)
            holder.kill()
            holder.log.rename(stage.logs / f"stopped-{holder.log.name}")
            holder.start()
        stage.end("beat")
        tap.drain()
    before, _ = _doubled(tap.dispatches[settled:calm], schedules)
    doubled, _ = _doubled(tap.dispatches[calm:], schedules)
    return Report(
        "control: stock RedBeat's holder stopped past its lock",
        (
            Bar("at least 10 doubles a stop", f"{doubled} in {stops}", doubled >= 10 * stops),
            Bar("none before the first stop", str(before), before == 0),
        ),
        {"messages": len(tap.dispatches)},
    )


def _doubled(dispatches: Sequence[Dispatch], schedules: Sequence[Schedule]) -> tuple[int, int]:
    """Surplus dispatches, and slots with any: a stock message belongs to the latest slot before its arrival."""
    if not dispatches:
        return 0, 0
    end = max(dispatch.at for dispatch in dispatches)
    named = {each.name: slots(each.rule, each.asked_at, end) for each in schedules}
    counts = Counter(
        (dispatch.schedule, bisect_right(named[dispatch.schedule], dispatch.at)) for dispatch in dispatches
    )
    return sum(count - 1 for count in counts.values()), len(counts)


def _starts(stage: Stage, line: str) -> list[int]:
    """How often each beat's log says so."""
    return [beat.log.read_text(errors="replace").count(line) for beat in stage.named("beat")]


def _holder(stage: Stage) -> Player | None:
    """The beat that got the lock last; None where nobody has it yet."""
    counts = zip(stage.named("beat"), _starts(stage, "beat: Acquired lock"), strict=True)
    return next((beat for beat, count in counts if count), None)


def _await_burst(tap: Tap) -> None:
    """Return when the first messages of a tick have just come out."""
    known = len(tap.dispatches)
    wait_until(lambda: len(tap.dispatches) > known, 10, "a tick of the holder", every=0.001)
