"""Due slots to dispatched ones: batches of one script each, the next batch prepared while the last one runs.

A stale read changes nothing and is read again. Safe under any number of beats.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from typing import Any, Literal, cast

from redis.exceptions import NoScriptError

from livebeat import clock
from livebeat.beat.ahead import Ahead
from livebeat.beat.leader import TOKEN_PREFIX
from livebeat.beat.prepare import Item, Preparation
from livebeat.connection import Link, Talk
from livebeat.delivery.ledger import FIRST_CHECK
from livebeat.events import HARD_CAP
from livebeat.store import ScheduleStore

logger = logging.getLogger(__name__)

#: Schedules in one script: it holds the server for about 1 ms. Larger ones gain nothing and hold it for longer.
BATCH = 20
#: Due entries looked at in one round, between two looks at the lock, the clock and the wake channel.
ROUND = 1024
#: Schedules named in a round's log line; a line for each would cost more than its dispatch.
_LOGGED = 5
#: Seconds that Redis' clock may lie below the newest dispatch before the script refuses.
CLOCK_SLACK = 0.005

Outcome = Literal["ok", "foreign", "clock", "plain"]


class Dispatcher:
    """Dispatches for one app; used by the leading beat, and by standbys for what is overdue."""

    def __init__(self, link: Link, store: ScheduleStore) -> None:
        self._link = link
        self.preparation = Preparation(link, store)
        self._ahead = Ahead(link, self.preparation)
        #: Why the last round dispatched nothing ('' where it could), in one word and in detail.
        self.refusal = self.detail = ""
        #: Seconds that the oldest slot of the last round was late.
        self.lag = 0.0

    def run_once(self, now: datetime, *, overdue_by: float = 0.0) -> tuple[Outcome, int]:
        """Deal with one round of what is due at `now` (by `overdue_by` seconds at least); returns how many entries."""
        due = self._due(clock.to_epoch(now) - overdue_by)
        if not due:
            return "ok", 0
        self.lag = clock.to_epoch(now) - due[0][1]
        done: list[Item] = []
        try:
            with self._link.talk("dispatch") as talk:
                outcome, self.detail = self._round(talk, due, now, done)
        except NoScriptError:  # nothing was done; at the next look the script is there again
            return "ok", len(due)
        if outcome == "plain":
            outcome = self._build_anew()
        self._report(outcome)
        if done:
            told = "; ".join(item.log for item in done[:_LOGGED])
            logger.info("Dispatched %s%s", told, f" and {len(done) - _LOGGED} more" * (len(done) > _LOGGED))
        return outcome, len(due) if outcome == "ok" else 0

    def prepare(self, now: datetime) -> bool:
        """Prepare a little of what comes; returns whether there is more to do. For the leading beat's idle time."""
        repairs, more = self._ahead.work(now)
        if repairs:
            with suppress(NoScriptError), self._link.talk("dispatch") as talk:
                self._say(talk, repairs)
                if self._hear(talk, repairs, [])[0] == "plain":
                    self._build_anew()
        return more

    def forget(self, name: str) -> None:
        """A schedule was changed: what was prepared of it is void."""
        self._ahead.forget(self._link.keys.entry(name))

    def next_due(self) -> float | None:
        """The score of the first entry that is or will be due; None where there is none."""
        first = self._due(float("inf"), 1)
        return first[0][1] if first else None

    def _due(self, until: float, most: int = ROUND) -> list[tuple[str, float]]:
        return cast(
            "list[tuple[str, float]]",
            self._link.client.zrange(
                self._link.keys.schedule, "0", str(until), byscore=True, offset=0, num=most, withscores=True
            ),
        )

    def _round(self, talk: Talk, due: list[tuple[str, float]], now: datetime, done: list[Item]) -> tuple[Outcome, str]:
        outcome: Outcome = "ok"
        detail = ""
        said: list[list[Item]] = []
        for batch in self._batches(due, now):
            self._say(talk, batch)
            said.append(batch)
            if len(said) > 1:
                outcome, detail = self._hear(talk, said.pop(0), done)
            if outcome != "ok":
                break
        for batch in said:
            outcome, detail = self._hear(talk, batch, done)
        return outcome, detail

    def _batches(self, due: list[tuple[str, float]], now: datetime) -> Iterator[list[Item]]:
        instant = clock.to_epoch(now)
        ahead = {key: self._ahead.take(key, score, instant) for key, score in due}
        reads = iter(self.preparation.read((key, score) for key, score in due if ahead[key] is None))
        items = [item for item in ahead.values() if item is not None]
        while True:
            while len(items) < BATCH and (read := next(reads, None)) is not None:
                item = self.preparation.item(read, now)
                if item is not None:
                    items.append(item)
            if not items:
                return
            yield items[:BATCH]
            items = items[BATCH:]

    def _say(self, talk: Talk, batch: list[Item]) -> None:
        keys = self._link.keys
        ledgered = "1" if self.preparation.ledgered else ""
        arguments: list[Any] = [TOKEN_PREFIX, CLOCK_SLACK, HARD_CAP, FIRST_CHECK, keys.run("")]
        arguments += [self._link.broker_db, ledgered, keys.redbeat_prefix, self.preparation.plain.text]
        for item in batch:
            arguments.extend(item.arguments)
        places = [keys.schedule, keys.lock, keys.ledger, keys.events, keys.mark, keys.dead, keys.running, keys.plain]
        talk.say(places, arguments)

    def _hear(self, talk: Talk, batch: list[Item], done: list[Item]) -> tuple[Outcome, str]:
        outcome, *results = talk.hear()
        if outcome != "ok":
            return cast("Outcome", outcome), str(results[0])
        for item, result in zip(batch, results, strict=True):
            if result == 1 and item.log:
                done.append(item)
            elif result == -1:
                self.preparation.set_aside(item.read, f"{item.queue!r} is a Redis key that is no queue")
        return "ok", ""

    def _build_anew(self) -> Outcome:
        """Other queues have plain workers than those that everything was built for; nothing of it was dispatched."""
        self.preparation.plain.read()
        self._ahead.forget_all()
        return "ok"

    def _report(self, outcome: Outcome) -> None:
        """One line when dispatch stops being possible, one when it is again."""
        refusal = "" if outcome == "ok" else outcome
        if refusal == self.refusal:
            return
        if refusal == "foreign":
            logger.error(
                "A beat that is not Livebeat's holds the lock (%s); nothing is dispatched until it ends.", self.detail
            )
        elif not refusal:
            logger.info("Dispatching again.")
        self.refusal = refusal
