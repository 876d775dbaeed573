"""Livebeat under chaos: the mix, the same with workers, and the take-over. Each returns a report."""

import random
import threading
from dataclasses import replace
from pathlib import Path

from chaos.account import LEDGER, news, skips, snapshot
from chaos.checker import Violation, check, demanded
from chaos.conservation import conservation
from chaos.figures import lateness, longest_silence, spread, takeovers
from chaos.history import Dispatch, Execution, History, Schedule, to_ms
from chaos.load import every_tenth, several
from chaos.nemeses import Nemesis, plan
from chaos.report import Bar, Report, none_of
from chaos.stage import Stage
from chaos.tap import QUEUE, Tap
from launcher.servers.binaries import ServerBinary
from livebeat import clock
from support.waiting import wait_until

BEATS = 3
#: Seconds before the first fault and after the last one.
CALM, QUIET = 5.0, 9.0
#: Milliseconds within which another beat must have dispatched what was due when the leader died.
TAKEOVER_BAR = 1_000


def mix(logs: Path, binary: ServerBinary, *, seconds: float, seed: int, slots: int, faults: int) -> Report:
    """Kills and stops of three beats, catch-up `all`; a tap takes the messages. So many slots and faults at least."""
    with Stage(logs, binary) as stage, Tap(stage.setup.redis_url) as tap:
        schedules, nemesis, read_at = _live(stage, seconds, seed)
        stage.end_beats()
        tap.drain()
        history = _history(stage, schedules, tuple(tap.dispatches), read_at, nemesis)
        books = conservation(snapshot(stage.client, ledgered=False), schedules)
    return _judged("mix", history, books, slots, faults)


def workers(logs: Path, binary: ServerBinary, *, seconds: float, seed: int, slots: int, faults: int) -> Report:
    """The same faults, with the ledger on and two real workers, whose tasks tell what ran."""
    with Stage(logs, binary, ledgered=True) as stage:
        stage.start_worker("threads", "--pool=threads", "--concurrency=4")
        stage.start_worker("prefork", "--pool=prefork", "--concurrency=2")
        schedules, nemesis, read_at = _live(stage, seconds, seed)
        stage.end_beats()
        wait_until(lambda: not stage.client.llen(QUEUE) and not stage.client.zcard(LEDGER), 60, "an empty ledger")
        stage.end_workers()
        executions = stage.executions()
        came = tuple(_start(line) for line in executions if line.kind == "start")
        history = _history(stage, schedules, came, read_at, nemesis, executions)
    report = _judged("workers", history, [], slots, faults)
    busy = len({line.pid for line in executions})
    return replace(report, figures={**report.figures, "starts": len(came), "worker processes": busy})


def takeover(logs: Path, binary: ServerBinary, *, rounds: int, seed: int) -> Report:
    """Kill -9 of the leader, again and again: what was due just then is dispatched by another within a second."""
    chance, pause = random.Random(seed), threading.Event()
    with Stage(logs, binary) as stage, Tap(stage.setup.redis_url) as tap:
        stage.start_beats(BEATS)
        schedules = every_tenth(stage.app)
        nemesis = Nemesis(stage)
        for _ in range(rounds):
            stage.await_beats()
            pause.wait(2 + chance.random())
            nemesis.kill(stage.await_leader())
        stage.await_beats()
        pause.wait(QUIET)
        read_at = to_ms(clock.now())
        stage.end_beats()
        tap.drain()
        history = _history(stage, schedules, tuple(tap.dispatches), read_at, nemesis)
    violations = check(history)
    latest = takeovers(history)
    soon = sum(late < TAKEOVER_BAR for late in latest)
    return Report(
        "takeover",
        (
            Bar(f"due slots dispatched by another within 1 s in {rounds} of {rounds}", str(soon), soon == rounds),
            *none_of(violations),
        ),
        {"slots": demanded(history), "latest due slot after a kill, ms": spread(latest), "late, ms": lateness(history)},
        tuple(violations),
        history,
    )


def _live(stage: Stage, seconds: float, seed: int) -> tuple[tuple[Schedule, ...], Nemesis, int]:
    """Start, load, hurt, heal, keep quiet; returns when the final read was."""
    pause = threading.Event()
    stage.start_beats(BEATS)
    schedules = several(stage.app)
    pause.wait(CALM)
    nemesis = Nemesis(stage)
    nemesis.run(plan(seed, seconds, BEATS))
    stage.await_beats()
    pause.wait(QUIET)
    if stage.fallen():
        raise AssertionError(f"beats {stage.fallen()} ended by themselves; see their logs in {stage.logs}")
    return schedules, nemesis, to_ms(clock.now())


def _history(
    stage: Stage,
    schedules: tuple[Schedule, ...],
    dispatches: tuple[Dispatch, ...],
    read_at: int,
    nemesis: Nemesis,
    executions: tuple[Execution, ...] = (),
) -> History:
    return History(
        schedules,
        dispatches,
        news(stage.client),
        skips(stage.client),
        read_at,
        tuple(sorted(nemesis.faults, key=lambda fault: fault.began_at)),
        executions,
    )


def _start(line: Execution) -> Dispatch:
    return Dispatch(line.schedule, line.slot, line.run, line.at)


def _judged(name: str, history: History, books: list[Violation], slots: int, faults: int) -> Report:
    violations = [*check(history), *books]
    wanted = demanded(history)
    done = len(history.faults)
    kills = sum(fault.kind == "kill" for fault in history.faults)
    figures = {
        "faults": {"kill -9": kills, "SIGSTOP": done - kills, "of a leader": sum(each.led for each in history.faults)},
        "late, ms": lateness(history),
        "latest due slot after a leader's kill, ms": spread(takeovers(history)),
        "longest silence, ms": longest_silence(history),
    }
    bars = (
        Bar(f"at least {slots} slots", str(wanted), wanted >= slots),
        Bar(f"at least {faults} faults", str(done), done >= faults),
        *none_of(violations),
    )
    return Report(name, bars, figures, tuple(violations), history)
