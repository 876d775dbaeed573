"""What a scheduler costs while nothing is due, and until it is there: idle, start-up, memory."""

import time
from functools import partial

from bench.arrivals import watch
from bench.harness import Bench, Row, interleaved
from bench.plan import plan
from bench.servers import Process, RunFailedError, Site, sleep_until
from bench.systems import APSCHEDULER, DJANGO, LIVEBEAT, REDBEAT, System

ALL = (LIVEBEAT, REDBEAT, DJANGO, APSCHEDULER)
#: Seconds that idle is watched, and that any scheduler needs to have read its store.
WINDOW, WARM = 30.0, 10.0
#: Seconds from now until what must not be due in a run is due.
FAR = 5400
_EVENTS = "livebeat:events"


def idle(bench: Bench) -> None:
    """N schedules, none due."""

    def measure(system: System) -> Row:
        with bench.site() as site:
            system.populate(site, plan(bench.n, time.time() + FAR))
            process = system.start(site)
            time.sleep(WARM)
            return idle_of(site, process)

    for run, system in interleaved(min(bench.runs, 3), ALL):
        bench.record("idle", run, system.name, partial(measure, system))


def idle_of(site: Site, process: Process) -> Row:
    """CPU in % of one core, commands a second (those inside scripts counted), memory."""

    def reading() -> tuple[float, float, float, int]:
        commands = site.client.info("stats")["total_commands_processed"]
        return time.monotonic(), process.cpu_seconds, site.server_cpu_seconds, int(commands)

    before = reading()
    time.sleep(WINDOW)
    process.check()
    if site.waiting():
        raise RunFailedError("something was due")
    now, cpu, server_cpu, commands = (end - start for end, start in zip(reading(), before, strict=True))
    return {
        "cpu_percent": cpu / now * 100,
        "server_cpu_percent": server_cpu / now * 100,
        "commands_s": (commands - 2) / now,  # the readings themselves
        "rss_mib": process.resident_bytes / 2**20,
    }


def start_up(bench: Bench) -> None:
    """Process start to the first message, one schedule overdue and N not due."""

    def measure(system: System) -> Row:
        with bench.site() as site:
            system.populate(site, plan(bench.n, time.time() + FAR))
            return start_up_of(site, system, first=bench.n)[1]

    for run, system in interleaved(min(bench.runs, 5), ALL):
        bench.record("start-up", run, system.name, partial(measure, system))


def start_up_of(site: Site, system: System, *, first: int) -> tuple[Process, Row]:
    """Store one more schedule, numbered `first`, wait until it is overdue, start."""
    overdue = plan(1, time.time() + 3, first=first)
    system.populate(site, overdue)
    sleep_until(overdue[0].due + 1)
    process = system.start(site)
    curve = watch(site, 1, time.time() + 60)
    return process, {"seconds": curve.last - process.started_at, "cpu": process.cpu_seconds}


def memory(bench: Bench) -> None:
    """Bytes that a stored schedule takes in Redis, its one event apart, and the beat's resident memory with N of them."""

    def measure(system: System) -> Row:
        with bench.site() as site:
            empty = site.memory()
            system.populate(site, plan(bench.n, time.time() + FAR))
            full = site.memory()
            events = site.client.exists(_EVENTS)
            site.client.xtrim(_EVENTS, 0, approximate=False)  # a DEL would free it some time later
            trimmed = site.memory()
            process = system.start(site)
            time.sleep(WARM)
            process.check()
            return {
                "bytes_each": (trimmed - empty) / bench.n,
                "event_bytes_each": (full - trimmed) / bench.n if events else None,
                "rss_mib": process.resident_bytes / 2**20,
            }

    for run, system in interleaved(min(bench.runs, 3), (LIVEBEAT, REDBEAT)):
        bench.record("memory", run, system.name, partial(measure, system))
