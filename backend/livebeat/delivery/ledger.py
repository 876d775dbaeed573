"""The ledger of unfinished messages: typed wrappers, one a script. Safe to repeat after a lost reply."""

import json
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple, cast

import redis
from celery import Celery, current_app

from livebeat.connection import Link, link
from livebeat.delivery.consumers import known_plain
from livebeat.errors import ConfigurationError
from livebeat.events import HARD_CAP, emit, encode
from livebeat.message import (
    KIND_HEADER,
    REVISION_HEADER,
    SCHEDULE_HEADER,
    SLOT_HEADER,
    Message,
    build,
    copied,
    copied_more,
)

logger = logging.getLogger(__name__)

#: Seconds that a claim stands without being renewed.
LEASE = 10
#: Executions of a run that may be lost: with the last of them it is.
MAX_ATTEMPTS = 3
#: Seconds after which an unclaimed message is looked at again; doubles with each push.
FIRST_CHECK = 30

Claim = Literal["claimed", "held", "gone"]
#: Why a run is given back.
Because = Literal["asked", "stopped", "lost"]


class Run(NamedTuple):
    """Who a run is: what every event about it says."""

    run: str
    task: str
    schedule: str | None = None
    slot: str | None = None
    revision: int | None = None
    kind: str = "task"
    parent: str | None = None

    @property
    def slot_seconds(self) -> float | str:
        """The slot that its lateness counts from; '' where it has none, or is of a backfill, which is late by intent."""
        return datetime.fromisoformat(self.slot).timestamp() if self.slot and self.kind != "backfill" else ""

    @property
    def headers(self) -> dict[str, Any]:
        """What a message of this run says of it, beside its id."""
        given = {
            SCHEDULE_HEADER: self.schedule,
            SLOT_HEADER: self.slot,
            REVISION_HEADER: self.revision,
            KIND_HEADER: self.kind,
        }
        return {name: value for name, value in given.items() if value is not None}

    @classmethod
    def of(cls, run_id: str, task: str, headers: Any, parent: str | None = None) -> "Run":
        """The run that a message is, or a task's request (both have `get`)."""
        return cls(
            run=run_id,
            task=task,
            schedule=headers.get(SCHEDULE_HEADER),
            slot=headers.get(SLOT_HEADER),
            revision=headers.get(REVISION_HEADER),
            kind=headers.get(KIND_HEADER) or "task",
            parent=parent,
        )

    def facts(self, **more: Any) -> dict[str, Any]:
        """The data of an event about this run."""
        return {**self._asdict(), **more}


@dataclass(frozen=True)
class Sent:
    """What `send` answers. `accepted` is False where another run holds the `unique` key; then `run_id` is that one."""

    run_id: str
    accepted: bool


@dataclass(frozen=True)
class LedgerEntry:
    """What the ledger holds of an unfinished run. Instants are seconds; `pushes` counts those since the last claim."""

    run: Run
    state: str
    attempt: int
    losses: int
    pushes: int
    lease_until: str
    owner: str
    pushed_at: float
    queue: str
    text: str
    more: str
    unique: str
    expires_at: float | None
    cancelled_by: str
    is_cut_short: bool

    @property
    def goes_first(self) -> bool:
        """Whether its message goes to the front of its list: it had its turn, and nothing of its own making ended it."""
        return self.state == "running" or self.is_cut_short

    @property
    def is_used_up(self) -> bool:
        """Whether one more lost execution is one too many."""
        return self.losses + 1 >= MAX_ATTEMPTS

    @classmethod
    def of(cls, run_id: str, fields: Mapping[str, str]) -> "LedgerEntry":
        """The entry of a hash; a run that was only pushed, once, has no field for what that implies."""
        headers = json.loads(fields["text"])["headers"]
        return cls(
            run=Run.of(run_id, headers["task"], headers, fields.get("parent")),
            state=fields["state"],
            attempt=int(fields.get("attempt", 0)),
            losses=int(fields.get("losses", 0)),
            pushes=int(fields.get("pushes", 1)),
            lease_until=fields.get("lease_until", "0"),
            owner=fields.get("owner", ""),
            pushed_at=float(fields["pushed_at"]),
            queue=fields["queue"],
            text=fields["text"],
            more=fields.get("more", ""),
            unique=fields.get("unique", ""),
            expires_at=float(fields["expires_at"]) if fields.get("expires_at") else None,
            cancelled_by=fields.get("cancelled_by", ""),
            is_cut_short="cut_short" in fields,
        )


