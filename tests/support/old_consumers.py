"""The old consumers, as far as they touch the lists. `done` are the users that one refreshed."""

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

import redis

from livebeat import clock
from support.bridges import MAIN, PROCESSING

VISIBILITY = timedelta(seconds=600)
_SWAP = """
if redis.call('LINDEX', KEYS[1], 0) ~= ARGV[1] then return 0 end
redis.call('LSET', KEYS[1], 0, ARGV[2])
return 1
"""


class FirstConsumer:
    """BRPOP, LPUSH, work, LREM; what it wrote is written anew, with spaces. `lost`: what wasn't there to be removed."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self.done: list[int] = []
        self.lost = 0

    def step(self) -> None:
        """One message, or a tenth of a second."""
        found: Any = self._client.brpop([MAIN], timeout=0.1)
        if found:
            text = json.dumps(json.loads(found[1]))
            self._client.lpush(PROCESSING, text)
            self.done.append(int(json.loads(text)["userId"]))
            self.lost += 1 - int(self._client.lrem(PROCESSING, 1, text))


class LaterConsumer:
    """BLMOVE, an envelope put in its place by compare-and-set at the head, a reclaimer for what is older than ten minutes.

    `lost` counts the messages whose place at the head was another's.
    """

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client
        self._swap = client.register_script(_SWAP)
        self.done: list[int] = []
        self.lost = 0

    def step(self) -> None:
        """One message, or a tenth of a second."""
        raw: Any = self._client.blmove(MAIN, PROCESSING, 0.1, "RIGHT", "LEFT")
        if raw is None:
            return
        given = json.loads(raw)
        filled = {"requestId": str(uuid.uuid4()), "reclaimedCount": 0, "lastAttemptAt": None, **given}
        text = json.dumps({**filled, "processingStartedAt": clock.now().isoformat()})
        if not self._swap([PROCESSING], [raw, text]):
            self.lost += 1
            return
        self.done.append(int(given["userId"]))
        self._client.lrem(PROCESSING, 1, text)

    def reclaim(self, now: datetime) -> None:
        """What looks abandoned goes back to the main list."""
        texts: Any = self._client.lrange(PROCESSING, 0, -1)
        for text in texts:
            entry = json.loads(text)
            since = entry.get("processingStartedAt") or entry.get("lastAttemptAt") or entry["enqueuedAt"]
            if now - datetime.fromisoformat(since) > VISIBILITY:
                self._client.lrem(PROCESSING, 1, text)
                entry["reclaimedCount"] += 1
                self._client.lpush(MAIN, json.dumps(entry))
