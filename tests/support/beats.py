"""Real beat processes of any scheduler on one Redis, and what they put on the broker's list, as it arrives.

The argument of every schedule of such a test begins with its name: that is how its messages are told.
"""

import base64
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis

from livebeat import clock
from support.engine import SAMPLE, connect
from support.processes import Running

TESTS = Path(__file__).resolve().parents[1]
OURS = ("--loglevel=info",)
STOCK = ("--scheduler=redbeat.RedBeatScheduler", "--max-interval=1", "--loglevel=debug")
#: An arrival is seen this much later than the beat's own idea of when it sent, at most; a busy machine is slow.
LATE = 0.3


def environment(redis_url: str, folder: Path) -> dict[str, str]:
    """What a process of the sample app needs."""
    return {
        "SAMPLE_REDIS": redis_url,
        "SAMPLE_EVIDENCE": str(folder),
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(TESTS),
        "LANG": "C.UTF-8",
    }


def beat(redis_url: str, folder: Path, *options: str) -> Running:
    """`celery -A support.sample_app beat …`."""
    argv = [sys.executable, "-m", "celery", "-A", SAMPLE, "beat", "--pidfile=", *options]
    return Running(argv, env=environment(redis_url, folder), cwd=folder)


def livebeat(redis_url: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`python -m livebeat … -A support.sample_app`, in English."""
    argv = [sys.executable, "-m", "livebeat", *arguments, "-A", SAMPLE, "--lang", "en"]
    environ = environment(redis_url, folder)
    return subprocess.run(argv, env=environ, cwd=folder, capture_output=True, text=True, timeout=60)


@dataclass(frozen=True)
class Sent:
    """One message. `slot` where the engine sent it; a stock beat says nothing."""

    name: str
    arguments: tuple[Any, ...]
    arrived_at: datetime
    slot: datetime | None
    run: str

    @property
    def at(self) -> datetime:
        """The instant that it stands for."""
        return self.slot or self.arrived_at


class Watch:
    """Everything that is pushed to the list `celery`, in order. Nobody takes anything from it."""

    def __init__(self, redis_url: str) -> None:
        self._client = connect(redis_url)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self.sent: list[Sent] = []

    def of(self, name: str, *, since: int = 0) -> list[Sent]:
        """The messages of one schedule, from the `since`-th of all on."""
        return [sent for sent in self.sent[since:] if sent.name == name]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(5)
        self._client.close()

    def _read(self) -> None:
        known = 0
        while not self._stop.wait(0.01):
            texts = self._client.lrange("celery", 0, -1 - known)
            now = clock.now()
            known += len(texts)
            self.sent.extend(_sent(text, now) for text in reversed(texts))


def _sent(text: str, now: datetime) -> Sent:
    message = json.loads(text)
    headers = message["headers"]
    arguments = json.loads(base64.b64decode(message["body"]))[0]
    slot = headers.get("livebeat_slot")
    return Sent(
        name=str(arguments[0]).split()[0] if arguments else headers["task"],
        arguments=tuple(arguments),
        arrived_at=now,
        slot=datetime.fromisoformat(slot) if slot else None,
        run=headers["id"],
    )


def messages(client: "redis.Redis", queue: str) -> list[Sent]:
    """What lies on a queue now, the oldest first."""
    now = clock.now()
    return [_sent(text, now) for text in reversed(client.lrange(queue, 0, -1))]


def gaps(sent: Sequence[Sent]) -> list[float]:
    """Seconds between what one and the next stand for."""
    return [(after.at - before.at) / timedelta(seconds=1) for before, after in pairwise(sent)]
