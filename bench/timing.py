"""How late single messages are: lateness, edit, takeover. Instants are read by a process of its own (`bench.arrivals`)."""

import math
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from bench.arrivals import TAKEN, Control, Reader
from bench.harness import Bench, Row, quantile
from bench.plan import plan
from bench.sample import EXECUTED, TASK, Message, make_app
from bench.servers import Process, RunFailedError, Site, sleep_until, wait_for
from bench.systems import DJANGO, LIVEBEAT, REDBEAT, System, worker
from livebeat import Interval, ScheduleSpec, ScheduleStore, leader

#: lateness: so many one-second intervals, their slots spread evenly, for so many seconds.
SCHEDULES, SECONDS = 100, 60
#: A second in which the sleeping control woke later than this (seconds) says more about the machine than about us.
NOISY = 0.02
EDITS, OTHERS = 500, 1000
#: Seconds between an edit's call and the slot that it makes due; doubled where the store took longer.
AHEAD = 0.005
#: Seconds after warm-up at which a peer is edited, and after which it is given up: it may sleep as long as it likes.
PEERS = ((REDBEAT, (10.0, 110.0, 210.0), 320.0), (DJANGO, (0.0, 1.7, 3.4), 60.0))
WARM = 8.0
BEATS, KILLS, TICKING = 3, 30, 20

Arrivals = Sequence[tuple[float, Message]]


def every_second(site: Site, count: int, start: float) -> None:
    """`count` one-second intervals, evenly spread; their first slots from `start` + 1 s on."""
    store = ScheduleStore(make_app(site.url))
    for number in range(count):
        anchor = datetime.fromtimestamp(start + number / count, UTC)
        rule = Interval(seconds=1, anchor=anchor)
        name = f"every-second-{number:03d}"
        arguments = {"schedule": name, "number": number}
        store.put(ScheduleSpec(name=name, task=TASK, recurrence=rule, kwargs=arguments))


def late(arrivals: Arrivals) -> list[tuple[float, float]]:
    """(slot in epoch seconds, seconds from it to the list) of each message; raises RunFailedError for a doubled one."""
    found = [(_slot(message), at) for at, message in arrivals]
    if len({(message.schedule, message.slot) for _, message in arrivals}) != len(found):
        raise RunFailedError("a slot was dispatched twice")
    return [(slot, at - slot) for slot, at in found]


def _slot(message: Message) -> float:
    if message.slot is None:
        raise RunFailedError(f"a message of {message.schedule} carries no slot")
    return datetime.fromisoformat(message.slot).timestamp()


def lateness(bench: Bench) -> None:
    """100 dispatches a second, each a slot of its own, beside a control that only sleeps."""

    def measure() -> Row:
        with bench.site() as site:
            LIVEBEAT.start(site)
            reader = Reader(site)
            worker(site, TAKEN, "-P", "threads", "-c", "2")
            start = math.ceil(time.time() + WARM)
            every_second(site, SCHEDULES, start)
            first, last = start + 1, start + 1 + SECONDS
            control = Control(site, start=first, period=1 / SCHEDULES, seconds=SECONDS)
            sleep_until(last + 2)
            in_window = [(slot, by) for slot, by in late(reader.stop()) if first <= slot < last]
            if len(in_window) != SCHEDULES * SECONDS:
                raise RunFailedError(f"{len(in_window)} of {SCHEDULES * SECONDS} slots were dispatched")
            executed = site.client.hvals(EXECUTED)
            if set(executed) != {"1"}:
                raise RunFailedError("a message was executed twice")
            return {**_lateness(in_window, control.lateness()), "reader_us": quantile(reader.overhead, 0.5) * 1e6}

    for run in range(min(bench.runs, 3)):
        bench.record("lateness", run, LIVEBEAT.name, measure, n=SCHEDULES * SECONDS)


def _lateness(ours: Sequence[tuple[float, float]], control: Sequence[tuple[float, float]]) -> Row:
    worst_control: dict[int, float] = defaultdict(float)
    for at, by in control:
        worst_control[int(at)] = max(worst_control[int(at)], by)
    noisy = {second for second, by in worst_control.items() if by > NOISY}
    quiet = [by for slot, by in ours if int(slot) not in noisy]
    lates, controls = [by for _, by in ours], [by for _, by in control]
    return {
        "earliest_ms": min(lates) * 1000,
        "p50_ms": quantile(lates, 0.5) * 1000,
        "p99_ms": quantile(lates, 0.99) * 1000,
        "max_ms": max(lates) * 1000,
        "max_quiet_ms": max(quiet) * 1000 if quiet else None,
        "noisy_seconds": len(noisy),
        "control_p99_ms": quantile(controls, 0.99) * 1000,
        "control_max_ms": max(controls) * 1000,
    }


