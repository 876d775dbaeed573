"""Two crawls of a whole simulated site by two real workers and a beat, and what they must leave behind."""

import os
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
import psutil  # type: ignore[import-untyped]

django.setup()

from django.core.management import call_command  # noqa: E402  Django must be set up before its models are read

from app.core.celery_app import celery_app  # noqa: E402
from app.domains.realestate import services  # noqa: E402
from app.domains.realestate.models import Article, ArticleChange, ArticleSnapshot, CrawlJob  # noqa: E402
from app.tasks.scheduler import crawl_all_complexes  # noqa: E402
from livebeat import send  # noqa: E402
from simulators import world  # noqa: E402
from support.platform_processes import start  # noqa: E402
from support.processes import Running, clean_environment  # noqa: E402
from support.serving import Simulator  # noqa: E402
from support.waiting import wait_until  # noqa: E402

LONGEST_SECONDS = 3600
RSS_GROWTH = 1.1


@dataclass(frozen=True)
class Bar:
    """One bar, whether it held, and what was measured."""

    name: str
    held: bool
    measured: str

    def __str__(self) -> str:
        return f"{'held  ' if self.held else 'BROKEN'}  {self.name}: {self.measured}"


class Stage:
    """The site and the processes; `run` once."""

    def __init__(
        self, land: Simulator, environment: dict[str, str], rate: float, size: tuple[int, int], data: Path
    ) -> None:
        self._land, self._rate, self._size = land, rate, size
        self._env = clean_environment(**environment)
        self._data = data
        self._overviews, self._listings = world.many(*size)

    def run(self) -> list[Bar]:
        """Crawl twice."""
        call_command("migrate", verbosity=0)
        for number, overview in self._overviews.items():
            services.put_complex({"complex_id": number, "complex_name": overview["complexName"]})
        with self._worker("one") as one, self._worker("two") as two, start("beat", self._env) as beat:
            for process in (one, two):
                process.wait_for_line("ready", 120)
            beat.wait_for_line("beat: Starting", 120)
            first = self._crawl()
            tenth = self._rss_at(first, self._size[0] // 10, (one, two))
            self._ended(first)
            bars = [*self._rows("first crawl", first, 1), _rss(tenth, self._memory((one, two))), *self._limits()]
            self._land.http.delete("/_sim/requests")
            second = self._crawl()
            wait_until(lambda: self._done(second) >= self._size[0] // 2, LONGEST_SECONDS, "half of the second crawl")
            os.killpg(one.pid, signal.SIGKILL)
            self._ended(second)
            return [*bars, *self._rows("second crawl, a worker killed", second, 2), *self._limits()]

    def _worker(self, name: str) -> Running:
        return start("worker", self._env, "--concurrency", "2", "-Q", "crawl", "-n", f"{name}@%h", "--loglevel", "info")

    def _crawl(self) -> str:
        return send(crawl_all_complexes.name, app=celery_app).run_id

    def _done(self, crawl_id: str) -> int:
        return CrawlJob.objects.filter(crawl_id=crawl_id, status="success").exclude(job_id=crawl_id).count()

    def _ended(self, crawl_id: str) -> None:
        open_ = CrawlJob.objects.filter(job_id=crawl_id).exclude(status="running")
        wait_until(open_.exists, LONGEST_SECONDS, f"the end of crawl {crawl_id}", every=0.5)

    def _rss_at(self, crawl_id: str, complexes: int, workers: Sequence[Running]) -> int:
        wait_until(lambda: self._done(crawl_id) >= complexes, LONGEST_SECONDS, "a tenth of the complexes", every=0.2)
        return self._memory(workers)

    def _memory(self, workers: Sequence[Running]) -> int:
        """Bytes that the workers and their children hold."""
        families = [(psutil.Process(each.pid), *psutil.Process(each.pid).children(recursive=True)) for each in workers]
        return sum(process.memory_info().rss for family in families for process in family)

    def _rows(self, name: str, crawl_id: str, crawls: int) -> list[Bar]:
        complexes, each = self._size
        job = CrawlJob.objects.get(job_id=crawl_id)
        parts = Counter(CrawlJob.objects.filter(crawl_id=crawl_id).exclude(pk=job.pk).values_list("status", flat=True))
        snapshots, wrong = ArticleSnapshot.objects.count(), self._wrong()
        once = ArticleSnapshot.objects.values("crawl_session_id", "article_no").distinct().count()
        counts = (job.articles_collected, job.articles_new, job.articles_updated, job.articles_removed)
        expected = (complexes * each, complexes * each if crawls == 1 else 0, 0, 0)
        took = f"{job.duration_seconds} s, {job.error_message or 'no error'}"
        return [
            Bar(
                f"{name}: every complex",
                job.status == "success" and parts == {"success": complexes},
                f"{parts}, {took}",
            ),
            Bar(f"{name}: its counts", counts == expected, f"{counts}"),
            Bar(f"{name}: rows that differ from the site", not wrong, f"{len(wrong)} of {complexes * each}"),
            Bar(
                f"{name}: snapshots, none lost, none double",
                snapshots == once == crawls * complexes * each,
                f"{snapshots} ({once} different)",
            ),
            Bar(f"{name}: changes", not ArticleChange.objects.exists(), str(ArticleChange.objects.count())),
        ]

    def _wrong(self) -> list[str]:
        shown = {
            number: (item["complexNo"], item["tradeTypeName"], item["dealOrWarrantPrc"], item["floorInfo"], True)
            for number, item in self._listings.items()
        }
        fields = ("complex_id", "trade_type", "price", "floor_info", "is_active")
        saved: dict[str, Any] = {
            row[0]: row[1:] for row in Article.objects.values_list("article_no", *fields).iterator()
        }
        return [number for number in {*shown, *saved} if saved.get(number) != shown.get(number)]

    def _limits(self) -> list[Bar]:
        at = sorted(entry["at"] for entry in self._land.requests())
        bars = []
        for seconds in (1, 10, 60):
            most, allowed = busiest(at, seconds), self._rate * seconds
            # Requests leave evenly spaced; what the network and the scheduler add is one request at a window's edge.
            measured = f"{most}, {allowed:g} allowed"
            bars.append(Bar(f"requests in the busiest {seconds} s", most <= allowed + 1, measured))
        return [*bars, Bar("requests", True, f"{len(at)}, {len(at) / max(at[-1] - at[0], 1):.1f} a second")]


def busiest(at: Sequence[float], seconds: float) -> int:
    """The most of these instants (sorted) that any half-open window of that length holds."""
    most = first = 0
    for last, instant in enumerate(at):
        while instant - at[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def _rss(tenth: int, end: int) -> Bar:
    growth = end / tenth
    measured = f"{end / 2**20:.0f} MB at the end, {tenth / 2**20:.0f} MB at a tenth: × {growth:.3f}"
    return Bar(f"memory of the workers ≤ × {RSS_GROWTH}", growth <= RSS_GROWTH, measured)
