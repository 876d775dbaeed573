"""The event stream: the only way news travels. Audit, history, pages, alerts and metrics read it.

Each entry has two fields, `type` and `data` (a JSON object); its id carries Redis' time in milliseconds.
Writers append inside the script that makes the news true; readers form consumer groups and see each entry at
least once. An entry is trimmed only when every registered reader has acknowledged it, or at the hard cap.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from json.encoder import (  # type: ignore[attr-defined]  # the C encoder is not in the type stubs
    c_make_encoder,
    encode_basestring,
    encode_basestring_ascii,
)
from typing import Any, cast

import redis

from livebeat import clock
from livebeat.keys import Keys

#: Entries kept at most, read or not; about 300 MiB. Reaching it means that a reader has been down for long.
HARD_CAP = 1_000_000

TERMINAL = ("run.succeeded", "run.failed", "run.lost", "run.cancelled", "run.expired")


@dataclass(frozen=True)
class Event:
    """One entry of the stream. `at` is Redis' time when it was written."""

    id: str
    at: datetime
    type: str
    data: dict[str, Any]


def quick(encoder: json.JSONEncoder) -> Callable[[Any], str]:
    """Its `encode`, without what that prepares anew for each text: it takes longer than a short text does."""
    if c_make_encoder is None:
        return encoder.encode
    quoted = encode_basestring_ascii if encoder.ensure_ascii else encode_basestring
    form = (None, encoder.key_separator, encoder.item_separator)
    chunks = c_make_encoder(
        None, encoder.default, quoted, *form, encoder.sort_keys, encoder.skipkeys, encoder.allow_nan
    )
    return lambda value: "".join(chunks(value, 0))


_encode = quick(json.JSONEncoder(ensure_ascii=False, default=str))


def encode(data: dict[str, Any]) -> str:
    """The text of an event's `data`; what has no JSON form is written as its `str`."""
    return _encode(data)


def emit(client: "redis.Redis", keys: Keys, kind: str, data: dict[str, Any]) -> None:
    """Append an event that no script makes true, such as the start of a task that isn't in the ledger."""
    client.xadd(keys.events, {"type": kind, "data": encode(data)}, maxlen=HARD_CAP, approximate=True)


class EventReader:
    """One member of a consumer group on the stream.

    `read` first returns what this consumer took and never acknowledged, then what another consumer of the group
    has held for over a minute, then new entries. Process, commit, then `ack`.
    """

    STALE_MS = 60_000

    def __init__(self, client: "redis.Redis", keys: Keys, group: str, consumer: str) -> None:
        self._client, self._stream, self._group, self._consumer = client, keys.events, group, consumer
        self._own_pending: str | None = "0"  # None once nothing of an earlier life is left

    def register(self) -> None:
        """Create the group where it doesn't exist, from the beginning of the stream. Idempotent."""
        try:
            self._client.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except redis.ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def read(self, count: int = 200, block_ms: int = 1000) -> list[Event]:
        """Up to `count` events, oldest first; waits up to `block_ms` where there are none."""
        if self._own_pending is not None:
            events = self._take(self._own_pending, count, None)
            if events:
                self._own_pending = events[-1].id
                return events
            self._own_pending = None
        claimed: Any = self._client.xautoclaim(
            self._stream, self._group, self._consumer, min_idle_time=self.STALE_MS, start_id="0-0", count=count
        )
        return self._known(claimed[1]) or self._take(">", count, block_ms)

    def _take(self, start: str, count: int, block_ms: int | None) -> list[Event]:
        reply = cast(
            "Any", self._client.xreadgroup(self._group, self._consumer, {self._stream: start}, count, block_ms)
        )
        entries = [entry for _, batch in (reply.items() if isinstance(reply, dict) else reply or []) for entry in batch]
        return self._known(entries)

    def _known(self, entries: Iterable[Any]) -> list[Event]:
        """The entries that are still there; what was trimmed while pending is acknowledged, or it would pend for ever."""
        found = list(entries)
        trimmed = [entry_id for entry_id, values in found if not values]
        if trimmed:
            self._client.xack(self._stream, self._group, *trimmed)
        return list(_decode(found))

    def ack(self, events: Iterable[Event]) -> None:
        """Say that these are dealt with for good."""
        ids = [event.id for event in events]
        if ids:
            self._client.xack(self._stream, self._group, *ids)

    def trim(self) -> int:
        """Drop what every group has acknowledged; returns how many entries went."""
        floors = [floor for _, floor, _ in _floors(self._client, self._stream)]
        if not floors:
            return 0
        return self._client.xtrim(self._stream, minid=min(floors, key=_order), approximate=True)


def unread(client: "redis.Redis", keys: Keys) -> dict[str, datetime]:
    """Each consumer group that hasn't dealt with all entries → when the oldest that it lacks was written."""
    found = {}
    for group, floor, pends in _floors(client, keys.events):
        lacked = f"{'' if pends else '('}{floor}"
        entries = cast("list[Any]", client.xrange(keys.events, lacked, count=1))
        if entries:
            found[group] = clock.from_epoch(_order(entries[0][0])[0] / 1000)
    return found


def _floors(client: "redis.Redis", stream: str) -> Iterator[tuple[str, Any, bool]]:
    """Each consumer group, with the oldest entry that it took and has not acknowledged, else the last that it took; and
    whether that one pends."""
    for group in client.xinfo_groups(stream):
        pending = client.xpending(stream, group["name"])
        pends = bool(pending["pending"])
        yield group["name"], pending["min"] if pends else group["last-delivered-id"], pends


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)


def _decode(entries: Iterable[Any]) -> Iterator[Event]:
    for entry_id, values in entries:
        if not values:
            continue
        try:
            data = json.loads(values.get("data", "{}"))
        except ValueError:
            data = {}
        at = clock.from_epoch(_order(entry_id)[0] / 1000)
        yield Event(entry_id, at, values.get("type", ""), data if isinstance(data, dict) else {})
