"""Livebeat under chaos, by name: what is done to whom, and how much of it there must be. Each returns a report."""

import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from chaos.account import news, skips, snapshot
from chaos.checker import Violation, check, demanded
from chaos.conservation import conservation
from chaos.disk import small_disk
from chaos.drama import CALM, QUIET, Drama, Say, play
from chaos.dramas import BEATS, MIX, REDIS
from chaos.faults import Act
from chaos.figures import lateness, longest_silence, spread, takeovers
from chaos.history import Dispatch, History, Schedule, to_ms
from chaos.load import every_tenth, several
from chaos.nemeses import Hand, Nemesis, plan
from chaos.report import Bar, Report, none_of
from chaos.stage import Stage
from chaos.tap import Tap
from chaos.zones import perform
from launcher.servers.binaries import ServerBinary
from livebeat import clock

#: Milliseconds within which another beat must have dispatched what was due when the leader died.
TAKEOVER_BAR = 1_000
_DISK_MEGABYTES = 16


def mix(
    logs: Path, binary: ServerBinary, *, seconds: float, seed: int, slots: int, faults: int, say: Say = lambda _: None
) -> Report:
    """Kills and stops of three beats, catch-up `all`; a tap takes the messages. So many slots and faults at least."""
    with Stage(logs, binary) as stage, Tap(stage.setup.redis_url) as tap:
        stage.start_beats(len(BEATS))
        schedules = several(stage.app)
        pause = threading.Event()
        pause.wait(CALM)
        hand = Hand(stage, say)
        hand.run(plan(seed, seconds, MIX), seconds)
        stage.await_beats()
        pause.wait(QUIET)
        fell = [*hand.fell, *stage.fallen()]
        read_at = to_ms(clock.now())
        stage.end("beat")
        tap.drain()
        history = _history(stage, schedules, tuple(tap.dispatches), read_at, hand)
        books = conservation(snapshot(stage.client, ledgered=False), schedules)
    return _judged("mix", history, books, slots, faults, fell)


def zones(logs: Path, binary: ServerBinary, *, seed: int, say: Say = lambda _: None) -> Report:
    """N14: a zone's clocks are set forward, another's back, amid kills of the beats and wrong clocks of theirs."""
    folder = logs / "zones"
    with Stage(logs, binary, chaos_zones=str(folder)) as stage, Tap(stage.setup.redis_url) as tap:
        hand = Hand(stage, say)
        schedules, read_at = perform(stage, tap, hand, seed, folder, QUIET)
        history = _history(stage, schedules, tuple(tap.dispatches), read_at, hand)
        books = conservation(snapshot(stage.client, ledgered=False), schedules)
    return _judged("n14-zones", history, books, 60, 10, hand.fell)


def takeover(logs: Path, binary: ServerBinary, *, rounds: int, seed: int) -> Report:
    """Kill -9 of the leader, again and again: what was due just then is dispatched by another within a second."""
    chance, pause = random.Random(seed), threading.Event()
    with Stage(logs, binary) as stage, Tap(stage.setup.redis_url) as tap:
        stage.start_beats(len(BEATS))
        schedules = every_tenth(stage.app)
        hand = Hand(stage)
        for _ in range(rounds):
            stage.await_beats()
            pause.wait(2 + chance.random())
            hand.hurt(Act(0, "kill", stage.await_leader(), 0, 0, 0, 6_000))
        stage.await_beats()
        pause.wait(QUIET)
        read_at = to_ms(clock.now())
        stage.end("beat")
        tap.drain()
        history = _history(stage, schedules, tuple(tap.dispatches), read_at, hand)
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


def full_disk(logs: Path, binary: ServerBinary, *, seconds: float, seed: int, fsync: str, say: Say) -> Report:
    """N16: no room for the append-only file. `everysec`: the server refuses writes; `always`: it ends."""
    drama = Drama(
        f"n16-disk-{fsync}",
        seconds,
        (Nemesis("disk", REDIS, (11.0, 14.0), (4.0, 6.0), 10_000),),
        slots=int(seconds * 8),
        faults=1,
        beats=2,
        server=("--appendfsync", fsync),
    )
    try:
        with small_disk(logs / "disk", _DISK_MEGABYTES) as folder:
            return play(drama, logs, binary, seed, say, data=folder / "server")
    except PermissionError as error:
        return Report(drama.name, (), {"not run here": f"no small file system could be mounted: {error}"})


def eviction(logs: Path, binary: ServerBinary) -> Report:
    """N18: a policy that lets the server drop schedules is found by `livebeat doctor`, and named."""
    with Stage(logs, binary, ledgered=True) as stage:
        stage.start_beats(1)
        before = _doctor(stage)
        stage.client.config_set("maxmemory-policy", "allkeys-lru")
        after = _doctor(stage)
    named = "allkeys-lru" in after.stdout
    return Report(
        "n18-eviction",
        (
            Bar("doctor finds nothing before", f"exit status {before.returncode}", before.returncode == 0),
            Bar("doctor finds it", f"exit status {after.returncode}", after.returncode > 0),
            Bar("and names the policy", "yes" if named else after.stdout + after.stderr, named),
        ),
        {},
    )


def _doctor(stage: Stage) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "livebeat", "doctor", "-A", "chaos.process", "--lang", "en"]
    env = stage.players["beat-0"].env
    return subprocess.run(argv, env=env, cwd=stage.scratch, capture_output=True, text=True, timeout=60)


def _history(
    stage: Stage, schedules: tuple[Schedule, ...], dispatches: tuple[Dispatch, ...], read_at: int, hand: Hand
) -> History:
    return History(
        schedules,
        dispatches,
        news(stage.client),
        skips(stage.client),
        read_at,
        tuple(sorted(hand.faults, key=lambda fault: fault.began_at)),
    )


def _judged(name: str, history: History, books: list[Violation], slots: int, faults: int, fell: list[str]) -> Report:
    violations = [*check(history), *books]
    wanted = demanded(history)
    done = len(history.faults)
    kinds = Counter(fault.kind for fault in history.faults)
    figures = {
        "faults": {**kinds, "of a leader": sum(each.led for each in history.faults)},
        "late, ms": lateness(history),
        "latest due slot after a leader's kill, ms": spread(takeovers(history)),
        "longest silence, ms": longest_silence(history),
    }
    bars = (
        Bar(f"at least {slots} slots", str(wanted), wanted >= slots),
        Bar(f"at least {faults} faults", str(done), done >= faults),
        *none_of(violations),
        Bar("no beat ended by itself", ", ".join(fell) or "none", not fell),
    )
    return Report(name, bars, figures, tuple(violations), history)
