"""N schedules of distinct rules due in one second: dispatch, first-tick, aof, slowlog.

dispatch: the beat is running and warm, with the same lead for every system. first-tick: they are overdue already when
the beat starts. Each run's messages are checked one by one; after the engine's, a real worker executes them all.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast

from bench.arrivals import Curve, check_messages, messages, watch
from bench.harness import Bench, Row, interleaved, quantile
from bench.plan import Planned, Rules, plan
from bench.sample import EXECUTED, Message
from bench.servers import QUEUE, Process, RunFailedError, Site, sleep_until, wait_for
from bench.systems import ADOPTING, APSCHEDULER, DJANGO, LIVEBEAT, REDBEAT, System, worker

#: Seconds that every system has between its start, its data in place, and the due instant.
LEAD = 10.0
#: Seconds that storing a plan may take beside its pace.
SETTLE = 6.0
#: Seconds after which a run of a fast and of a slow system is over.
CAP, SLOW_CAP = 90.0, 60.0
_SMALL = (100, 1000)
_SLOW, _SLOW_RUNS = (DJANGO, APSCHEDULER), 2
#: Present while something is not executed, not finished or not acknowledged; what is not would come again.
_OPEN = (QUEUE, "livebeat:ledger", "unacked")


@dataclass(frozen=True)
class Burst:
    """A burst that is about to be due, the scheduler running."""

    site: Site
    process: Process
    due: int
    names: set[str]


def dispatch(bench: Bench) -> None:
    """The headline: the engine and RedBeat at N, in pairs."""
    for run, system in interleaved(bench.runs, (LIVEBEAT, REDBEAT)):
        _record(bench, "dispatch", run, system, bench.n)


def peers(bench: Bench) -> None:
    """The engine on RedBeat's data and the slow systems at N; then every system at small N. Published with dispatch."""
    for run, system in interleaved(_SLOW_RUNS, (ADOPTING, *_SLOW)):
        _record(bench, "dispatch", run, system, bench.n)
    for n in (small for small in _SMALL if small < bench.n):
        for run, system in interleaved(min(bench.runs, 3), (LIVEBEAT, REDBEAT, *_SLOW)):
            _record(bench, "dispatch", run, system, n)


def dispatch_cron(bench: Bench) -> None:
    """The same with a cron rule for each."""
    for run, system in interleaved(min(bench.runs, 3), (LIVEBEAT, REDBEAT)):
        _record(bench, "dispatch-cron", run, system, bench.n, rules="cron")


def dispatch_mixed(bench: Bench) -> None:
    """The same with a rule of each kind in turn; RedBeat, which has fewer kinds, with cron rules."""
    for run, system in interleaved(min(bench.runs, 5), (LIVEBEAT, REDBEAT)):
        _record(bench, "dispatch-mixed", run, system, bench.n, rules="mixed")


def _record(bench: Bench, what: str, run: int, system: System, n: int, *, rules: Rules = "interval") -> None:
    def measure() -> Row:
        with ahead(bench, system, n, rules=rules) as burst:
            cap, partly = (SLOW_CAP, True) if system in _SLOW else (CAP, False)
            return {**measured(burst, cap=cap, partly=partly), **_executed(burst, system)}

    bench.record(what, run, system.name, measure, n=n)


def _executed(burst: Burst, system: System) -> Row:
    if system not in (LIVEBEAT, ADOPTING):
        return {}
    return {"executed": drain(burst.site, messages(burst.site))}


@contextmanager
def stored(
    bench: Bench, system: System, n: int, *, lead: float, rules: Rules = "interval"
) -> Iterator[tuple[Site, list[Planned]]]:
    """A site with everything stored, `lead` seconds before the due instant or earlier.

    Begins anew, with more time, where storing took longer than thought.
    """
    for pace in (system.pace, system.pace / 4, system.pace / 16):
        with bench.site() as site:
            planned = plan(n, time.time() + n / pace + SETTLE + lead, rules)
            system.populate(site, planned)
            if time.time() < planned[0].due - lead:
                yield site, planned
                return
    raise RunFailedError(f"{n} schedules can't be stored in time")


@contextmanager
def ahead(bench: Bench, system: System, n: int, *, rules: Rules = "interval") -> Iterator[Burst]:
    """A second before the due instant, the scheduler started `LEAD` seconds before that instant."""
    with stored(bench, system, n, lead=LEAD, rules=rules) as (site, planned):
        due = planned[0].due
        sleep_until(due - LEAD)
        process = system.start(site)
        sleep_until(due - 1)
        process.check()
        if site.waiting():
            raise RunFailedError(f"{site.waiting()} messages were early")
        yield Burst(site, process, due, {one.name for one in planned})


