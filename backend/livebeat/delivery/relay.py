"""Pushes what is due in the ledger: released, or neither leased nor finished for too long. Runs in the leading beat.

A run whose worker vanished goes to another at the end of its lease, and a released one when its time has come; after
`MAX_ATTEMPTS` lost executions it is `lost`, with the reason. What was cut short goes to the front of its list, before any
backlog; a retry that its task asked for goes to the end.

A message that nobody has claimed is pushed again only if it can't be waiting any more: its list is empty, or the oldest
message on it was pushed after this one. Consumers take from that end, and what a worker gives back returns to it, so a
list is in the order of its pushes; other priorities are other lists, each in its own order, and say nothing. And no
installed worker may say that it holds it, at two looks with a check of the consumers between them. So a backlog is not
flooded, and what a plain worker took is not run twice. Each push doubles the wait before the next.
"""

import json
import logging
import re
from typing import NamedTuple, cast

import redis

from livebeat import clock
from livebeat.connection import Link, as_stored
from livebeat.delivery.consumers import PERIOD as CHECK_PERIOD
from livebeat.delivery.consumers import Consumers, PlainQueues
from livebeat.delivery.ledger import FIRST_CHECK, MAX_ATTEMPTS, Ledger, LedgerEntry, Run
from livebeat.delivery.whereabouts import Whereabouts
from livebeat.events import HARD_CAP, encode

logger = logging.getLogger(__name__)

#: Pushes of a message that nobody claims; with the doubling wait about eight hours.
MAX_PUSHES = 10
#: Seconds between two looks at a message that waits, at most; they grow with its age.
LONGEST_CHECK = 300.0
#: Seconds to the second look at a message that is on no list and in nobody's hands: a check of the consumers, and a
#: heartbeat of each worker, lie between.
SECOND_LOOK = CHECK_PERIOD + 2.0
#: Seconds to each further look, where that check is late.
NEXT_LOOK = 2.0
#: Seconds after the last sight of a plain worker at which what it may have taken is given up; its worker, or the
#: broker's visibility timeout, may bring it back before.
PLAIN_GRACE = 3600.0
#: Entries read at once, half of them from each end, and seconds that a round may take: the tick waits for it.
PAGE = 256
_ROUND = 0.02
_TEXT_KEPT = 64 * 1024


class Due(NamedTuple):
    """A run whose check is due. Instants are Redis' seconds; `score` as it was read."""

    run_id: str
    score: str
    state: str
    pushes: int
    lease_until: float
    pushed_at: float
    queue: str
    expires_at: float | None


