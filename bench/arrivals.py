"""What reaches the broker's list, and when, seen from outside the scheduler.

`Curve`: the list's length, polled each 5 ms; for a burst. `Reader`: a process of its own that takes each message with a
blocking BLMOVE and notes the instant; for single messages to the tenth of a millisecond. `Control`: a process that only
sleeps to instants and notes how late it wakes: the machine's own share of any lateness.
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import redis

from bench.sample import Message, read_message
from bench.servers import QUEUE, Process, RunFailedError, Site, wait_for

POLL = 0.005
#: Where the reader puts what it took: a worker's queue, where the run has one.
TAKEN = "taken"
_PROBE = "probe "
_PROBES = 200


@dataclass(frozen=True)
class Curve:
    """(epoch seconds, messages on the list) at each change."""

    points: list[tuple[float, int]]

    @property
    def first(self) -> float:
        """When the first was there."""
        return next(at for at, count in self.points if count)

    @property
    def last(self) -> float:
        return self.points[-1][0]

    @property
    def count(self) -> int:
        return self.points[-1][1]

    def reached(self, count: float) -> float | None:
        """When `count` were there; None where they never were."""
        return next((at for at, arrived in self.points if arrived >= count), None)


def watch(site: Site, n: int, until: float) -> Curve:
    """Poll until `n` messages are on the list, or `until` (epoch seconds).

    Raises:
        RunFailedError: none came.
    """
    points = [(time.time(), 0)]
    while points[-1][1] < n and time.time() < until:
        count = site.waiting()
        if count != points[-1][1]:
            points.append((time.time(), count))
        time.sleep(POLL)
    if not points[-1][1]:
        raise RunFailedError("no message came")
    return Curve(points)


def messages(site: Site, key: str = QUEUE) -> list[Message]:
    """Every message on a list."""
    return [read_message(text) for text in cast("list[str]", site.client.lrange(key, 0, -1))]


def check_messages(found: Sequence[Message], names: set[str]) -> None:
    """Raises RunFailedError where the messages aren't one for each name, each with an id of its own."""
    schedules = [message.schedule for message in found]
    missing, doubled = names - set(schedules), len(schedules) - len(set(schedules))
    if missing or doubled or set(schedules) != names or len({message.id for message in found}) != len(found):
        raise RunFailedError(f"{len(names)} were due: {len(found)} came, {len(missing)} missing, {doubled} doubled")


class Reader:
    """Takes messages off the list as they come. `overhead`: seconds between a push and its being noted, here and now."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._notes = site.folder / f"arrivals-{time.monotonic_ns()}"
        self._process = site.start("bench.arrivals", "read", str(self._notes))
        self.overhead = self._probe()

    def arrivals(self) -> list[tuple[float, Message]]:
        """All so far, in order: epoch seconds and message."""
        found = []
        for line in self._notes.read_text().splitlines():
            at, text = line.split(" ", 1)
            if not text.startswith(_PROBE):
                found.append((float(at), read_message(text)))
        return found

    def wait(self, count: int, seconds: float) -> list[tuple[float, Message]]:
        """The arrivals once they are `count`; raises RunFailedError where they aren't in time."""
        wait_for(lambda: self._noted() - _PROBES >= count, seconds, f"{count} messages")
        return self.arrivals()

    def stop(self) -> list[tuple[float, Message]]:
        """End it; all that came."""
        self._process.stop()
        return self.arrivals()

    def _noted(self) -> int:
        return self._notes.read_bytes().count(b"\n")

    def _probe(self) -> list[float]:
        wait_for(self._notes.exists, 20, "the reader")
        for _ in range(_PROBES):
            self._site.client.lpush(QUEUE, f"{_PROBE}{time.time():.6f}")
            time.sleep(0.003)
        wait_for(lambda: self._noted() == _PROBES, 10, "the probes")
        self._site.client.delete(TAKEN)
        lines = (line.split() for line in self._notes.read_text().splitlines())
        return [float(seen) - float(pushed) for seen, _, pushed in lines]


class Control:
    """Sleeps to each instant `start` + k × `period` for `seconds`."""

    def __init__(self, site: Site, *, start: float, period: float, seconds: float) -> None:
        self._process: Process = site.start("bench.arrivals", "sleep", str(start), str(period), str(seconds))
        self._start, self._period = start, period

    def lateness(self) -> list[tuple[float, float]]:
        """Of each instant: epoch seconds, and how late it woke. Once the time is over."""
        late: list[float] = json.loads(self._process.wait(60))
        return [(self._start + index * self._period, one) for index, one in enumerate(late)]


def _read(notes: Path) -> None:
    client = redis.Redis.from_url(os.environ["BENCH_REDIS"], decode_responses=True)
    with notes.open("w") as file:
        while True:
            text = cast("str | None", client.blmove(QUEUE, TAKEN, 1, "RIGHT", "LEFT"))
            if text:
                file.write(f"{time.time():.6f} {text}\n")
                file.flush()


def _sleep(start: float, period: float, seconds: float) -> None:
    late = []
    for index in range(round(seconds / period)):
        instant = start + index * period
        while (pause := instant - time.time()) > 0:
            time.sleep(pause)
        late.append(round(time.time() - instant, 6))
    print(json.dumps(late))


def _main(what: str, *arguments: Any) -> None:
    if what == "read":
        _read(Path(arguments[0]))
    else:
        _sleep(*(float(argument) for argument in arguments))


if __name__ == "__main__":
    _main(*sys.argv[1:])
