"""One run of the whole thing: beats, workers, a recorder and a client under faults; healed, drained, and judged."""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from math import isfinite
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import redis

from chaos import account
from chaos.app import effects_without_key
from chaos.checker import check, demanded, first_starts
from chaos.figures import lateness, longest_silence, spread, takeovers
from chaos.history import Dispatch, History, Schedule, to_ms
from chaos.load import Sender, jobs, several, stop_all, works
from chaos.nemeses import Hand, Nemesis, plan
from chaos.recovery import recoveries, waits
from chaos.report import Bar, Report, none_of
from chaos.stage import LEDGER, QUEUE, Stage
from chaos.watch import Watch
from launcher.servers.binaries import ServerBinary
from livebeat import clock
from support.waiting import wait_until

Say = Callable[[str], None]
#: Seconds before the first fault, after the last one, and in which everything accepted must have come out then.
CALM, QUIET, DRAIN = 5.0, 9.0, 300.0
#: Milliseconds in which what a killed worker had in hand runs again.
RECOVERY_BAR = 15_000


@dataclass(frozen=True)
class Drama:
    """Who plays, what is done to them, and how much there must have been of it at least.

    `rate`: jobs that a client sends, a second; `longest`: seconds that one takes. `server`: options of the Redis;
    `conf`: settings of the app. `recovers`: nothing but workers is hurt, so what a killed one had in hand must run
    again in time.
    """

    name: str
    seconds: float
    nemeses: tuple[Nemesis, ...]
    slots: int = 0
    faults: int = 0
    beats: int = 3
    workers: int = 2
    rate: float = 4.0
    recorder: bool = False
    proxied: bool = False
    server: tuple[str, ...] = ()
    conf: dict[str, Any] = field(default_factory=dict)
    longest: float = 7.0
    recovers: bool = False


@dataclass(frozen=True)
class Live:
    """A stage on which everybody plays and nothing was done yet."""

    stage: Stage
    hand: Hand
    sender: Sender
    say: Say


#: What happens in a run; returns bars and figures of its own.
Plot = Callable[[Live], tuple[tuple[Bar, ...], dict[str, Any]]]


def play(
    drama: Drama,
    logs: Path,
    binary: ServerBinary,
    seed: int,
    say: Say,
    *,
    plot: Plot | None = None,
    data: Path | None = None,
) -> Report:
    """The report. `plot`: what happens, where it isn't the seed's plan. `data`: where the server keeps its file."""
    with ExitStack() as closing:
        stage = closing.enter_context(
            Stage(
                logs, binary, ledgered=True, proxied=drama.proxied, server_options=drama.server, data=data, **drama.conf
            )
        )
        keep_events(stage)
        stage.start_beats(drama.beats)
        stage.start_workers(drama.workers)
        if drama.recorder:
            stage.start_recorder()
        stage.await_workers()
        watch = closing.enter_context(Watch(stage.app))
        schedules = several(stage.app, works=works(seed))
        sender = closing.enter_context(Sender(stage.enter_client(), jobs(seed, drama.longest), drama.rate))
        threading.Event().wait(CALM)
        live = Live(stage, Hand(stage, say), sender, say)
        psutil.cpu_times_percent()
        bars, figures = (plot or _planned(drama, seed))(live)
        figures["CPU idle, %"] = psutil.cpu_times_percent().idle
        if drama.proxied:
            figures["replies lost"] = sum(each.proxy.lost for each in stage.players.values() if each.proxy)
        hand = live.hand
        say("healed; waiting for quiet, and for all that was accepted to come out")
        stage.await_beats()
        threading.Event().wait(QUIET)
        sender.stop()
        read_at = to_ms(clock.now())
        schedules += stop_all(stage.app, schedules)
        drained = _drain(stage, drama)
        fell = [*hand.fell, *stage.fallen()]
        ends = stage.end("recorder", "worker", "beat")
        history = _history(stage, schedules, sender, watch, hand, read_at)
        again = effects_without_key(stage.evidence)
    report = _judged(drama, history, hand, drained, fell, ends, again)
    return replace(report, bars=(*report.bars, *bars), figures={**report.figures, **figures})


def _planned(drama: Drama, seed: int) -> Plot:
    def plot(live: Live) -> tuple[tuple[Bar, ...], dict[str, Any]]:
        live.hand.run(plan(seed, drama.seconds, drama.nemeses), drama.seconds)
        return (), {}

    return plot