class Ledger:
    """The ledger of one app."""

    def __init__(self, link_: Link) -> None:
        self._link = link_

    def accept(
        self,
        make: Callable[..., Message],
        run: Run,
        *,
        unique: str = "",
        after: str = "",
        expires_at: float | None = None,
        overlap: str = "allow",
        pause_after: int | None = None,
        ledgered: bool = True,
        **facts: Any,
    ) -> str:
        """Enter and push a message; returns the id of the run under way: this one, the holder of `unique`, or the run of
        the schedule beside which this one may not run by `overlap`.

        `make(ledgered=…)` builds it: where a plain worker consumes its queue, it isn't entered. `after`: it is pushed when
        that run and its children have ended. Not `ledgered`: it is pushed, with its event, and not entered. `pause_after`:
        failures in a row that pause its schedule. `facts`: what else the event is to say.

        Raises:
            ConfigurationError: a plain worker consumes its queue, and only the ledger can keep what is asked for.
        """
        plain = known_plain(self._link)
        while True:
            message, entered = make(ledgered=ledgered), ledgered
            if ledgered and plain.holds(message.queue):
                plain.read()
            if ledgered and plain.holds(message.queue):
                _refuse_without_ledger(
                    message.queue, unique=unique, after=after, parent=run.parent, overlap=overlap != "allow"
                )
                message, entered = make(ledgered=False), False
            data = encode(run.facts(queue=message.queue, attempt=0, unique=unique or None, **facts))
            policies = [overlap if overlap != "allow" else "", pause_after or ""]
            answer = self._accept(message, run, data, unique, after, expires_at, plain.text, policies, entered=entered)
            if answer:
                return answer
            plain.read()

    def _accept(
        self,
        message: Message,
        run: Run,
        data: str,
        unique: str,
        after: str,
        expires_at: float | None,
        plain: str,
        policies: list[Any],
        *,
        entered: bool,
    ) -> str:
        """'' where other queues than `plain` have plain workers now."""
        keys, db = self._link.keys, self._link.broker_db
        first_check = FIRST_CHECK if entered else ""
        expiry = "" if expires_at is None else f"{expires_at:.3f}"
        pushed = [message.queue, message.text, message.more_json]
        told = [data, run.schedule or "", expiry, run.parent or "", keys.children(""), after, plain]
        return cast(
            "str",
            self._link.script(
                "accept",
                [keys.run(run.run), keys.ledger, keys.events, keys.unique, keys.running, keys.plain],
                [run.run, unique, keys.run(""), first_check, HARD_CAP, db, *pushed, *told, *policies],
            ),
        )

    def claim(self, run: Run, owner: str, worker: str) -> tuple[Claim, int]:
        """Take a run for execution; returns what came of it, and the attempt."""
        keys = self._link.keys
        outcome, attempt = self._link.script(
            "claim",
            [keys.run(run.run), keys.ledger, keys.events],
            [run.run, owner, LEASE, encode(run.facts(worker=worker)), HARD_CAP, run.slot_seconds, MAX_ATTEMPTS],
        )
        return cast("Claim", outcome), int(attempt)

    def renew(self, held: Mapping[str, str]) -> tuple[list[str], list[str]]:
        """Prolong leases (run id → owner); returns the ids of those that are no longer their owner's, and of those whose
        execution has to stop."""
        pairs = [text for pair in held.items() for text in pair]
        lost, cancelled = self._link.script("renew", [self._link.keys.ledger], [LEASE, self._link.keys.run(""), *pairs])
        return lost, cancelled

    def release(
        self,
        run: Run,
        owner: str,
        attempt: int,
        *,
        after: float,
        message: Message | None = None,
        because: Because = "asked",
        **facts: Any,
    ) -> bool:
        """Give a run back; after `after` seconds its message, or this new one, is pushed again.

        `owner` is '' where nobody has claimed it. `because`: what its task asked for goes to the end of its list; what its
        worker stopped, or lost, to the front. A lost execution counts against `MAX_ATTEMPTS` (see `lose`).
        False where it is no longer this owner's.
        """
        keys = self._link.keys
        data = encode(run.facts(attempt=attempt, **facts))
        pushed = [message.queue, message.text, message.more_json] if message else ["", "", ""]
        arguments = [run.run, owner, attempt, after, data, HARD_CAP, *pushed, because]
        return bool(self._link.script("release", [keys.run(run.run), keys.ledger, keys.events], arguments))

    def finish(self, run: Run, owner: str, attempt: int, event: str, **facts: Any) -> bool:
        """End a run that this owner claimed. False where the lease was lost: then another execution decides."""
        return self._end(run, "owner", owner, attempt, event, facts)

    def conclude(self, entry: LedgerEntry, event: str, **facts: Any) -> bool:
        """End a run that nobody will finish, if its entry still is what was read. For the relay."""
        return self._end(entry.run, "guard", f"{entry.state}:{entry.pushes}", entry.attempt, event, facts)

    def end(self, entry: LedgerEntry, event: str, **facts: Any) -> bool:
        """End a run as it was read, whoever has claimed it."""
        if entry.state == "running":
            return self.finish(entry.run, entry.owner, entry.attempt, event, **facts)
        return self.conclude(entry, event, **facts)

    def lose(self, entry: LedgerEntry, *, after: float, error: str, **facts: Any) -> bool:
        """Give back a run whose execution was lost, or impossible; for the `MAX_ATTEMPTS`th time it ends as `lost`. One
        that is cancelled ends as that."""
        if entry.cancelled_by:
            return self.cancel(entry, **facts)
        if entry.is_used_up:
            return self.end(entry, "run.lost", error=f"{error} (lost {entry.losses + 1} times)", **facts)
        facts["error"] = error
        return self.release(entry.run, entry.owner, entry.attempt, after=after, because="lost", **facts)

    def cancel(self, entry: LedgerEntry, **facts: Any) -> bool:
        """End a run in whose place another one is to run."""
        return self.end(entry, "run.cancelled", error=f"cancelled: run {entry.cancelled_by} takes its place", **facts)

    def proceed(self, run_id: str, schedule: str) -> bool:
        """Start a run that waits for the others of its schedule, if none is unfinished any more."""
        keys = self._link.keys
        arguments = [run_id, schedule, keys.run(""), HARD_CAP, self._link.broker_db, FIRST_CHECK]
        return bool(self._link.script("proceed", [keys.ledger, keys.events, keys.running], arguments))

    def push_again(self, entry: LedgerEntry, *, now: float, next_check: float, plain: str) -> bool:
        """Push a run's message again, if its entry still is what was read. For the relay.

        `now`: Redis' time, for the copy; `plain`: the queues of plain workers as read (see `PlainQueues`).
        """
        keys, run = self._link.keys, entry.run
        pushes = entry.pushes + 1 if entry.state == "queued" else 1
        data = encode(run.facts(attempt=entry.attempt, pushes=pushes))
        read = [entry.state, entry.attempt, entry.pushes, entry.lease_until]
        # A list is in the order of its dates: what goes to its front is older than all.
        pushed = [entry.queue, copied(entry.text, 0 if entry.goes_first else now), copied_more(entry.more, now)]
        arguments = [run.run, *read, next_check, data, HARD_CAP, self._link.broker_db, *pushed, plain, pushes]
        places = [keys.run(run.run), keys.ledger, keys.events, keys.plain]
        return bool(self._link.script("push_again", places, [*arguments, int(entry.goes_first)]))

    def tell(self, run: Run, event: str, **facts: Any) -> bool:
        """Write an event that no script makes true. Best effort; returns whether Redis took it."""
        try:
            emit(self._link.client, self._link.keys, event, run.facts(**facts))
        except redis.RedisError as error:
            logger.warning("Event %s of run %s could not be written: %s", event, run.run, error)
            return False
        return True

    def read(self, run_id: str) -> LedgerEntry | None:
        """A run's entry; None where the run has ended or never was."""
        fields = cast("dict[str, str]", self._link.client.hgetall(self._link.keys.run(run_id)))
        return LedgerEntry.of(run_id, fields) if fields else None

    def _end(self, run: Run, field: str, value: str, attempt: int, event: str, facts: Mapping[str, Any]) -> bool:
        keys = self._link.keys
        data = encode(run.facts(attempt=attempt, **facts))
        where = [keys.run(""), keys.children(""), self._link.broker_db, FIRST_CHECK]
        places = [keys.run(run.run), keys.ledger, keys.events, keys.unique, keys.running, keys.dead_messages]
        return bool(
            self._link.script(
                "finish",
                [*places, keys.failures, keys.to_pause],
                [run.run, field, value, attempt, event, data, HARD_CAP, run.schedule or "", *where],
            )
        )


