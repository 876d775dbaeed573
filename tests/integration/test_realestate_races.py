"""Copies of one run, and two runs of one complex, at the same moment."""

import threading
import uuid
from typing import Any

import pytest
from django.db import connection

from app.clients.http import Patience
from app.core.settings import Settings
from app.domains.realestate import services
from app.domains.realestate.models import Article, ArticleChange, ArticleSnapshot, CrawlJob
from simulators import world
from support.serving import Simulator

pytest_plugins = ["support.simulators"]
pytestmark = pytest.mark.django_db(transaction=True)

NUMBER = "109208"
LISTED = sum(item["complexNo"] == NUMBER for item in world.listings().values())


def crawl_at_once(run_ids: list[str], platform: Settings) -> list[dict[str, Any]]:
    """One thread for each run id, all released together; errors reach the caller."""
    barrier = threading.Barrier(len(run_ids))
    results: list[dict[str, Any]] = []
    errors: list[BaseException] = []

    def crawl(run_id: str) -> None:
        barrier.wait(10)
        try:
            results.append(
                services.crawl_complex(NUMBER, services.Execution(run_id), settings=platform, patience=Patience())
            )
        except BaseException as error:  # a thread's error would be lost
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=crawl, args=(run_id,)) for run_id in run_ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []
    return results


def test_copies_of_one_run_store_it_once(platform: Settings, land: Simulator) -> None:
    land.fault("slow", times=None, delay=0.05)
    results = crawl_at_once([str(uuid.uuid4())] * 4, platform)
    assert len(results) == 4
    assert sum("repeated" not in result for result in results) == 1
    assert ArticleSnapshot.objects.count() == Article.objects.count() == LISTED
    assert [job.status for job in CrawlJob.objects.all()] == ["success"]
    assert not ArticleChange.objects.exists()


def test_two_runs_of_one_complex_are_stored_one_after_the_other(platform: Settings, land: Simulator) -> None:
    results = crawl_at_once([str(uuid.uuid4()) for _ in range(3)], platform)
    assert sorted(result["articles_new"] for result in results) == [0, 0, LISTED]
    assert ArticleSnapshot.objects.count() == 3 * LISTED
    assert Article.objects.filter(is_active=True).count() == LISTED
    assert not ArticleChange.objects.exists()
