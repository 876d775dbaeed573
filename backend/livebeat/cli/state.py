"""The engine's state, read from Redis alone and in a few round trips; what can't be read is named, not raised."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import redis
from celery import Celery

from livebeat import clock
from livebeat.backfill import Backfill, Backfills
from livebeat.beat.dispatch import CLOCK_SLACK
from livebeat.beat.heartbeat import SILENCE, Beat, beats
from livebeat.connection import Link, link
from livebeat.delivery.consumers import own_queues, plain_workers
from livebeat.delivery.workers import Worker, workers
from livebeat.doctor import Read, examine, pages
from livebeat.errors import LivebeatError
from livebeat.events import unread
from livebeat.keys import TOKEN_PREFIX
from livebeat.seedfile import problem_of

#: Seconds past its slot after which a schedule counts as overdue; a standby has taken over long before.
OVERDUE = 1.0
#: Seconds after which an event that a reader hasn't dealt with counts as unread; readers take them at once.
UNREAD = 60.0


@dataclass(kw_only=True)
class State:
    """`paused` counts pauses without an end; `set_aside` is by name. `workers`: the installed ones; `plain`: the others
    on this app's queues. `backfills`: those under way. `unread`: consumer groups of the event stream that don't keep up, and
    since when. `unreadable`: keys that hold what they must not."""

    now: datetime
    holder: str | None = None
    holder_seconds: float | None = None
    beats: list[Beat] = field(default_factory=list)
    schedules: int = 0
    paused: int = 0
    finished: int = 0
    set_aside: dict[str, LivebeatError] = field(default_factory=dict)
    next_due: tuple[datetime, str] | None = None
    overdue: int = 0
    oldest: tuple[datetime, str] | None = None
    ledger: int = 0
    given_up: int = 0
    workers: list[Worker] = field(default_factory=list)
    plain: dict[str, list[str]] = field(default_factory=dict)
    seed_problem: LivebeatError | None = None
    backfills: list[Backfill] = field(default_factory=list)
    events: int = 0
    unread: dict[str, datetime] = field(default_factory=dict)
    mark: datetime | None = None
    unreadable: dict[str, str] = field(default_factory=dict)

    @property
    def is_foreign(self) -> bool:
        """Whether a beat that isn't ours holds the lock."""
        return self.holder is not None and not self.holder.startswith(TOKEN_PREFIX)

    @property
    def leading(self) -> Beat | None:
        """The heartbeat of the beat that holds the lock."""
        return next((beat for beat in self.beats if beat.token == self.holder), None)

    @property
    def clock_held(self) -> bool:
        """Whether Redis' clock lies below the newest dispatch, so that nothing is dispatched."""
        return self.mark is not None and (self.mark - self.now).total_seconds() > CLOCK_SLACK

    @property
    def is_well(self) -> bool:
        """Whether nobody needs to look."""
        leading = self.leading
        if leading is None or self.is_silent(leading) or leading.holds or leading.unchecked:
            return False
        amiss = (
            self.overdue,
            self.set_aside,
            self.given_up,
            self.plain,
            self.unread,
            self.unreadable,
            self.seed_problem,
        )
        return not (self.clock_held or any(amiss))

    def age(self, beat: Beat) -> float:
        """Seconds since a beat's last sign of life."""
        return max((self.now - beat.at).total_seconds(), 0.0)

    def is_silent(self, beat: Beat) -> bool:
        """Whether a beat is dead or stuck."""
        return self.age(beat) > SILENCE


def read_state(app: Celery) -> State:
    """Everything that `livebeat status` shows.

    Raises:
        redis.RedisError: Redis doesn't answer.
    """
    of = link(app)
    keys, client = of.keys, of.client
    state = State(now=of.now())

    def ask(key: str, question: Callable[[], Any], default: Any = None) -> Any:
        try:
            return question()
        except (redis.ResponseError, ValueError) as error:  # another type than it must be, no right, no number
            state.unreadable[key] = str(error)
            return default

    def scores() -> None:
        overdue = f"({clock.to_epoch(state.now) - OVERDUE:.6f}"
        state.schedules = client.zcard(keys.schedule)
        state.overdue = client.zcount(keys.schedule, 0, overdue)
        state.oldest = _first(of, "0")
        state.next_due = _first(of, f"({clock.to_epoch(state.now):.6f}")
        _read_out_of_range(app, of, state)

    state.holder = ask(keys.lock, lambda: client.get(keys.lock))
    if state.holder is not None:
        milliseconds = client.pttl(keys.lock)
        state.holder_seconds = milliseconds / 1000 if milliseconds >= 0 else None
    state.beats = ask(keys.beats, lambda: beats(of), [])
    ask(keys.schedule, scores)
    state.ledger = ask(keys.ledger, lambda: client.zcard(keys.ledger), 0)
    state.given_up = ask(keys.dead_messages, lambda: client.hlen(keys.dead_messages), 0)
    state.workers = ask(keys.workers, lambda: workers(of), [])
    own = own_queues(of, state.workers)
    plain = ask(keys.plain, lambda: plain_workers(of), {})
    state.plain = {queue: names for queue, names in plain.items() if queue in own}
    state.seed_problem = ask(keys.seed, lambda: problem_of(of))
    backfills = ask(keys.backfills, Backfills(app).list, [])
    state.backfills = [backfill for backfill in backfills if backfill.state == "running"]
    state.events = ask(keys.events, lambda: client.xlen(keys.events), 0)
    since = ask(keys.events, lambda: unread(client, keys), {}) if state.events else {}
    state.unread = {group: at for group, at in since.items() if (state.now - at).total_seconds() > UNREAD}
    mark = ask(keys.mark, lambda: float(cast("str", client.get(keys.mark) or 0)), 0.0)
    state.mark = clock.from_epoch(mark) if mark else None
    return state


def _first(of: Link, lowest: str) -> tuple[datetime, str] | None:
    """The first due time from `lowest` on, and whose it is."""
    found = cast(
        "list[tuple[str, float]]",
        of.client.zrangebyscore(of.keys.schedule, lowest, "+inf", start=0, num=1, withscores=True),
    )
    return (clock.from_epoch(found[0][1]), of.keys.name(found[0][0])) if found else None


def _read_out_of_range(app: Celery, of: Link, state: State) -> None:
    """Why each of those that can't be dispatched can't."""
    for page in pages(of, highest="(0"):
        dead = cast("list[str | None]", of.client.hmget(of.keys.dead, [read.name for read in page]))
        for read, text in zip(page, dead, strict=True):
            _sort_in(app, of, read, text, state)


def _sort_in(app: Celery, of: Link, read: Read, dead: str | None, state: State) -> None:
    stored, obstacle = examine(app, of, read)
    if obstacle is not None:
        state.set_aside[read.name] = obstacle
    elif stored is not None and not stored.spec.enabled:
        state.paused += 1
    elif dead is not None:
        state.set_aside[read.name] = LivebeatError(reason=_reason(dead))
    else:
        state.finished += 1


def _reason(dead: str) -> str:
    try:
        return str(json.loads(dead)["reason"])
    except (ValueError, TypeError, KeyError):
        return dead