def keep_events(stage: Stage) -> None:
    """A reader that never acknowledges: the recorder trims below what all of them have."""
    stage.client.xgroup_create(account.EVENTS, "chaos", id="0", mkstream=True)


def _drain(stage: Stage, drama: Drama) -> bool:
    """Whether all came out in time: no message waits, no run is unfinished, and the recorder has read everything."""

    def is_empty() -> bool:
        with suppress(redis.RedisError):
            return (
                not stage.client.llen(QUEUE)
                and not stage.client.zcard(LEDGER)
                and (not drama.recorder or account.is_recorded(stage.client))
            )
        return False

    try:
        return wait_until(is_empty, DRAIN, "an empty queue and ledger", every=0.5)
    except AssertionError:
        return False


def _history(
    stage: Stage, schedules: tuple[Schedule, ...], sender: Sender, watch: Watch, hand: Hand, read_at: int
) -> History:
    executions = stage.executions()
    told = account.news(stage.client)
    evidence = History((), (), (), (), 0, executions=executions)
    return History(
        schedules=schedules,
        dispatches=_dispatches(first_starts(evidence), told),
        news=told,
        skips=account.skips(stage.client),
        read_at=read_at,
        faults=tuple(sorted(hand.faults, key=lambda fault: fault.began_at)),
        executions=executions,
        calls=tuple(sender.calls),
        endings=account.endings(stage.client),
        rows=account.rows(stage.database) if stage.named("recorder") else None,
        health=tuple(watch.health),
        visible=account.visible(stage.client),
    )


def _dispatches(starts: Sequence[Dispatch], told: Sequence[Dispatch]) -> tuple[Dispatch, ...]:
    """What ran, by the tasks' own word, at the instant that the server stamped its dispatch."""
    stamped = {dispatch.run: dispatch.at for dispatch in told}
    return tuple(
        Dispatch(each.schedule, each.slot, each.run, min(each.at, stamped.get(each.run, each.at) + 1))
        for each in starts
    )


def _judged(
    drama: Drama,
    history: History,
    hand: Hand,
    drained: bool,
    fell: Sequence[str],
    ends: dict[str, float | None],
    again: int,
) -> Report:
    violations = check(history)
    wanted, done = demanded(history), len(history.faults)
    soon = recoveries(hand.killed, history.executions)
    slow = sum(each > RECOVERY_BAR for each in soon)
    bars = (
        Bar(f"at least {drama.slots} slots", str(wanted), wanted >= drama.slots),
        Bar(f"at least {drama.faults} faults", str(done), done >= drama.faults),
        *none_of(violations),
        Bar("all that was accepted came out", "yes" if drained else "no", drained),
        Bar("nobody ended by itself", ", ".join(fell) or "nobody", not fell),
    )
    if drama.recovers:
        found = f"{slow} of {len(soon)} later"
        bars = (*bars, Bar("what a killed worker had in hand runs again within 15 s", found, not slow))
    effects = sum(line.kind == "effect" for line in history.executions)
    taken_over = [*filter(isfinite, takeovers(history))]  # not those after which no slot was due
    figures = {
        "faults": dict(sorted(_counted(history).items())),
        "left out, the victim being hurt already": hand.left_out,
        "late, ms": lateness(history),
        "latest due slot after a leader's kill, ms": spread(taken_over),
        "longest silence, ms": longest_silence(history),
        "jobs accepted": sum(call.outcome == "ok" for call in history.calls),
        "jobs without an answer": sum(call.outcome == "info" for call in history.calls),
        "from a job's acceptance to its first start, ms": spread(waits(history.calls, history.executions)),
        "starts": sum(line.kind == "start" for line in history.executions),
        "effects": effects,
        "effects that came again, and did not count": again - effects,
        "a killed worker's runs, ms to the next start": spread([each for each in soon if each != float("inf")]),
        "seconds to end after SIGTERM": {name: each if each is None else round(each, 1) for name, each in ends.items()},
    }
    return Report(drama.name, bars, figures, tuple(violations), history)


def _counted(history: History) -> dict[str, int]:
    kinds = [f"{fault.kind} {fault.victim.split('-')[0]}" for fault in history.faults]
    return {kind: kinds.count(kind) for kind in kinds}
