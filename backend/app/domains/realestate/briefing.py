"""The briefing: unread changes, told to Discord and Slack.

Guarantees: a change counts as delivered to a channel only once the channel has said that it has the post, and is then
not sent there again; it counts as read once every configured channel has it. So nothing is lost by a webhook that
fails, and what may come twice is the one post whose answer got lost. One briefing at a time writes to a channel
(`app:briefing:<channel>` in Redis). What is left to the caller: when to try again.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import redis
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from redis.exceptions import LockError

from app.clients.http import Patience
from app.clients.webhooks import CHANNELS, Channel, Webhook
from app.core.errors import (
    NotConfiguredError,
    PlatformError,
    RateLimitedError,
    UpstreamUnavailableError,
)
from app.core.settings import Settings, get_settings
from app.domains.realestate.briefing_text import Form, News, Post, posts
from app.domains.realestate.errors import BriefingUndeliveredError
from app.domains.realestate.models import ArticleChange, ChangeDelivery
from livebeat import clock

logger = logging.getLogger(__name__)

#: Changes of one briefing; more wait for the next one.
MOST_CHANGES = 1000
MOST_DAYS = 366
#: Longer than one post may take, with its waits; the lock is renewed before each.
_LOCK_SECONDS = 300
_REDIS_TIMEOUT_SECONDS = 5.0
_UNREAD = Q(is_read=False) | Q(is_read=None)


@dataclass(frozen=True)
class Period:
    """What a briefing looks back on: from midnight `days` days before `until`, so that two of them leave no gap."""

    days: int
    since: datetime
    until: datetime

    @classmethod
    def of(cls, days: int, until: datetime, zone: str) -> "Period":
        """Raises ValueError unless `days` is 1 to `MOST_DAYS`."""
        if not 1 <= days <= MOST_DAYS:
            raise ValueError(f"days must be 1 to {MOST_DAYS}, not {days}")
        local = until.astimezone(ZoneInfo(zone))
        start = local.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days)
        return cls(days, start, local)


@dataclass(frozen=True)
class Briefing:
    """One channel's briefing. `left`: changes that wait for the next one; `older`: unread ones from before the period."""

    posts: list[Post]
    left: int
    older: int

    @property
    def changes(self) -> int:
        """How many changes it tells."""
        return sum(len(post.changes) for post in self.posts)


def send(
    days: int,
    channels: Collection[str] = tuple(CHANNELS),
    *,
    at: datetime | None = None,
    settings: Settings | None = None,
    patience: Patience | None = None,
) -> dict[str, Any]:
    """Send the unread changes of the last `days` days to those of `channels` that are configured.

    `at` is the moment that the period ends with; now, if it isn't given. Returns JSON-ready: `success`, `results` (of
    each channel: posts, changes, left, older), or `skipped` with `reason` where there is nothing to tell, and `briefing`:
    days, since, until, changes, complexes, by_type.

    Raises:
        NotConfiguredError: none of the channels has a webhook.
        BriefingUndeliveredError: a channel did not take all of it; the others were served.
        ValueError: `days` is out of range, or no channel is asked for.
    """
    if not channels:
        raise ValueError("a briefing needs a channel to go to")
    settings = settings or get_settings()
    period = Period.of(days, at or clock.now(), settings.livebeat_timezone)
    ready = _configured(settings)
    wanted = [channel for channel in ready if channel.name in channels]
    if not wanted:
        names = " / ".join(CHANNELS[name].setting for name in channels)
        raise NotConfiguredError(setting=names, needed_for="a briefing")
    _mark_read(_in(period), ready)
    told = _summary(period)
    results: dict[str, Any] = {}
    failures: dict[str, PlatformError] = {}
    for channel in wanted:
        try:
            results[channel.name] = _deliver(channel, period, ready, settings, patience)
        except PlatformError as error:
            logger.warning("briefing: %s", error)
            failures[channel.name] = error
    if failures:
        raise _undelivered(failures)
    if not any(result["posts"] for result in results.values()):
        return {"success": True, "skipped": True, "reason": "읽지 않은 변동이 없습니다", "briefing": told}
    return {"success": True, "results": results, "briefing": told}


def preview(days: int, *, settings: Settings | None = None) -> dict[str, Any]:
    """What a briefing would say now: its summary, and of each channel whether it is configured and its posts."""
    settings = settings or get_settings()
    period = Period.of(days, clock.now(), settings.livebeat_timezone)
    ready = _configured(settings)
    shown = {}
    for channel in CHANNELS.values():
        made = _briefing(channel, period)
        shown[channel.name] = {
            "configured": channel in ready,
            "posts": [post.text for post in made.posts],
            "changes": made.changes,
            "left": made.left,
            "older": made.older,
        }
    return {**_summary(period), "channels": shown}


def _configured(settings: Settings) -> list[Channel]:
    return [channel for channel in CHANNELS.values() if channel.address(settings)]


def _in(period: Period) -> QuerySet[ArticleChange]:
    """Unread changes of the period, also those that came after its end."""
    return ArticleChange.objects.filter(_UNREAD, detected_at__gte=period.since)


