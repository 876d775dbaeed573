"""Fixtures for what people read: webhooks and the ministry's trades over real HTTP, and rows to tell of.

A test module says `pytest_plugins = ["support.reading"]`: `webhooks` (the simulator), `told` (settings with both webhooks
and the private Redis), `changed` (makes a change's row).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from pydantic import SecretStr

from app.core.settings import Settings
from app.domains.realestate.models import ArticleChange, Complex
from livebeat import clock
from simulators import webhooks as webhooks_simulator
from support.serving import Simulator, serving
from support.webhook_posts import DISCORD_SECRET, SLACK_SECRET, Changed


@pytest.fixture(scope="session")
def _webhook_server() -> Iterator[Simulator]:
    with serving(webhooks_simulator.create_app()) as simulator:
        yield simulator


@pytest.fixture
def webhooks(_webhook_server: Simulator) -> Simulator:
    """The simulator of both webhooks."""
    _webhook_server.reset()
    return _webhook_server


@pytest.fixture
def told(webhooks: Simulator, redis_url: str) -> Settings:
    """Settings with both webhooks."""
    return Settings(
        redis_url=SecretStr(redis_url),
        webhook_simulator=webhooks.url.removeprefix("http://"),
        discord_webhook_url=SecretStr(f"{webhooks.url}/api/webhooks/1/{DISCORD_SECRET}"),
        slack_webhook_url=SecretStr(f"{webhooks.url}/services/T1/B1/{SLACK_SECRET}"),
    )


@pytest.fixture
def changed() -> Changed:
    """Makes an unread change of listing 1 of a complex."""

    def make(complex_id: str = "109208", at: datetime | None = None, **values: Any) -> ArticleChange:
        Complex.objects.get_or_create(complex_id=complex_id, defaults={"complex_name": f"단지 {complex_id}"})
        given = {"article_no": "1", "change_type": "NEW", "trade_type": "매매", "new_price": "3억", **values}
        return ArticleChange.objects.create(complex_id=complex_id, detected_at=at or clock.now(), **given)

    return make
