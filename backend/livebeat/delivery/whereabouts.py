"""Where an unclaimed message may be: on its list, or in an installed worker's hands."""

import json
import math
from typing import Any, cast

import redis

from livebeat.connection import Link
from livebeat.delivery.workers import workers
from livebeat.message import PUSHED_HEADER
from livebeat.wellformed import RUN_HEADER


class Whereabouts:
    """As seen in one round of the relay: each list, and the workers, are looked at once."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._oldest: dict[str, float] = {}
        self._held: frozenset[str] | None = None

    def may_wait(self, list_: str, pushed_at: float) -> bool:
        """Whether a message that was pushed onto this list then (Redis' seconds) may still lie there.

        Raises:
            redis.ResponseError: the key holds no list.
        """
        if list_ not in self._oldest:
            self._oldest[list_] = self._look(list_)
        return self._oldest[list_] <= pushed_at

    def is_held(self, run_id: str) -> bool:
        """Whether an installed worker says that it has taken it."""
        if self._held is None:
            self._held = frozenset().union(*(worker.received for worker in workers(self._link)))
        return run_id in self._held

    def _look(self, list_: str) -> float:
        """When the oldest message was pushed that waits on a list; 0 where it doesn't say, infinity where none waits."""
        text = cast("str | None", self._link.broker.lindex(list_, -1))
        if text is None:
            return math.inf
        try:
            headers = json.loads(text)["headers"]
            if PUSHED_HEADER in headers:
                return float(headers[PUSHED_HEADER])
            return self._first_push(headers[RUN_HEADER])
        except (ValueError, TypeError, KeyError, RecursionError):
            return 0.0

    def _first_push(self, run_id: Any) -> float:
        """When a message was pushed that is no copy; its entry tells until it is claimed or pushed again."""
        try:
            fields = self._link.client.hmget(self._link.keys.run(run_id), "pushed_at", "attempt", "pushes")
        except redis.ResponseError:  # another's entry is broken
            return 0.0
        pushed_at, attempt, pushes = cast("list[str | None]", fields)
        return float(pushed_at) if pushed_at and attempt is None and pushes is None else 0.0
