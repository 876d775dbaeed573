"""The relay behind a long queue: backlog: what it pushes twice, what it costs, and how soon it sees a worker vanish.

Five messages for each of `n` wait for longer than their first check with nobody to take them, then one worker drains them,
while the leading beat's relay looks at them again and again. All that time runs on another queue are claimed and
abandoned, as by a worker that is killed: each is to be on its list again soon after its lease has ended.
"""

import json
import time
from typing import cast

from celery import Celery

from bench.harness import Bench, Row, quantile
from bench.sample import EXECUTED, TASK, make_app
from bench.servers import RunFailedError, Site, sleep_until, wait_for
from bench.systems import LIVEBEAT, worker
from livebeat import install, send
from livebeat.connection import link
from livebeat.delivery.ledger import FIRST_CHECK, LEASE, Ledger, Run

_ABANDONED, _TASK = "abandoned", "bench.abandoned"
#: Runs that are abandoned, one a second, from the backlog's first checks on.
_RUNS = 20
_CAP = 900.0


def backlog(bench: Bench) -> None:
    """One system, the engine: plain Celery has nothing to look at."""
    for run in range(min(bench.runs, 3)):
        bench.record("backlog", run, LIVEBEAT.name, lambda: _drain(bench), n=5 * bench.n)


def _drain(bench: Bench) -> Row:
    count = 5 * bench.n
    with bench.site() as site:
        app = make_app(site.url)
        install(app)
        first_at = time.time()
        for number in range(count):
            send(TASK, kwargs={"schedule": f"job-{number}", "number": number}, app=app)
        beat = LIVEBEAT.start(site)
        wait_for(lambda: bool(site.client.exists("livebeat:beats")), 30, "the beat")
        sleep_until(first_at + FIRST_CHECK)
        cpu, began = beat.cpu_seconds, time.monotonic()
        ticks, late = _abandon(site, app)
        running = worker(site, "celery", "-P", "threads", "-c", "4")
        wait_for(lambda: site.client.hlen(EXECUTED) >= count, _CAP, "every job executed", every=0.5)
        wait_for(lambda: site.client.zcard("livebeat:ledger") == _RUNS, 60, "every job finished")
        running.check()
        seconds = time.monotonic() - began
        executed = site.client.hvals(EXECUTED)
        if set(executed) != {"1"}:
            raise RunFailedError(f"{sum(times != '1' for times in executed)} jobs were executed twice")
        copies = _copies(site)
        return {
            "copies": copies,
            "copies_share": copies / count,
            "cpu_percent": (beat.cpu_seconds - cpu) / seconds * 100,
            "tick_max_ms": max(ticks) * 1000,
            "again_p50": quantile(late, 0.5),
            "again_max": max(late),
            "seconds": seconds,
        }


def _abandon(site: Site, app: Celery) -> tuple[list[float], list[float]]:
    """Seconds of the beat's ticks meanwhile, and from each claim without renewal to the message on its list again."""
    ledger = Ledger(link(app))
    claimed: dict[str, float] = {}
    again: dict[str, float] = {}
    ticks = [0.0]
    begin = time.time()
    while len(again) < _RUNS:
        second = time.time() - begin
        if second > _RUNS + 3 * LEASE:
            raise RunFailedError(f"{_RUNS - len(again)} abandoned runs were not pushed again")
        if len(claimed) < min(_RUNS, second):
            run = Run(send(_TASK, app=app, queue=_ABANDONED).run_id, _TASK, kind="send")
            site.client.lpop(_ABANDONED)
            ledger.claim(run, "bench", "bench")
            claimed[run.run] = time.time()
            ticks += [json.loads(said)["tick_seconds"] for said in site.client.hvals("livebeat:beats")]
        for text in site.client.lrange(_ABANDONED, 0, -1):
            run_id = json.loads(text)["headers"]["id"]
            again.setdefault(run_id, time.time() - claimed[run_id])
        time.sleep(0.01)
    return ticks, list(again.values())


def _copies(site: Site) -> int:
    """Messages of the backlog that were pushed once more."""
    events = cast("list[tuple[str, dict[str, str]]]", site.client.xrange("livebeat:events"))
    told = [json.loads(fields["data"]) for _, fields in events if fields["type"] == "run.requeued"]
    return sum(data["task"] == TASK for data in told)