def edit(bench: Bench) -> None:
    """A schedule is changed so that it is due at once; how long until its message is on the list."""
    bench.record("edit", 0, LIVEBEAT.name, partial(_our_edits, bench), n=EDITS)
    for system, phases, cap in PEERS:
        bench.record("edit", 0, system.name, partial(_peer_edits, bench, system, phases, cap), n=len(phases))


def _our_edits(bench: Bench) -> Row:
    with bench.site() as site:
        LIVEBEAT.populate(site, plan(OTHERS, time.time() + 5400))
        LIVEBEAT.start(site)
        reader = Reader(site)
        time.sleep(WARM)
        edits = _edits(site)
        arrived = {message.schedule: at for at, message in reader.wait(EDITS, 30)}
        from_call = [arrived[name] - called for name, called, _ in edits]
        from_due = [arrived[name] - due for name, _, due in edits]
    return {**_spread(from_due), "p99_from_call": quantile(from_call, 0.99), "samples": from_due}


def _edits(site: Site) -> list[tuple[str, float, float]]:
    """Name, instant of the call, and the later of its return and the slot, of each edit."""
    store, chance, ahead = ScheduleStore(make_app(site.url)), random.Random(1), AHEAD
    done: list[tuple[str, float, float]] = []
    for planned in plan(EDITS, time.time()):
        before = store.get(planned.name).spec
        while True:
            called = time.time()
            slot = called + ahead
            rule = Interval(seconds=planned.every, anchor=datetime.fromtimestamp(slot - planned.every, UTC))
            written = store.put(before.with_changes(recurrence=rule))
            returned = time.time()
            if written.next_at is not None and written.next_at.timestamp() < slot + 1:
                break
            ahead *= 2
        done.append((planned.name, called, max(returned, slot)))
        time.sleep(chance.uniform(0.01, 0.05))
    return done


def _spread(seconds: Sequence[float]) -> Row:
    return {"p50": quantile(seconds, 0.5), "p99": quantile(seconds, 0.99), "max": max(seconds)}


def _peer_edits(bench: Bench, system: System, phases: Sequence[float], cap: float) -> Row:
    """One sleeping scheduler for each phase, all at the same time."""
    with ExitStack() as stack:
        sites = [stack.enter_context(bench.site()) for _ in phases]
        for site in sites:
            system.populate(site, plan(OTHERS, time.time() + 5400))
            system.start(site)
        readers = [Reader(site) for site in sites]
        warm = time.time() + WARM
        edited = []
        for site, phase in zip(sites, phases, strict=True):
            sleep_until(warm + phase)
            system.populate(site, [replace(plan(1, time.time() - 2)[0], number=OTHERS)])
            edited.append(time.time())
        noticed = [reader.wait(1, max(warm + cap - time.time(), 1))[0][0] for reader in readers]
    seconds = [max(at - by, 0.0) for at, by in zip(noticed, edited, strict=True)]
    return {**_spread(seconds), "samples": seconds}


def takeover(bench: Bench) -> None:
    """kill -9 of the leader of three, again and again, a slot due each 50 ms."""
    bench.record("takeover", 0, LIVEBEAT.name, partial(_takeovers, bench), n=KILLS)


def _takeovers(bench: Bench) -> Row:
    with bench.site() as site:
        beats = [LIVEBEAT.start(site) for _ in range(BEATS)]
        reader = Reader(site)
        worker(site, TAKEN, "-P", "threads", "-c", "2")
        time.sleep(WARM)
        start = math.ceil(time.time() + 1)
        every_second(site, TICKING, start)
        sleep_until(start + 3)
        chance = random.Random(2)
        killed = []
        for _ in range(KILLS):
            time.sleep(chance.uniform(4, 5))
            killed.append(_kill_leader(site, beats))
        end = math.floor(time.time() + 4)
        sleep_until(end + 1)
        arrivals = reader.stop()
    slots = [(slot, by) for slot, by in late(arrivals) if start + 1 <= slot < end]
    after = [min(slot + by for slot, by in slots if slot + by > at) - at for at in killed]
    worst = [max(by for slot, by in slots if at - 0.1 <= slot <= at + 3) for at in killed]
    return {
        **_spread(after),
        "worst": max(worst),
        "slots": len(slots),
        "missing": TICKING * (end - start - 1) - len(slots),
        "samples": after,
    }


def _kill_leader(site: Site, beats: list[Process]) -> float:
    """Kill it, start another in its place; returns the instant. The lock of one killed before ends after 5 s."""
    app = make_app(site.url)

    def victims() -> list[Process]:
        token = (leader(app) or "::").split(":")  # livebeat:<host>:<pid>:…
        return [beat for beat in beats if str(beat.pid) == token[2]]

    wait_for(lambda: bool(victims()), 15, "a leader among the living")
    victim = victims()[0]
    at = time.time()
    victim.kill()
    beats.remove(victim)
    beats.append(LIVEBEAT.start(site))
    return at
