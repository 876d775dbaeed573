"""Briefings against the webhooks' simulator: what arrives, what counts as read, what a second attempt sends."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from pydantic import SecretStr, ValidationError

from app.clients.http import Patience
from app.core.errors import NotConfiguredError
from app.core.redaction import Redactor
from app.core.settings import Settings
from app.domains.realestate import briefing
from app.domains.realestate.errors import BriefingUndeliveredError
from app.domains.realestate.models import ArticleChange, ChangeDelivery
from livebeat import clock
from support.serving import Simulator
from support.webhook_posts import DISCORD_SECRET, SLACK_SECRET, Changed, posts

pytest_plugins = ["support.reading"]
pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE = Patience(connect=1.0, read=1.0, total=2.0, hold=3.0, attempts=2, backoff=0.001)


def send(settings: Settings, days: int = 7, **more: Any) -> dict[str, Any]:
    return briefing.send(days, settings=settings, **{"patience": PATIENCE, **more})


def unread() -> int:
    return ArticleChange.objects.filter(is_read=False).count()


def test_unread_changes_reach_both_channels_and_are_read(told: Settings, webhooks: Simulator, changed: Changed) -> None:
    changed(change_type="PRICE_DOWN", old_price="11억 5,000", new_price="11억", price_change_amount=-5000)
    changed("7", is_read=True)
    result = send(told)
    (discord,), (slack,) = posts(webhooks, "discord"), posts(webhooks, "slack")
    assert "■ 단지 109208 (109208): 가격 하락 1" in discord
    assert "11억 5,000 → 11억 (-5,000만)" in slack
    assert unread() == 0
    assert result["success"]
    assert result["results"]["discord"] == {"posts": 1, "changes": 1, "left": 0, "older": 0}
    assert result["briefing"]["by_type"] == {"PRICE_DOWN": 1}
    assert json.loads(json.dumps(result)) == result
    again = send(told)
    assert again["skipped"]
    assert json.dumps(again)
    assert len(posts(webhooks, "discord")) == 1


@pytest.mark.parametrize("kind", ["status_500", "timeout", "cut", "page", "redirect_404", "rate_limit", "gone"])
def test_a_webhook_that_fails_loses_no_news(told: Settings, webhooks: Simulator, changed: Changed, kind: str) -> None:
    """Old pain 25: changes were marked read before they were sent."""
    changed()
    webhooks.fault(kind, "slack", times=None, delay=1.5, retry_after=60)
    with pytest.raises(BriefingUndeliveredError) as caught:
        send(told)
    assert caught.value.retryable == (kind not in {"gone", "page", "redirect_404"})
    assert caught.value.retry_after == (60 if kind == "rate_limit" else None)
    assert caught.value.facts["channels"] == "slack"
    assert (unread(), len(posts(webhooks, "discord"))) == (1, 1)
    webhooks.faults()
    with redis.Redis.from_url(told.client_url) as client:
        client.flushall()  # the wait that was asked for is over
    send(told)
    assert (unread(), len(posts(webhooks, "discord")), len(posts(webhooks, "slack"))) == (0, 1, 1)


def test_a_long_briefing_goes_on_where_it_broke_off(told: Settings, webhooks: Simulator, changed: Changed) -> None:
    for number in range(60):
        changed(article_no=str(number), building_name="가" * 40, floor_info=f"매물-{number}-")
    webhooks.fault("status_500", "discord", times=None, after=1)
    with pytest.raises(BriefingUndeliveredError):
        send(told, channels=["discord"])
    (first,) = posts(webhooks, "discord")
    assert ChangeDelivery.objects.filter(channel="discord").count() == first.count("· [")
    webhooks.faults()
    send(told, channels=["discord"])
    text = "\n".join(posts(webhooks, "discord"))
    assert [text.count(f"매물\\-{n}\\-") + text.count(f"매물-{n}-") for n in range(60)] == [1] * 60
    assert all(len(post) <= 2000 for post in posts(webhooks, "discord"))
    assert unread() == 60  # Slack, which is configured as well, has none of them yet
    send(told, channels=["slack"])
    assert unread() == 0


def test_an_answer_that_is_lost_sends_one_post_twice_and_none_never(
    told: Settings, webhooks: Simulator, changed: Changed
) -> None:
    changed()
    webhooks.fault("lost", "discord")
    with pytest.raises(BriefingUndeliveredError):
        send(told)
    send(told)
    assert (len(posts(webhooks, "discord")), len(posts(webhooks, "slack")), unread()) == (2, 1, 0)


def test_a_short_wait_that_the_webhook_asks_for_is_waited_out(
    told: Settings, webhooks: Simulator, changed: Changed
) -> None:
    changed()
    webhooks.fault("rate_limit", "slack", retry_after=0.4)
    send(told, channels=["slack"])
    refused, taken = webhooks.requests("slack")
    assert taken["at"] - refused["at"] >= 0.4


def test_a_webhook_that_asks_to_slow_down_and_names_no_time_is_left_alone(
    told: Settings, webhooks: Simulator, changed: Changed
) -> None:
    changed()
    webhooks.fault("rate_limit", "slack")
    for _ in range(2):
        with pytest.raises(BriefingUndeliveredError, match="slow down"):
            send(told, channels=["slack"])
    assert len(webhooks.requests("slack")) == 1


def test_a_channel_that_another_briefing_writes_to_is_left_to_it(
    told: Settings, webhooks: Simulator, changed: Changed
) -> None:
    changed()
    with redis.Redis.from_url(told.client_url) as client:
        client.set("app:briefing:discord", "somebody", px=60_000)
        with pytest.raises(BriefingUndeliveredError, match="another briefing") as caught:
            send(told)
        assert caught.value.retryable
        assert client.get("app:briefing:discord") == b"somebody"
    assert (posts(webhooks, "discord"), len(posts(webhooks, "slack"))) == ([], 1)


def test_the_period_begins_at_midnight_and_what_is_older_is_told_of(
    told: Settings, webhooks: Simulator, changed: Changed
) -> None:
    until = datetime(2026, 11, 16, 0, 30, tzinfo=UTC)  # Monday 09:30 in Seoul
    midnight = datetime(2026, 11, 8, 15, tzinfo=UTC)
    changed(at=midnight)
    changed(at=midnight - timedelta(seconds=1))
    result = send(told, at=until, channels=["slack"])
    (post,) = posts(webhooks, "slack")
    assert post.startswith("[부동산 브리핑] 2026-11-09 ~ 2026-11-16 · 변동 1건 (단지 1곳)")
    assert post.endswith("7일보다 오래된 읽지 않은 변동 1건은 포함하지 않았습니다.")
    assert result["results"]["slack"]["older"] == 1


def test_more_than_a_briefing_holds_waits_for_the_next(
    told: Settings, webhooks: Simulator, changed: Changed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(briefing, "MOST_CHANGES", 2)
    for _ in range(3):
        changed()
    assert send(told, channels=["slack"])["results"]["slack"]["left"] == 1
    assert send(told, channels=["slack"])["results"]["slack"] == {"posts": 1, "changes": 1, "left": 0, "older": 0}


def test_without_a_webhook_it_says_which_setting_is_missing(told: Settings, changed: Changed) -> None:
    changed()
    nowhere = told.model_copy(update={"discord_webhook_url": None, "slack_webhook_url": None})
    with pytest.raises(NotConfiguredError, match="DISCORD_WEBHOOK_URL / SLACK_WEBHOOK_URL"):
        send(nowhere)
    with pytest.raises(NotConfiguredError, match="SLACK_WEBHOOK_URL is not set"):
        send(told.model_copy(update={"slack_webhook_url": None}), channels=["slack"])
    assert unread() == 1
    for days in (0, 367):
        with pytest.raises(ValueError, match="days must be"):
            send(told, days=days)


def test_a_preview_shows_the_posts_and_sends_nothing(told: Settings, webhooks: Simulator, changed: Changed) -> None:
    changed()
    shown = briefing.preview(7, settings=told)
    assert (shown["changes"], shown["complexes"]) == (1, 1)
    assert shown["channels"]["discord"]["configured"]
    assert "■ 단지 109208" in shown["channels"]["discord"]["posts"][0]
    assert (unread(), webhooks.requests()) == (1, [])


@pytest.mark.parametrize("channel", ["discord", "slack"])
@pytest.mark.parametrize("kind", ["gone", "timeout", "redirect_404", "page"])
def test_no_secret_in_errors_logs_or_the_simulators_log(
    told: Settings, webhooks: Simulator, changed: Changed, caplog: pytest.LogCaptureFixture, channel: str, kind: str
) -> None:
    changed()
    webhooks.fault(kind, channel, delay=1.5)
    caplog.set_level("DEBUG", "app")
    with pytest.raises(BriefingUndeliveredError) as caught:
        send(told, channels=[channel])
    seen = f"{caught.value} {caught.value.text('ko')} {caught.value.facts} {caplog.text} {webhooks.requests()}"
    for secret in (DISCORD_SECRET, SLACK_SECRET):
        assert secret not in seen
        assert secret not in Redactor.of(told).text(f"POST http://x/{secret} {told.secret_values}")


@pytest.mark.parametrize(
    "address",
    [
        "http://discord.com/api/webhooks/1/x",
        "https://discord.com.example.org/api/webhooks/1/x",
        "https://user@discord.com/api/webhooks/1/x",
        "https://discord.com:444/api/webhooks/1/x",
        "https://discord.com/api/webhooks/",
        "https://example.org/api/webhooks/1/x",
        "http://127.0.0.1:9/api/webhooks/1/x",
    ],
)
def test_a_briefing_goes_to_the_services_own_hosts_alone(address: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(discord_webhook_url=SecretStr(address), webhook_simulator="127.0.0.1:1")
    assert "https://discord.com/api/webhooks/" in str(caught.value)
    assert Settings(discord_webhook_url=SecretStr("https://discord.com/api/webhooks/1/x")).discord_webhook_url


def test_what_a_crawl_found_after_the_slot_is_told_as_well(told: Settings, changed: Changed) -> None:
    changed(at=clock.now() + timedelta(minutes=1))  # a crawl that began after this briefing's slot
    assert send(told, channels=["slack"], at=clock.now())["results"]["slack"]["changes"] == 1