class Relay:
    """The ledger's push side, for one app."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._ledger = Ledger(link)
        self._plain = PlainQueues(link)
        self.consumers = Consumers(link)
        self._now = 0.0
        self._where = Whereabouts(link)
        #: Run → when its message was first found on no list and in nobody's hands.
        self._missing: dict[str, float] = {}

    def run_once(self) -> bool:
        """Deal with what is due now, for a moment at most; returns whether more may be due at once."""
        keys = self._link.keys
        now, *found = self._link.script("due", [keys.ledger], [keys.run(""), PAGE // 2])
        if not found:
            return False
        self._now, self._where = float(now), Whereabouts(self._link)
        self._missing = {run: at for run, at in self._missing.items() if at > self._now - PLAIN_GRACE}
        self._plain.read()
        page = list(zip(found[::3], found[1::3], found[2::3], strict=True))
        page.sort(key=lambda one: one[2][0] != "queued")  # taken from the end: whose worker vanished goes first
        is_full = len(page) >= PAGE
        self._deal_with(page)
        return is_full or bool(page)

    def _deal_with(self, page: list[tuple[str, str, list[str | None]]]) -> None:
        """Take entries from the page for as long as a round may take."""
        end = clock.monotonic() + _ROUND
        postponed: list[str] = []
        while page and clock.monotonic() < end:
            run_id, score, fields = page.pop()
            until = self._look_at(run_id, score, fields)
            if until is not None:
                postponed += [run_id, score, f"{until:.6f}"]
        if postponed:
            self._link.script("postpone", [self._link.keys.ledger], postponed)

    def _look_at(self, run_id: str, score: str, fields: list[str | None]) -> float | None:
        """Deal with one; returns until when it is put off. Whatever is wrong with it, the others go on."""
        try:
            if fields[0] is None and self._ledger.read(run_id) is None:
                self._link.client.zrem(self._link.keys.ledger, run_id)
                return None
            return self._until(_due(run_id, score, fields))
        except Exception as error:
            if isinstance(error, redis.RedisError) and "WRONGTYPE" not in str(error):
                raise
            self._give_up(run_id, score, f"its ledger entry can't be used: {type(error).__name__}: {error}")
            return None

    def _until(self, due: Due) -> float | None:
        if due.state == "waiting":
            return self._proceed(due)
        if due.state not in {"queued", "running", "retrying"}:
            raise ValueError(f"its state is {due.state!r}")
        if due.state == "queued" and due.expires_at and self._now > due.expires_at:
            self._end(due, "run.expired", "no worker took it before it expired")
            return None
        if self._plain.holds(due.queue):
            return self._now + CHECK_PERIOD
        if due.state == "queued":
            if self._where.may_wait(due.queue, due.pushed_at) or self._where.is_held(due.run_id):
                self._missing.pop(due.run_id, None)
                return self._later(due)
            if due.pushed_at <= self._plain.last_seen(due.queue):
                return self._perhaps_taken(due)
            since = self._missing.setdefault(due.run_id, self._now)
            if self.consumers.checked_at <= since:
                return self._now + (SECOND_LOOK if since == self._now else NEXT_LOOK)
            del self._missing[due.run_id]
        self._push_again(due)
        return None

    def _proceed(self, due: Due) -> float | None:
        """Start what waits for runs of its schedule that ended without telling it, as where an entry was broken."""
        entry = self._ledger.read(due.run_id)
        if entry is None or self._ledger.proceed(due.run_id, entry.run.schedule or ""):
            return None
        return self._now + FIRST_CHECK

    def _later(self, due: Due) -> float:
        """The next look at a message that waits: after as long as it waits already, and when it has expired."""
        later = self._now + min(max(self._now - due.pushed_at, FIRST_CHECK), LONGEST_CHECK)
        return min(later, due.expires_at + 1) if due.expires_at else later

    def _perhaps_taken(self, due: Due) -> float | None:
        """A plain worker was there when, or after, it was pushed: it may have executed it, and told nobody."""
        end = self._plain.last_seen(due.queue) + PLAIN_GRACE
        if self._now < end:
            return min(self._later(due), end)
        self._end(due, "run.lost", f"a worker without livebeat.install on {due.queue!r} may have taken it")
        return None

    def _push_again(self, due: Due) -> None:
        entry = self._ledger.read(due.run_id)
        if entry is None:
            return
        if entry.cancelled_by:
            self._ledger.cancel(entry)
            return
        wait = FIRST_CHECK * 2 ** min(entry.pushes, MAX_PUSHES) if entry.state == "queued" else FIRST_CHECK
        if entry.state == "running" and entry.is_used_up:
            error = f"its worker vanished in attempt {entry.attempt} ({entry.owner}; lost {MAX_ATTEMPTS} times)"
            self._conclude(entry, "run.lost", error)
        elif entry.state == "queued" and entry.pushes >= MAX_PUSHES:
            error = f"pushed {entry.pushes} times to {entry.queue!r}, and no worker ever took it"
            self._conclude(entry, "run.lost", error)
        elif self._ledger.push_again(entry, now=self._now, next_check=wait, plain=self._plain.text):
            logger.info("Run %s of %s was %s; its message is pushed again.", due.run_id, entry.run.task, entry.state)

    def _end(self, due: Due, event: str, error: str) -> None:
        entry = self._ledger.read(due.run_id)
        if entry is not None and entry.state == due.state:
            self._conclude(entry, event, error)

    def _conclude(self, entry: LedgerEntry, event: str, error: str) -> None:
        self._missing.pop(entry.run.run, None)
        if self._ledger.conclude(entry, event, error=error) and event == "run.lost":
            logger.error("Run %s of %s is lost: %s", entry.run.run, entry.run.task, error)

    def _give_up(self, run_id: str, score: str, reason: str) -> None:
        """Out of the ledger, with the reason and what can be read of it; else it would be looked at for ever."""
        keys, client, stored = self._link.keys, self._link.client, as_stored(run_id)
        fields = self._fields(run_id)
        text = _readable(fields.get("text", ""))[:_TEXT_KEPT]
        reason, queue, run = _readable(reason), _readable(fields.get("queue", "")), _run_of(_readable(run_id), text)
        kept = encode({"kind": "run", "at": self._now, "reason": reason, "queue": queue, "text": text})
        places: list[str | bytes] = [as_stored(keys.run(run_id)), keys.ledger, keys.events, keys.dead_messages]
        arguments = [stored, score, kept, encode({**run.facts(), "error": reason}), HARD_CAP]
        if self._link.script("give_up", places, arguments):
            logger.error("Run %s is given up: %s", run.run, reason)
            for member, _ in client.zscan_iter(keys.running, match=as_stored(f"*\n{_literal(run_id)}")):
                client.zrem(keys.running, as_stored(member))

    def _fields(self, run_id: str) -> dict[str, str]:
        try:
            return cast("dict[str, str]", self._link.client.hgetall(as_stored(self._link.keys.run(run_id))))
        except redis.ResponseError:
            return {}


def _due(run_id: str, score: str, fields: list[str | None]) -> Due:
    """Raises ValueError where a field is missing or no number, or there is an error in their place."""
    if len(fields) == 1:
        raise ValueError(fields[0])
    state, _, pushes, lease_until, pushed_at, queue, expires_at = fields
    if not queue or state is None:
        raise ValueError("it says no queue")
    expiry = float(expires_at) if expires_at else None
    return Due(run_id, score, state, int(pushes or 1), float(lease_until or 0), float(pushed_at or ""), queue, expiry)


def _run_of(run_id: str, text: str) -> Run:
    """Who a run is, as far as its message tells."""
    try:
        headers = json.loads(text)["headers"]
        return Run.of(run_id, str(headers["task"]), headers, None)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Run(run_id, "?")


def _readable(text: str) -> str:
    """What was read, as text: bytes that are none are written out."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _literal(text: str) -> str:
    """A text as a pattern of Redis that fits nothing else."""
    return re.sub(r"([*?\[\]\\])", r"\\\1", text)
