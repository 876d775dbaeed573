"""From a request to its start: starts: requests come in at an even rate, each for a user of its own, to an idle worker.

The time is Redis' own, from the script that accepts a request to the one by which a child claims it, as `run.started` says.
A process that only sleeps to the same instants shows the machine's share.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

from bench.arrivals import Control
from bench.harness import Bench, Row, quantile
from bench.sample import EXECUTED, TASK, make_app
from bench.servers import QUEUE, RunFailedError, Site, sleep_until, wait_for
from bench.systems import worker
from livebeat import install, send

RATE, SECONDS = 200, 30
#: Requests before that, so that each child has worked.
WARM_UP = 200
_WARM = 3.0


@dataclass(frozen=True)
class Pool:
    """A worker's pool and how many tasks it runs at once."""

    name: str
    concurrency: int


POOLS = (Pool("prefork", 2), Pool("threads", 8))


def starts(bench: Bench) -> None:
    """Each pool in turn."""
    for run in range(min(bench.runs, 5)):
        for pool in POOLS:
            bench.record("starts", run, pool.name, partial(_measure, bench, pool), n=RATE * SECONDS)


def _measure(bench: Bench, pool: Pool) -> Row:
    with bench.site() as site:
        running = worker(site, QUEUE, "-P", pool.name, "-c", str(pool.concurrency), "--prefetch-multiplier", "1")
        ask = _asking(site)
        for number in range(WARM_UP):
            ask(number)
        wait_for(lambda: site.client.hlen(EXECUTED) >= WARM_UP, 60, "the warm-up")
        start = math.ceil(time.time() + _WARM)
        control = Control(site, start=start, period=1 / RATE, seconds=SECONDS)
        for number in range(RATE * SECONDS):
            sleep_until(start + number / RATE)
            ask(WARM_UP + number)
        asked = time.time() - start
        wait_for(lambda: site.client.hlen(EXECUTED) >= WARM_UP + RATE * SECONDS, 60, "every request")
        running.check()
        if set(site.client.hvals(EXECUTED)) != {"1"}:
            raise RunFailedError("a request was executed twice")
        late = _lateness(site)[WARM_UP:]
        machine = [by for _, by in control.lateness()]
        return {
            "rate": len(late) / asked,
            **{f"p{share}_ms": quantile(late, share / 100) * 1000 for share in (50, 99)},
            "max_ms": max(late) * 1000,
            "control_p99_ms": quantile(machine, 0.99) * 1000,
            "control_max_ms": max(machine) * 1000,
        }


def _asking(site: Site) -> Callable[[int], None]:
    app = make_app(site.url)
    install(app)

    def ask(number: int) -> None:
        arguments = {"schedule": f"user-{number}", "number": number}
        if not send(TASK, kwargs=arguments, unique=f"stats-refresh:{number}", app=app).accepted:
            raise RunFailedError("a request was not accepted")

    return ask


def _lateness(site: Site) -> list[float]:
    """Seconds, of each start in turn."""
    events = cast("list[tuple[str, dict[str, str]]]", site.client.xrange("livebeat:events"))
    return [json.loads(fields["data"])["lateness"] for _, fields in events if fields["type"] == "run.started"]
