"""Old pain 25 with a real worker: news was marked read before it was sent, in one post, with a result that was no JSON."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.celery_app import celery_app, schedulable_tasks
from app.core.settings import Settings
from app.domains.realestate.models import ArticleChange, Transaction
from app.tasks.briefing_tasks import send_custom_briefing, send_weekly_briefing
from app.tasks.scheduler import import_real_trades
from livebeat import run_state, send
from livebeat.connection import link
from livebeat.events import EventReader
from support.platform_processes import platform_environment, start
from support.processes import Running
from support.runs import relaying
from support.serving import Simulator
from support.waiting import wait_until
from support.webhook_posts import DISCORD_SECRET, SLACK_SECRET, Changed, posts

pytest_plugins = ["support.reading", "support.ministry"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]


@pytest.fixture
def worker(told: Settings, keyed: Settings, tmp_path: Path) -> Iterator[Running]:
    given = {**keyed.secret_values, **told.secret_values}
    names = ("discord_webhook_url", "slack_webhook_url", "molit_api_key")
    environment = platform_environment(
        tmp_path,
        WEBHOOK_SIMULATOR=told.webhook_simulator or "",
        MOLIT_URL=keyed.molit_url,
        **{name.upper(): given[name] for name in names},
    )
    with relaying(celery_app), start("worker", environment, "-Q", "default,crawl", "--loglevel", "info") as process:
        process.wait_for_line("ready", 60)
        yield process


@pytest.fixture
def events(redis_url: str) -> EventReader:
    of = link(celery_app)
    reader = EventReader(of.client, of.keys, "test", "test")
    reader.register()
    return reader


def told_of(reader: EventReader, run: str, kind: str) -> dict[str, Any]:
    """The data of the run's event of this kind."""
    found: list[dict[str, Any]] = []

    def came() -> bool:
        found.extend(each.data for each in reader.read(200, 1) if each.type == kind and each.data["run"] == run)
        return bool(found)

    wait_until(came, 60, f"{kind} of {run}")
    return found[0]


def test_25_news_is_read_only_once_it_is_delivered_and_a_failed_briefing_is_tried_again(
    worker: Running, events: EventReader, webhooks: Simulator, changed: Changed, tmp_path: Path
) -> None:
    changed(change_type="PRICE_DOWN", old_price="11억", new_price="10억 500", price_change_amount=-9_500)
    webhooks.fault("status_500", "slack", times=None)
    run = send(send_weekly_briefing.name, app=celery_app).run_id
    given_back = told_of(events, run, "run.retrying")
    assert "slack" in given_back["error"]
    assert ArticleChange.objects.get().is_read is False
    entry = run_state(celery_app, run)
    assert entry is not None
    webhooks.faults()
    second = send(send_custom_briefing.name, kwargs={"days": 30}, app=celery_app).run_id
    result = told_of(events, second, "run.succeeded")["result"]
    assert result["results"] == {
        "discord": {"posts": 0, "changes": 0, "left": 0, "older": 0},
        "slack": {"posts": 1, "changes": 1, "left": 0, "older": 0},
    }
    assert ArticleChange.objects.get().is_read is True
    assert [len(posts(webhooks, channel)) for channel in ("discord", "slack")] == [1, 1]
    written = worker.output + "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.log"))
    assert "slack" in written
    for secret in (DISCORD_SECRET, SLACK_SECRET):
        assert secret not in written
        assert secret not in f"{given_back} {result}"


@pytest.mark.usefixtures("worker")
def test_25_a_briefing_that_cannot_be_delivered_is_a_failure_with_its_reason(
    events: EventReader, webhooks: Simulator, changed: Changed
) -> None:
    changed()
    webhooks.fault("gone", "discord", times=None)
    run = send(send_custom_briefing.name, kwargs={"days": 7, "to_slack": False}, app=celery_app).run_id
    failed = told_of(events, run, "run.failed")
    assert failed["error_class"] == "BriefingUndeliveredError"
    assert "DISCORD_WEBHOOK_URL" in failed["error"]
    assert ArticleChange.objects.get().is_read is False


@pytest.mark.usefixtures("worker")
def test_real_trades_are_imported_by_a_worker(events: EventReader, ministry: Simulator) -> None:
    ministry.change(
        add=[{"dealYear": str(year), "dealMonth": str(month)} for year in (2026, 2027) for month in range(1, 13)]
    )
    run = send(import_real_trades.name, (["41590"],), {"months": 2}, app=celery_app).run_id
    told = told_of(events, run, "run.succeeded")
    assert told["result"]["new"] == Transaction.objects.count() == 2


def test_all_of_them_can_be_scheduled() -> None:
    assert {send_weekly_briefing.name, send_custom_briefing.name, import_real_trades.name} <= set(schedulable_tasks())
