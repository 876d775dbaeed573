"""Posting plain text to a Discord or Slack channel by its webhook.

A post counts as delivered when the service says that it has the message: Discord's own message object, Slack's `ok`.
Text from elsewhere goes through `Channel.escape` first: nobody is mentioned and nothing is formatted by a listing's
text. The webhook's address is a secret; it stands in no error, log line or result.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.clients.http import Patience, Reply, Upstream, UpstreamClient
from app.core.errors import NotConfiguredError, RateLimitedError, ShapeChangedError, UpstreamRejectedError
from app.core.settings import Settings, get_settings

_MOST_BYTES = 256 * 1024
_STEP = "post"
_MARKDOWN = re.compile(r"([\\*_~`|<>@#\[\]])")
_GONE = frozenset({401, 403, 404, 410})
#: Tries of one post while the service asks to wait for no longer than `Patience.hold`.
_TRIES = 5


def _units(text: str) -> int:
    """Length as the services count at most: UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _escape_markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


def _escape_entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _discord_body(text: str) -> dict[str, Any]:
    return {"content": text, "allowed_mentions": {"parse": []}, "flags": 4}  # 4: no previews of addresses


def _slack_body(text: str) -> dict[str, Any]:
    return {"text": text, "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}


def _discord_has_it(reply: Reply) -> bool:
    try:
        message = json.loads(reply.body)
    except ValueError:
        return False
    return isinstance(message, dict) and bool(message.get("id"))


def _slack_has_it(reply: Reply) -> bool:
    return reply.body.strip() == b"ok"


@dataclass(frozen=True)
class Channel:
    """A service that takes posts. `limit`: characters of one post; `per_second`: posts, by all workers together."""

    name: str
    limit: int
    per_second: float
    escape: Callable[[str], str]
    body: Callable[[str], dict[str, Any]]
    has_it: Callable[[Reply], bool]
    params: dict[str, str]

    @property
    def setting(self) -> str:
        """The name of the setting that holds the webhook's address."""
        return f"{self.name.upper()}_WEBHOOK_URL"

    def address(self, settings: Settings) -> str | None:
        """The webhook's address; None where it isn't set."""
        secret = getattr(settings, self.setting.lower())
        return secret.get_secret_value() if secret else None

    def size(self, text: str) -> int:
        """How much of `limit` a text takes."""
        return _units(text)


#: Discord takes 30 posts a minute in a channel, Slack one a second. Of Slack's 40,000 characters it shows 4,000 well.
DISCORD = Channel("discord", 2000, 0.5, _escape_markdown, _discord_body, _discord_has_it, {"wait": "true"})
SLACK = Channel("slack", 4000, 1.0, _escape_entities, _slack_body, _slack_has_it, {})
CHANNELS = {channel.name: channel for channel in (DISCORD, SLACK)}


class Webhook(UpstreamClient):
    """One channel's webhook; a context manager."""

    def __init__(self, channel: Channel, *, settings: Settings | None = None, patience: Patience | None = None) -> None:
        settings = settings or get_settings()
        address = channel.address(settings)
        if address is None:
            raise NotConfiguredError(setting=channel.setting, needed_for=f"a post to {channel.name}")
        self.channel = channel
        self._address = address
        self._upstream = Upstream(
            channel.name,
            per_second=channel.per_second,
            redis_url=settings.client_url,
            patience=patience,
            accept="*/*",
        )

    def post(self, text: str) -> None:
        """Post one message of at most `channel.limit` characters; a short wait that the service asks for is waited out.

        Raises:
            RateLimitedError: it asks to wait for longer, or doesn't say for how long.
            UpstreamUnavailableError: no answer, so that nobody knows whether the message is there; a server error.
            UpstreamRejectedError: the webhook is gone, or the message is refused.
            ShapeChangedError: an answer that doesn't say that the message is there.
        """
        left = self._upstream.patience.hold
        for tries in range(1, _TRIES + 1):
            left -= self._upstream.rate.acquire(max(left, 0.0))
            try:
                self._post(text)
            except RateLimitedError as error:
                if tries == _TRIES or error.retry_after is None or error.retry_after > left:
                    raise
            else:
                return

    def _post(self, text: str) -> None:
        service = self.channel.name
        body = self.channel.body(text)
        reply = self._upstream.exchange(
            "POST", self._address, step=_STEP, most=_MOST_BYTES, params=self.channel.params, json=body
        )
        if reply.status in _GONE:
            setting = self.channel.setting
            raise UpstreamRejectedError(
                service,
                f"the webhook is not there any more (status {reply.status}); put a new one into {setting}",
                reason_ko=f"웹훅이 없어졌습니다 (상태 {reply.status}). {setting}에 새 주소를 넣으세요",
                status=reply.status,
            )
        if reply.status >= 300:
            raise UpstreamRejectedError(
                service,
                f"a post was answered with status {reply.status}",
                reason_ko=f"메시지가 거절되었습니다 (상태 {reply.status})",
                status=reply.status,
            )
        if not self.channel.has_it(reply):
            raise ShapeChangedError(
                service,
                "the answer to a post does not say that the message is there",
                reason_ko="메시지가 등록되었는지 응답에서 확인할 수 없습니다",
            )
