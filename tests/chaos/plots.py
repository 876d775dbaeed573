"""Runs whose faults wait for what the system does: kills by the job, restarts until everybody works again, stops."""

import json
import random
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import redis

from chaos.drama import Live, Plot
from chaos.faults import Act
from chaos.figures import spread
from chaos.history import to_ms
from chaos.report import Bar
from chaos.stage import END_SECONDS, Stage
from livebeat import clock
from support.waiting import wait_until

#: Seconds after the server accepts in which everybody works again, and in which everybody has ended after SIGTERM.
RESTART_BAR, STOP_BAR = 10.0, 32.0
#: Seconds after which nobody is waited for any more.
_PATIENCE = 60.0


def killing(seed: int, kills: int, jobs: int) -> Plot:
    """Kill -9 of a worker so many times, evenly over so many jobs."""

    def plot(live: Live) -> tuple[tuple[Bar, ...], dict[str, Any]]:
        chance = random.Random(f"{seed} killing")
        workers = [player.name for player in live.stage.named("worker")]
        before = len(live.sender.calls)
        try:
            for number in range(kills):
                _await_jobs(live, before + int(jobs * (number + chance.uniform(0.2, 0.8)) / kills))
                live.hand.hurt(Act(0, "kill", chance.choice(workers), 0, 0, 0, 15_000))
                if number % 10 == 9:
                    live.say(f"{number + 1} of {kills} kills, {len(live.sender.calls) - before} of {jobs} jobs sent")
            _await_jobs(live, before + jobs)
        except KeyboardInterrupt:
            live.say("interrupted: healing, and then the report")
        done = sum(fault.kind == "kill" for fault in live.hand.faults)
        sent = len(live.sender.calls) - before
        return (Bar(f"{kills} kills", str(done), done >= kills), Bar(f"{jobs} jobs", str(sent), sent >= jobs)), {}

    return plot


def restarting(seed: int, restarts: int) -> Plot:
    """Kill -9 of the server, and again once everybody did something that it can't do without the server."""

    def plot(live: Live) -> tuple[tuple[Bar, ...], dict[str, Any]]:
        chance = random.Random(f"{seed} restarting")
        took: dict[str, list[float]] = {}
        try:
            for number in range(restarts):
                threading.Event().wait(chance.uniform(2.0, 5.0))  # in which a backlog is worked off
                act = live.hand.hurt(Act(0, "crash", "redis", 1, 0, 0, int(RESTART_BAR * 1000)))
                threading.Event().wait(chance.uniform(0.2, 3.0))
                if act:
                    live.hand.heal(act)
                slowest = _await_everybody(live, took)
                live.say(f"restart {number + 1} of {restarts}: everybody works again after {slowest:.1f} s")
        except KeyboardInterrupt:
            live.say("interrupted: healing, and then the report")
        worst = max((seconds for each in took.values() for seconds in each), default=0.0)
        found = f"{worst:.1f} s at most, in {max(map(len, took.values()), default=0)} restarts"
        return (Bar("everybody works again within 10 s of the server's accepting", found, worst <= RESTART_BAR),), {
            f"{name}, seconds to work again": spread(each) for name, each in took.items()
        }

    return plot


def stopping(seed: int, stops: int) -> Plot:
    """SIGTERM of all beats and workers under load, and all started again; what they had in hand must soon go on."""

    def plot(live: Live) -> tuple[tuple[Bar, ...], dict[str, Any]]:
        chance = random.Random(f"{seed} stopping")
        took: list[float] = []
        killed = 0
        for number in range(stops):
            threading.Event().wait(chance.uniform(5, 8))
            players = [*live.stage.named("beat"), *live.stage.named("worker")]
            families = frozenset(pid for player in players for pid in (player.pid, *player.children()))
            act = live.hand.hurt(Act(0, "end all", "everybody", 1, 0, 0, 40_000))
            began = clock.monotonic()
            for player in players:
                killed += player.await_end(END_SECONDS) is None
                took.append(clock.monotonic() - began)
            live.hand.killed.append((clock.now().timestamp() * 1000, families))
            if act:
                live.hand.heal(act)
            live.say(f"stop {number + 1} of {stops}: all ended after {took[-1]:.1f} s")
            live.stage.await_beats()
        bar = Bar(
            "all ended within 32 s of SIGTERM", f"{max(took):.1f} s at most", max(took) <= STOP_BAR and not killed
        )
        return (bar,), {"ended after SIGTERM, s": spread(took), "had to be killed": killed}

    return plot


def _await_jobs(live: Live, count: int) -> None:
    wait_until(lambda: len(live.sender.calls) >= count, 600, f"{count} jobs sent", every=0.01)


def _await_everybody(live: Live, took: dict[str, list[float]]) -> float:
    """Wait for a sign of life of each, and note when it was; returns the seconds that the slowest took."""
    accepted = to_ms(clock.now())
    began = clock.monotonic()
    probes = _probes(live, accepted)
    done: dict[str, float] = {}

    def is_over() -> bool:
        for name, works in probes.items():
            if name not in done and works():
                done[name] = clock.monotonic() - began
        return len(done) == len(probes)

    with suppress(AssertionError):
        wait_until(is_over, _PATIENCE, "everybody at work", every=0.1)
    for name in probes:
        took.setdefault(name, []).append(done.get(name, float("inf")))
    return max(done.get(name, float("inf")) for name in probes)


def _probes(live: Live, since: float) -> dict[str, Callable[[], bool]]:
    """For each, whether it did something since then."""
    probes: dict[str, Callable[[], bool]] = {}
    for beat in live.stage.named("beat"):
        probes[beat.name] = lambda pid=beat.pid: _beats_since(live.stage, pid, since)  # type: ignore[misc]
    for worker in live.stage.named("worker"):
        family = frozenset({worker.pid, *worker.children()})
        probes[worker.name] = lambda pids=family: _works_since(live.stage, pids, since)  # type: ignore[misc]
    if live.stage.named("recorder"):
        probes["recorder"] = lambda: _reads_since(live.stage, since)
    probes["client"] = lambda: any(
        call.outcome == "ok" and call.invoked_at > since for call in list(live.sender.calls[-50:])
    )
    return probes


def _beats_since(stage: Stage, pid: int, since: float) -> bool:
    with suppress(redis.RedisError):
        return any(beat["pid"] == pid and beat["at"] * 1000 > since for beat in stage.heartbeats())
    return False


def _works_since(stage: Stage, pids: frozenset[int], since: float) -> bool:
    """Whether one of these began a job since then: that needs the server, as ending one does not."""
    files = [file for pid in pids if (file := stage.evidence / f"{pid}.jsonl").exists()]
    newest = (json.loads(line) for file in files for line in file.read_text().splitlines()[-20:])
    return any(line["kind"] == "start" and line["at"] > since for line in newest)


def _reads_since(stage: Stage, since: float) -> bool:
    with suppress(redis.RedisError):
        groups: Any = stage.glance.xinfo_groups("livebeat:events")
        return any(
            group["name"] == "recorder" and float(group["last-delivered-id"].split("-")[0]) > since for group in groups
        )
    return False