def send(
    task: str,
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    app: Celery | None = None,
    unique: str | None = None,
    parent: str | None = None,
    after: str | None = None,
    **options: Any,
) -> Sent:
    """Send a task through the ledger: once accepted, it is not lost with a worker.

    `unique`: while a run holds this key, no second one is accepted. `parent`: the id of the run that sends; it has the
    new one as a child, and one child for each `unique` key, also when it runs once more. `after`: the id of a run; the
    new one starts when that run and all its children have ended, however they did (`children` counts them).
    `options` are `apply_async`'s (queue, priority, expires in seconds …).

    Raises:
        TypeError: the arguments don't fit the task.
        ConfigurationError: `unique`, `parent` or `after` is asked for, and a worker without `livebeat.install` consumes
            the queue.
        redis.RedisError: Redis doesn't answer; whether it was accepted can be asked with `run_state`.
    """
    celery = app or current_app._get_current_object()
    of = link(celery)
    run = Run(run=str(uuid.uuid4()), task=task, kind="send", parent=parent)
    headers = {KIND_HEADER: "send"}
    make = partial(build, celery, task, tuple(args), kwargs, run_id=run.run, headers=headers, options=options)
    expires = options.get("expires")
    expires_at = of.now().timestamp() + expires if isinstance(expires, int | float) else None
    holder = Ledger(of).accept(make, run, unique=unique or "", after=after or "", expires_at=expires_at)
    return Sent(holder, holder == run.run)


def _refuse_without_ledger(queue: str, **asked: Any) -> None:
    if any(asked.values()):
        names = ", ".join(name for name, value in asked.items() if value)
        raise ConfigurationError(
            reason_en=f"{names} can't be kept on queue {queue!r}: a worker without livebeat.install consumes it, and would "
            "end none of its runs. `livebeat status` names it: stop it, or start it with the app that calls livebeat.install",
            reason_ko=f"큐 {queue!r}에서는 {names}을(를) 지킬 수 없습니다. livebeat.install 없이 실행된 Worker가 이 큐를 처리하고 "
            "있습니다. `livebeat status`에서 확인한 뒤 종료하거나 livebeat.install을 호출하는 앱으로 다시 시작하세요",
        )


def run_state(app: Celery, run_id: str) -> LedgerEntry | None:
    """The ledger's view of an unfinished run; None once it has ended."""
    return Ledger(link(app)).read(run_id)