def _has(channel: Channel) -> Exists:
    return Exists(ChangeDelivery.objects.filter(change=OuterRef("pk"), channel=channel.name))


def _summary(period: Period) -> dict[str, Any]:
    types: dict[str, int] = {}
    complexes = set()
    for complex_id, change_type in _in(period).values_list("complex_id", "change_type").iterator():
        complexes.add(complex_id)
        types[change_type] = types.get(change_type, 0) + 1
    return {
        "days": period.days,
        "since": period.since.isoformat(),
        "until": period.until.isoformat(),
        "changes": sum(types.values()),
        "complexes": len(complexes),
        "by_type": dict(sorted(types.items())),
    }


def _briefing(channel: Channel, period: Period) -> Briefing:
    pending = _in(period).exclude(_has(channel))
    older = ArticleChange.objects.filter(_UNREAD, detected_at__lt=period.since).exclude(_has(channel)).count()
    news = [_news(row) for row in pending.select_related("complex").order_by("pk")[:MOST_CHANGES]]
    if not news:
        return Briefing([], 0, older)
    left = max(pending.count() - len(news), 0)
    places = len({item.complex_id for item in news})
    opening = (
        f"[부동산 브리핑] {period.since:%Y-%m-%d} ~ {period.until:%Y-%m-%d} · 변동 {len(news)}건 (단지 {places}곳)"
    )
    closing = []
    if left:
        closing.append(f"이 밖에 {left}건은 다음 브리핑에서 전합니다.")
    if older:
        closing.append(f"{period.days}일보다 오래된 읽지 않은 변동 {older}건은 포함하지 않았습니다.")
    form = Form(channel.limit, channel.size, channel.escape)
    return Briefing(posts(news, opening=opening, closing=closing, form=form), left, older)


def _news(row: ArticleChange) -> News:
    return News(
        id=row.pk,
        complex_id=row.complex_id,
        complex_name=row.complex.complex_name,
        change_type=row.change_type,
        trade_type=row.trade_type,
        area_name=row.area_name,
        building_name=row.building_name,
        floor_info=row.floor_info,
        old_price=row.old_price,
        new_price=row.new_price,
        amount=row.price_change_amount,
        percent=row.price_change_percent,
    )


def _deliver(
    channel: Channel, period: Period, ready: Sequence[Channel], settings: Settings, patience: Patience | None
) -> dict[str, int]:
    with _alone(channel, settings) as lock, Webhook(channel, settings=settings, patience=patience) as webhook:
        made = _briefing(channel, period)
        for post in made.posts:
            _renew(lock, channel)
            webhook.post(post.text)
            _delivered(post.changes, channel, ready)
    return {"posts": len(made.posts), "changes": made.changes, "left": made.left, "older": made.older}


def _delivered(changes: Collection[int], channel: Channel, ready: Sequence[Channel]) -> None:
    now = clock.now()
    rows = [ChangeDelivery(change_id=change, channel=channel.name, delivered_at=now) for change in changes]
    with transaction.atomic():
        ChangeDelivery.objects.bulk_create(rows, ignore_conflicts=True)
        _mark_read(ArticleChange.objects.filter(pk__in=changes), ready)


def _mark_read(rows: QuerySet[ArticleChange], ready: Sequence[Channel]) -> None:
    """Mark those of `rows` as read that every configured channel has."""
    for channel in ready:
        rows = rows.filter(_has(channel))
    rows.filter(_UNREAD).update(is_read=True)


@contextmanager
def _alone(channel: Channel, settings: Settings) -> Iterator[Any]:
    client = redis.Redis.from_url(
        settings.client_url,
        socket_timeout=_REDIS_TIMEOUT_SECONDS,
        socket_connect_timeout=_REDIS_TIMEOUT_SECONDS,
    )
    lock = client.lock(f"app:briefing:{channel.name}", timeout=_LOCK_SECONDS, blocking=False)
    try:
        if not lock.acquire():
            raise _busy(channel)
        try:
            yield lock
        finally:
            if lock.owned():
                lock.release()
    finally:
        client.close()


def _renew(lock: Any, channel: Channel) -> None:
    try:
        lock.reacquire()
    except LockError:
        raise _busy(channel) from None


def _busy(channel: Channel) -> UpstreamUnavailableError:
    return UpstreamUnavailableError(
        channel.name, "another briefing is being sent there", reason_ko="다른 브리핑을 보내는 중입니다"
    )


def _undelivered(failures: dict[str, PlatformError]) -> BriefingUndeliveredError:
    asked = [error.retry_after for error in failures.values() if isinstance(error, RateLimitedError)]
    return BriefingUndeliveredError(
        channels=", ".join(failures),
        reason="; ".join(error.text("en") for error in failures.values()),
        reason_ko="; ".join(error.text("ko") for error in failures.values()),
        retryable=any(error.retryable for error in failures.values()),
        retry_after=max((wait for wait in asked if wait is not None), default=None),
    )
