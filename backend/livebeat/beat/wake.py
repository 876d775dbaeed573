"""Sleeps until something is due, or a schedule was changed.

The store publishes every change on the wake channel. What RedBeat's own code writes is not announced, so no sleep is
longer than `LONGEST`.
"""

import logging
import threading
from typing import Any

import redis

from livebeat.connection import Link

logger = logging.getLogger(__name__)

#: Seconds; a schedule saved by RedBeat's own code is seen within this.
LONGEST = 0.5


class Wake:
    """The wake channel, read by one beat."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._channel: Any = None

    def listen(self) -> None:
        """Subscribe, if that isn't done; from then on no change is missed."""
        if self._channel is None:
            self._channel = self._link.client.pubsub(ignore_subscribe_messages=True)
            try:
                self._channel.subscribe(self._link.keys.wake)
            except redis.RedisError:
                self.close()  # else it would never be subscribed, and hear nothing
                raise

    def wait(self, seconds: float) -> list[str]:
        """Sleep up to `seconds`; returns the names of schedules changed meanwhile (woken by the first)."""
        seconds = min(max(seconds, 0.0), LONGEST)
        try:
            self.listen()
            return self._names(seconds)
        except redis.RedisError:
            self.close()
            threading.Event().wait(seconds)
            return []

    def _names(self, seconds: float) -> list[str]:
        names: list[str] = []
        message = self._channel.get_message(timeout=seconds)
        while message is not None:
            names.append(message["data"])
            message = self._channel.get_message(timeout=0)
        return names

    def close(self) -> None:
        """Drop the subscription; the next `wait` makes a new one."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()
