"""The leader lock: it saves work and keeps a stock beat out. Correctness among our own beats doesn't need it."""

import os
import socket
import uuid
from datetime import datetime
from typing import Literal, cast

from celery import Celery

from livebeat import clock
from livebeat.connection import Link, link
from livebeat.keys import TOKEN_PREFIX as TOKEN_PREFIX

#: Milliseconds; renewed with every tick, so a beat that hangs loses it.
LOCK_MS = 5000
#: Seconds that a beat which was asked to hand over leaves to the others; alone, it leads again after them.
HAND_OVER_PAUSE = 2.0

Role = Literal["starting", "leader", "standby", "foreign"]


class LeaderLock:
    """This beat's share of RedBeat's lock. A new term for each time that it comes to lead."""

    def __init__(self, link_: Link) -> None:
        self._link = link_
        self._beat = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._term = 0
        self.role: Role = "starting"
        self.holder = ""
        self._not_before = 0.0
        #: Redis' time at the last `keep`.
        self.now = clock.now()
        self._read_at = clock.monotonic()

    @property
    def token(self) -> str:
        """What the lock holds while we lead."""
        return f"{TOKEN_PREFIX}{self._beat}:{self._term}"

    def keep(self) -> Role:
        """Take, keep or respect the lock; returns the role that follows from it."""
        if clock.monotonic() < self._not_before:
            self._read(self._link.now())
            return self.role
        if self.role != "leader":
            self._term += 1
        keys = self._link.keys
        self.holder, seconds, microseconds = self._link.script(
            "lead", [keys.lock, keys.hand_over, keys.no_lock], [self.token, LOCK_MS]
        )
        self._read(clock.from_epoch(int(seconds) + int(microseconds) / 1e6))
        if self.holder == self.token:
            self.role = "leader"
        elif not self.holder:
            self.role = "standby"
            self._not_before = clock.monotonic() + HAND_OVER_PAUSE
        else:
            self.role = "standby" if self.holder.startswith(TOKEN_PREFIX) else "foreign"
        return self.role

    def _read(self, now: datetime) -> None:
        self.now, self._read_at = now, clock.monotonic()

    def estimate(self) -> float:
        """Redis' time (seconds), by our own clock since it was last read."""
        return clock.to_epoch(self.now) + clock.monotonic() - self._read_at

    def resign(self) -> None:
        """Let go of the lock, so that a standby need not wait."""
        self._link.script("resign", [self._link.keys.lock], [self.token])
        self.role = "standby"


def leader(app: Celery) -> str | None:
    """The token that holds the leader lock now: ours start with `livebeat:`; None where nobody leads."""
    of = link(app)
    return cast("str | None", of.client.get(of.keys.lock))


def hand_over(app: Celery) -> str | None:
    """Ask the leading beat to let another lead; no process is ended. Returns its token, None where none of ours leads.

    It gives the lock up with its next tick, within a second. A beat that is alone leads again two seconds later, as a
    new term.
    """
    of = link(app)
    token = leader(app)
    if token is None or not token.startswith(TOKEN_PREFIX):
        return None
    of.client.set(of.keys.hand_over, token, px=LOCK_MS)
    of.client.publish(of.keys.wake, "")
    return token
