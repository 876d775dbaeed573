"""Refreshing velog users: refresh: many of them, beside the consumer that the platform takes the place of; thousand-posts: a big one.

The simulator answers each request after 50 ms; a user of `refresh` has 20 posts, and no rate limit bites. Every system has
a database (SQLite) and a simulator of its own, and counts only if every post of every user has its totals at the end.
"""

import json
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, cast

import httpx2
import psutil  # type: ignore[import-untyped]

from bench.harness import Bench, Row, interleaved
from bench.sample import make_app
from bench.servers import Process, RunFailedError, Site, wait_for
from launcher.preflight import free_port
from livebeat import install, send
from simulators import world

USERS, POSTS, ANSWER_SECONDS = 100, 20, 0.05
#: Refreshed before the clock starts, so that every child has loaded what it needs.
WARM_UP = 16
BIG, LIMIT_PER_SECOND = 1000, 50
TASK = "app.tasks.stats.refresh_user_stats"
_CAP = 600.0
_OLD_LIST = "vd2:queue:stats-refresh"
_COUNT = (
    "from app.domains.velog.models import PostDailyStatistics as P; print('ROWS', P.objects.count(),"
    " P.objects.values('post').distinct().count())"
)


@dataclass(frozen=True)
class System:
    """`arguments`: of the Python process that does the work."""

    name: str
    arguments: tuple[str, ...]

    @property
    def is_ours(self) -> bool:
        """Whether it takes Celery's messages; the others take the old list's."""
        return self.name == "livebeat"


def _worker(children: int) -> tuple[str, ...]:
    quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING")
    return ("celery", "-A", "app.core.celery_app", "worker", "-Q", "stats", "-c", str(children), *quiet)


OURS = System("livebeat", _worker(8))
SERIAL = System("serial-consumer", ("bench.serial_consumer", "0.2", "0.5"))
SLEEPLESS = System("serial-consumer-sleepless", ("bench.serial_consumer", "0", "0"))


@dataclass(frozen=True)
class Velog:
    """A site's simulator and database; users have the primary keys 1 to `users`."""

    site: Site
    environ: dict[str, str]
    url: str

    def rows(self) -> tuple[int, int]:
        """How many daily totals there are, and of how many posts."""
        told = self.site.start("django", "shell", "--command", _COUNT, **self.environ).wait(60)
        _, rows, posts = next(line for line in told.splitlines() if line.startswith("ROWS")).split()
        return int(rows), int(posts)


def refresh(bench: Bench) -> None:
    """Drains, in turn forwards and backwards."""
    for run, system in interleaved(min(bench.runs, 3), (OURS, SERIAL, SLEEPLESS)):
        bench.record("refresh", run, system.name, partial(_drain, bench, system), n=USERS)


def _drain(bench: Bench, system: System) -> Row:
    with bench.site() as site:
        velog = _velog(site, WARM_UP + USERS, POSTS, per_second=100_000)
        running = site.start(*system.arguments, **velog.environ)
        _ask(site, system, range(1, WARM_UP + 1))
        _wait_for_end(site, running)
        before, started = running.cpu_seconds, time.monotonic()
        _ask(site, system, range(WARM_UP + 1, WARM_UP + USERS + 1))
        _wait_for_end(site, running)
        seconds = time.monotonic() - started
        row = {
            "rate": USERS / seconds,
            "cpu_ms": (running.cpu_seconds - before) / USERS * 1000,
            "rss_mib": running.resident_bytes / 2**20,
        }
        running.stop()
        _check(velog, (WARM_UP + USERS) * POSTS)
        return row


def thousand_posts(bench: Bench) -> None:
    """One user, a worker with one child."""
    for run in range(min(bench.runs, 3)):
        bench.record("thousand-posts", run, OURS.name, partial(_big, bench), n=BIG)


def _big(bench: Bench) -> Row:
    with bench.site() as site:
        velog = _velog(site, 1, BIG, per_second=LIMIT_PER_SECOND)
        running = site.start(*_worker(1), **velog.environ)
        wait_for(lambda: bool(site.client.exists("livebeat:workers")), 60, "the worker")
        started = time.monotonic()
        _ask(site, OURS, [1])
        sizes: list[tuple[float, int]] = []
        while site.client.exists("livebeat:ledger"):
            running.check()
            sizes.append((_read_so_far(site), _child_bytes(running)))
            if time.monotonic() - started > _CAP:
                raise RunFailedError("not within 600 s: the refresh")
            time.sleep(0.05)
        seconds = time.monotonic() - started
        running.stop()
        _check(velog, BIG)
        tenth = next(size for done, size in sizes if done >= BIG / 10)
        return {
            "seconds": seconds,
            "tenth_mib": tenth / 2**20,
            "end_mib": sizes[-1][1] / 2**20,
            "growth": sizes[-1][1] / tenth,
        }