def measured(burst: Burst, *, cap: float, partly: bool = False) -> Row:
    """Seconds after the due instant, messages a second up to the last, CPU and memory.

    Raises:
        RunFailedError: a message is early, wrong, or (unless `partly`) not there after `cap` seconds.
    """
    before = burst.process.cpu_seconds, burst.site.server_cpu_seconds
    curve = watch(burst.site, len(burst.names), burst.due + cap)
    burst.process.check()
    cpu, server_cpu = burst.process.cpu_seconds - before[0], burst.site.server_cpu_seconds - before[1]
    if curve.first < burst.due:
        raise RunFailedError(f"the first message was {burst.due - curve.first:.3f} s early")
    if curve.count == len(burst.names):
        check_messages(messages(burst.site), burst.names)
    elif not partly:
        raise RunFailedError(f"{curve.count:,} of {len(burst.names):,} messages came within {cap:.0f} s")
    return {
        **after(burst.due, curve, len(burst.names)),
        "cpu_us": cpu / curve.count * 1e6,
        "server_cpu_us": server_cpu / curve.count * 1e6,
        "cpu_in_all": burst.process.cpu_seconds,
        "rss_mib": burst.process.resident_bytes / 2**20,
    }


def after(due: float, curve: Curve, n: int) -> Row:
    """A curve in seconds after an instant."""
    points = {"first": 1, "p50": n * 0.5, "p99": n * 0.99}
    reached = {name: curve.reached(count) for name, count in points.items()}
    return {
        **{name: None if at is None else at - due for name, at in reached.items()},
        "last": curve.last - due,
        "sent": curve.count,
        "sent_share": curve.count / n,
        "rate": curve.count / (curve.last - due),
    }


def drain(site: Site, found: list[Message]) -> int:
    """Have a worker execute all that waits; returns how many it executed.

    Raises:
        RunFailedError: one of the messages was executed never or twice, or the ledger or the list isn't empty.
    """
    running = worker(site, "celery", "-P", "prefork", "-c", "2")
    seconds = 60 + len(found) / 50
    try:
        wait_for(lambda: site.client.hlen(EXECUTED) >= len(found), seconds, "every message executed")
        wait_for(
            lambda: not site.client.exists(*_OPEN), 60, "the list and the ledger empty, every message acknowledged"
        )
    finally:
        running.stop()
    executed = cast("dict[str, str]", site.client.hgetall(EXECUTED))
    wrong = {message.id for message in found} ^ executed.keys()
    doubled = [run for run, times in executed.items() if times != "1"]
    if wrong or doubled:
        raise RunFailedError(f"{len(wrong)} runs executed that were not sent or the reverse, {len(doubled)} twice")
    site.client.delete(EXECUTED)
    return len(executed)


def first_tick(bench: Bench) -> None:
    """N slots, one a schedule, are three seconds overdue when the beat starts cold."""

    def measure(system: System) -> Row:
        with stored(bench, system, bench.n, lead=0) as (site, planned):
            sleep_until(planned[0].due + 3)
            process = system.start(site)
            curve = watch(site, bench.n, time.time() + CAP)
            process.check()
            check_messages(messages(site), {one.name for one in planned})
            seconds = curve.last - curve.first
            return {
                **after(process.started_at, curve, bench.n),
                "rate_from_first": (bench.n - (curve.points[1][1])) / seconds if seconds else None,
            }

    for run, system in interleaved(bench.runs, (LIVEBEAT, REDBEAT)):
        bench.record("first-tick", run, system.name, partial(measure, system))


def aof(bench: Bench) -> None:
    """Each write on the disk before it is answered, beside once a second."""
    policies = ("everysec", "always")

    def measure(policy: str) -> Row:
        with ahead(bench, LIVEBEAT, bench.n) as burst:
            burst.site.client.config_set("appendfsync", policy)
            return measured(burst, cap=CAP)

    for run in range(bench.runs):
        for policy in policies if run % 2 == 0 else policies[::-1]:
            bench.record("aof", run, policy, partial(measure, policy))


def slowlog(bench: Bench) -> None:
    """How long each script held the server during a dispatch."""

    def measure() -> Row:
        with ahead(bench, LIVEBEAT, bench.n) as burst:
            client = burst.site.client
            client.config_set("slowlog-max-len", 1_000_000)
            client.config_set("slowlog-log-slower-than", 0)
            rate = measured(burst, cap=CAP)["rate"]
            client.config_set("slowlog-log-slower-than", -1)
            return {"rate": rate, "parts": script_times(burst.site)}

    for run in range(min(bench.runs, 3)):
        bench.record("slowlog", run, LIVEBEAT.name, measure)


def script_times(site: Site) -> dict[str, Row]:
    """Calls, and milliseconds of the server's time: of the script that took most of it, and of all the others."""
    taken: dict[str, list[float]] = defaultdict(list)
    for entry in site.client.slowlog_get(1_000_000):
        command, _, rest = entry["command"].decode(errors="replace").partition(" ")
        if command.upper() == "EVALSHA":
            taken[rest.split(" ", 1)[0]].append(entry["duration"] / 1000)
    if not taken:
        raise RunFailedError("no script ran")
    dispatching = max(taken, key=lambda sha: sum(taken[sha]))
    others = [one for sha, of in taken.items() if sha != dispatching for one in of]
    return {
        name: {"calls": len(of), "p50_ms": quantile(of, 0.5), "p99_ms": quantile(of, 0.99), "max_ms": max(of)}
        for name, of in (("the dispatch script", taken[dispatching]), ("other scripts", others))
        if of
    }
