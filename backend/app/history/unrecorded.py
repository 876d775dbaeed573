"""What the end of the event stream says of a run that the recorder has not written yet."""

import json
from datetime import datetime
from typing import Any, cast

import redis

from app.history.models import Run
from app.history.news import BadNewsError, blank_row, fold, news_of
from livebeat import clock
from livebeat.events import Event
from livebeat.keys import Keys

#: Events looked at: far more than a recorder that works is behind.
_TAIL = 1000


def unrecorded_run(client: "redis.Redis", keys: Keys, run_id: str) -> Run | None:
    """The run as its latest events tell it, not saved; None where they don't mention it.

    Raises:
        redis.RedisError: Redis doesn't answer.
    """
    row: Run | None = None
    entries = cast("list[tuple[str, dict[str, str]]]", client.xrevrange(keys.events, count=_TAIL))
    for entry_id, values in reversed(entries):
        text = values.get("data", "")
        if run_id not in text:  # spares the parsing of nearly all
            continue
        try:
            news = news_of(Event(entry_id, _written_at(entry_id), values.get("type", ""), _object(text)))
        except (BadNewsError, ValueError):
            continue
        if news is None or news.run != run_id:
            continue
        row = row or blank_row(news)
        fold(row, news)
    return row


def _written_at(entry_id: str) -> datetime:
    return clock.from_epoch(int(entry_id.partition("-")[0]) / 1000)


def _object(text: str) -> dict[str, Any]:
    data = json.loads(text)
    return data if isinstance(data, dict) else {}
