"""Heartbeats: what each beat says of itself about once a second, whatever its role, and what others read from that.

A beat whose ticks stop is silent; nothing else writes its heartbeat.
"""

import json
import os
import socket
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, cast

from livebeat import clock
from livebeat.beat.leader import Role
from livebeat.connection import Link
from livebeat.delivery.workers import own_version
from livebeat.keys import TOKEN_PREFIX

#: Seconds between two heartbeats of a beat; a change of what it says is told at once.
PERIOD = 1.0
#: Seconds after which the heartbeat of a silent beat is removed by another.
KEPT = 300
#: Seconds of silence after which a beat counts as dead or stuck.
SILENCE = 10.0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a beat knows of its own work.

    `holds`: why it dispatches nothing ('' while it may). `unledgered`: why its messages don't go through the ledger
    ('' where they do). `unchecked`: why the last check of who consumes the queues failed ('' where it didn't).
    `uncached`: reasons why messages are built one by one. `tick_seconds`: what the last tick took, its sleep not
    counted. `lag_seconds`: how late the oldest slot of the last dispatch was.
    """

    holds: str = ""
    unledgered: str = ""
    unchecked: str = ""
    uncached: tuple[str, ...] = ()
    tick_seconds: float = 0.0
    lag_seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Beat(Facts):
    """One heartbeat as read. `at` is Redis' time; `token` what the beat puts, or would put, into the leader lock."""

    at: datetime
    role: Role
    token: str
    host: str
    pid: int
    version: str
    ticks: int


class Heartbeat:
    """This process's heartbeat."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._host, self._pid, self._version = socket.gethostname(), os.getpid(), own_version()
        self._ticks = 0
        self._beat = ""
        self._said: tuple[Any, ...] = ()
        self._next = 0.0

    def beat(self, role: Role, token: str, facts: Facts) -> None:
        """Called with each tick; says so about once a second, and at once where role or hindrance changed."""
        self._ticks += 1
        said = (role, facts.holds)
        if said == self._said and clock.monotonic() < self._next:
            return
        text = json.dumps(
            {
                "role": role,
                "token": token,
                "host": self._host,
                "pid": self._pid,
                "version": self._version,
                "ticks": self._ticks,
                **asdict(facts),
            }
        )
        self._beat = token.removeprefix(TOKEN_PREFIX).rpartition(":")[0]
        self._link.script("heartbeat", [self._link.keys.beats], [self._beat, text, KEPT])
        self._said, self._next = said, clock.monotonic() + PERIOD

    def end(self) -> None:
        """Take the heartbeat away: this beat ends as it should."""
        if self._beat:
            self._link.client.hdel(self._link.keys.beats, self._beat)


def beats(link: Link) -> list[Beat]:
    """The heartbeats that are there, newest first. What can't be read is left out.

    Raises:
        redis.RedisError: Redis doesn't answer.
    """
    texts = cast("dict[str, str]", link.client.hgetall(link.keys.beats))
    found = [beat for text in texts.values() if (beat := _read(text)) is not None]
    return sorted(found, key=lambda beat: beat.at, reverse=True)


def newest(link: Link, host: str | None = None) -> tuple[Beat, float] | None:
    """The newest heartbeat of this host, or of any, and its age in seconds by Redis' clock; None where there is none.

    Raises:
        redis.RedisError: Redis doesn't answer.
    """
    found = next((beat for beat in beats(link) if host in {None, beat.host}), None)
    return (found, max((link.now() - found.at).total_seconds(), 0.0)) if found else None


def _read(text: str) -> Beat | None:
    """Another version's heartbeat may say more, or less."""
    try:
        data = json.loads(text)
        known = {field.name: data[field.name] for field in fields(Beat) if field.name in data}
        return Beat(**{**known, "at": clock.from_epoch(data["at"]), "uncached": tuple(data.get("uncached", ()))})
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None