def _velog(site: Site, users: int, posts: int, *, per_second: float) -> Velog:
    port = free_port(None, set())
    url = f"http://127.0.0.1:{port}"
    environ = {
        "DJANGO_SETTINGS_MODULE": "app.django_project.settings",
        "LIVEBEAT_DATA_DIR": str(site.folder),
        "DATABASE_URL": f"sqlite:///{site.folder / 'bench.sqlite3'}",
        "REDIS_URL": site.url,
        "VELOG_GRAPHQL_URL": f"{url}/v3/graphql",
        "VELOG_STATS_URL": f"{url}/v2cdn/graphql",
        "VELOG_REQUESTS_PER_SECOND": str(per_second),
        "LOG_LEVEL": "WARNING",
        "CONSUMER_LOG_LEVEL": "WARNING",
        **{f"AES_KEY_{index}": f"{index}" * 32 for index in range(10)},
    }
    simulator = site.start("simulators", "velog", "--port", str(port), "--still")
    site.start("django", "migrate", "--verbosity", "0", **environ).wait(120)
    _fill(site, simulator, url, users, posts)
    site.start("django", "load_users", str(site.folder / "users.json"), **environ).wait(120)
    return Velog(site, environ, url)


def _fill(site: Site, simulator: Process, url: str, users: int, posts: int) -> None:
    """The simulator's users with their posts, a file of the same users for our database, and slow answers."""
    known = [
        {"id": str(uuid.uuid4()), "username": f"user-{number}", "group_id": number} for number in range(1, users + 1)
    ]
    listed = [
        {"user_id": user["id"], "views": number, "released_at": (world.ANCHOR - timedelta(hours=number)).isoformat()}
        for user in known
        for number in range(posts)
    ]
    with httpx2.Client(base_url=url) as http:
        wait_for(lambda: _answers(http), 30, "the simulator", every=0.1)
        http.put("/_sim/world", json={"users": known, "add": listed}).raise_for_status()
        slow = {"kind": "slow", "delay": ANSWER_SECONDS, "times": None}
        http.put("/_sim/faults", json=slow).raise_for_status()
    simulator.check()
    records = []
    for user in known:
        pair = {
            kind: world.velog_token(str(user["id"]), time.time(), kind) for kind in ("access_token", "refresh_token")
        }
        records.append({"velog_uuid": user["id"], "username": user["username"], "group_id": user["group_id"], **pair})
    (site.folder / "users.json").write_text(json.dumps(records))


def _answers(http: httpx2.Client) -> bool:
    try:
        return http.get("/_sim/faults").status_code == 200
    except httpx2.TransportError:
        return False


def _ask(site: Site, system: System, users: Any) -> None:
    if not system.is_ours:
        for user in users:
            site.client.lpush(
                _OLD_LIST, json.dumps({"userId": user, "requestedAt": "2026-11-22T06:00:00Z", "retryCount": 0})
            )
        return
    app = make_app(site.url)
    install(app)
    for user in users:
        send(TASK, kwargs={"user_id": user}, queue="stats", unique=f"stats-refresh:{user}", app=app)


def _wait_for_end(site: Site, running: Process) -> None:
    def ended() -> bool:
        running.check()
        return not site.client.exists("livebeat:ledger", _OLD_LIST, f"{_OLD_LIST}:processing")

    wait_for(ended, _CAP, "every refresh", every=0.01)


def _check(velog: Velog, posts: int) -> None:
    rows = velog.rows()
    if rows != (posts, posts):
        raise RunFailedError(f"{rows[0]} totals of {rows[1]} posts, not of {posts}")


def _read_so_far(site: Site) -> float:
    """Posts whose statistics are read, as the run's last progress says."""
    last = cast("list[tuple[str, dict[str, str]]]", site.client.xrevrange("livebeat:events", count=1))
    data = json.loads(last[0][1]["data"]) if last else {}
    said = data.get("progress") or {}
    return float(said["done"]) if said.get("note") == "statistics" else 0.0


def _child_bytes(running: Process) -> int:
    """Resident bytes of the pool's one child."""
    return int(max(child.memory_info().rss for child in psutil.Process(running.pid).children()))
