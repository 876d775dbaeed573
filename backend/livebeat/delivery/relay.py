"""Pushes what is due in the ledger: released, or neither leased nor finished for too long. Runs in the leading beat.

An unclaimed message is pushed again only if its queue is empty, so that no backlog is flooded; each push doubles the
wait before the next. A run whose worker vanished goes to another at the end of its lease, at most `MAX_ATTEMPTS`
times; then it is `lost`, with the reason.
"""

import logging
from typing import cast

from livebeat import clock
from livebeat.connection import Link
from livebeat.delivery.ledger import FIRST_CHECK, MAX_ATTEMPTS, Ledger

logger = logging.getLogger(__name__)

#: Pushes of a message that nobody ever claimed; with the doubling wait about eight hours.
MAX_PUSHES = 10
_BATCH = 100


class Relay:
    """The ledger's push side, for one app."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._ledger = Ledger(link)

    def run_once(self) -> int:
        """Deal with what is due now; returns how many entries were looked at."""
        now = clock.to_epoch(self._link.now())
        due = cast(
            "list[str]",
            self._link.client.zrange(self._link.keys.ledger, "-inf", str(now), byscore=True, num=_BATCH, offset=0),
        )
        for run_id in due:
            self._deal_with(run_id, now)
        return len(due)

    def _deal_with(self, run_id: str, now: float) -> None:
        entry = self._ledger.read(run_id)
        if entry is None:
            self._link.client.zrem(self._link.keys.ledger, run_id)
            return
        if entry.state == "queued":
            if entry.expires_at and now > entry.expires_at:
                self._ledger.conclude(entry, "run.expired", error="no worker took it before it expired")
                return
            if self._is_waiting(entry.queue):
                self._link.client.zadd(self._link.keys.ledger, {run_id: now + FIRST_CHECK}, xx=True)
                return
            if entry.pushes >= MAX_PUSHES:
                reason = f"pushed {entry.pushes} times to {entry.queue!r}, and no worker ever took it"
                self._ledger.conclude(entry, "run.lost", error=reason)
                return
        elif entry.state == "running" and entry.attempt >= MAX_ATTEMPTS:
            reason = f"its worker vanished in attempt {entry.attempt} of {MAX_ATTEMPTS} ({entry.owner})"
            self._ledger.conclude(entry, "run.lost", error=reason)
            logger.error("Run %s of %s is lost: %s", run_id, entry.run.task, reason)
            return
        wait = FIRST_CHECK * 2 ** min(entry.pushes, MAX_PUSHES)
        if self._ledger.push_again(entry, next_check=wait):
            logger.info("Run %s of %s was %s; its message is pushed again.", run_id, entry.run.task, entry.state)

    def _is_waiting(self, queue: str) -> bool:
        return bool(self._link.broker.llen(queue))
