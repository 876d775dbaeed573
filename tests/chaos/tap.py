"""What comes out of the broker's list, as it arrives: the driver is the consumer, and no worker is needed.

Each message is moved to a second list in one step, so that at any point of the append-only file it is in one of both.
"""

import base64
import json
import threading
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import redis

from chaos.history import Dispatch, to_ms
from livebeat import clock
from support.engine import connect

QUEUE, TAKEN = "celery", "chaos:taken"


def parse(message: str, at: float) -> Dispatch:
    """A message as a dispatch. Its only argument is its schedule's name; a stock beat's names no slot."""
    envelope: dict[str, Any] = json.loads(message)
    headers = envelope["headers"]
    arguments = json.loads(base64.b64decode(envelope["body"]))[0]
    return Dispatch(arguments[0], slot_of(headers.get("livebeat_slot")), headers["id"], at)


def slot_of(text: str | None) -> int | None:
    """Epoch ms of a slot as messages and events write it."""
    return to_ms(datetime.fromisoformat(text)) if text else None


class Tap:
    """Takes every message from the start of the context to its end."""

    def __init__(self, redis_url: str) -> None:
        self.dispatches: list[Dispatch] = []
        self._client = connect(redis_url)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)

    def drain(self) -> None:
        """End once the list is empty.

        Raises:
            AssertionError: not every message that was taken was also seen; then the evidence isn't whole.
        """
        self._stop.set()
        self._thread.join(10)
        taken = self._client.llen(TAKEN)
        if self._thread.is_alive() or taken != len(self.dispatches) or self._client.llen(QUEUE):
            raise AssertionError(f"the tap saw {len(self.dispatches)} messages, and {taken} were taken")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(10)
        self._client.close()

    def _take(self) -> None:
        try:
            while self._take_one() or not self._stop.is_set():
                pass
        except redis.RedisError:
            if not self._stop.is_set():
                raise

    def _take_one(self) -> bool:
        message = self._client.blmove(QUEUE, TAKEN, 1, "RIGHT", "LEFT")
        if message:
            self.dispatches.append(parse(str(message), clock.now().timestamp() * 1000))
        return bool(message)
