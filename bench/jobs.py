"""What the ledger costs a job: jobs: the same preloaded messages run by plain Celery and by an installed worker.

Prefork with two children, late acknowledgement, prefetch 1, the trivial job of the other measurements. CPU is the
worker's process tree and the server's.
"""

import time
from dataclasses import dataclass
from functools import partial

from bench.harness import Bench, Row, interleaved
from bench.sample import EXECUTED, TASK, make_app
from bench.servers import QUEUE, RunFailedError, Site, wait_for
from bench.systems import worker
from livebeat import install, send

#: Jobs in one run, and on the list before that so that both children are warm.
JOBS, WARM_UP = 10_000, 200
_RUNNING = "bench:queue"
_CAP = 180.0


@dataclass(frozen=True)
class Kind:
    """`installed`: the worker's app called `livebeat.install`, and messages are sent through the ledger."""

    name: str
    installed: bool


PLAIN, LEDGERED = Kind("celery", installed=False), Kind("livebeat", installed=True)


def jobs(bench: Bench) -> None:
    """Pairs of drains, in turn forwards and backwards."""
    for run, kind in interleaved(bench.runs, (LEDGERED, PLAIN)):
        bench.record("jobs", run, kind.name, partial(_drain, bench, kind), n=min(bench.n, JOBS))


def _drain(bench: Bench, kind: Kind) -> Row:
    count = min(bench.n, JOBS)
    with bench.site() as site:
        running = worker(site, _RUNNING, "-P", "prefork", "-c", "2", "--prefetch-multiplier", "1", kind=kind.name)
        _send(site, WARM_UP, kind)
        _let_go(site, WARM_UP)
        _send(site, count, kind)
        before = running.cpu_seconds, site.server_cpu_seconds
        started = time.monotonic()
        _let_go(site, WARM_UP + count)
        seconds = time.monotonic() - started
        running.check()
        cpu, server_cpu = running.cpu_seconds - before[0], site.server_cpu_seconds - before[1]
        if set(site.client.hvals(EXECUTED)) != {"1"}:
            raise RunFailedError("a job was executed twice")
        return {
            "rate": count / seconds,
            "cpu_us": cpu / count * 1e6,
            "server_cpu_us": server_cpu / count * 1e6,
            "job_us": (cpu + server_cpu) / count * 1e6,
            "rss_mib": running.resident_bytes / 2**20,
        }


def _send(site: Site, count: int, kind: Kind) -> None:
    app = make_app(site.url)
    if kind.installed:
        install(app)
    for number in range(count):
        arguments = {"schedule": f"job-{number}", "number": number}
        if kind.installed:
            send(TASK, kwargs=arguments, app=app)
        else:
            app.send_task(TASK, kwargs=arguments, ignore_result=True)
    if site.client.llen(QUEUE) != count:
        raise RunFailedError("not every job is on the list")


def _let_go(site: Site, executed: int) -> None:
    """All that waits is the worker's at one instant; until all of it was executed and acknowledged."""
    site.client.rename(QUEUE, _RUNNING)
    wait_for(lambda: site.client.hlen(EXECUTED) >= executed, _CAP, "every job executed")
    wait_for(lambda: not site.client.exists("unacked", "livebeat:ledger"), 30, "every job acknowledged and finished")
