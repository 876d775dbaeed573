"""The ledger of unfinished messages: typed wrappers, one a script. Safe to repeat after a lost reply."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from celery import Celery, current_app

from livebeat.connection import Link, link
from livebeat.events import HARD_CAP, encode
from livebeat.message import KIND_HEADER, Message, build

#: Seconds that a claim stands without being renewed.
LEASE = 10
#: Seconds after which an unclaimed message is looked at again; doubles with each push.
FIRST_CHECK = 30
MAX_ATTEMPTS = 3

Claim = Literal["claimed", "held", "gone"]


@dataclass(frozen=True)
class Run:
    """Who a run is: what every event about it says."""

    run: str
    task: str
    schedule: str | None = None
    slot: str | None = None
    revision: int | None = None
    kind: str = "task"
    parent: str | None = None

    def facts(self, **more: Any) -> dict[str, Any]:
        """The data of an event about this run."""
        return {**self.__dict__, **more}


@dataclass(frozen=True)
class Sent:
    """What `send` answers. `accepted` is False where another run holds the `unique` key; then `run_id` is that one."""

    run_id: str
    accepted: bool


class Ledger:
    """The ledger of one app."""

    def __init__(self, link_: Link) -> None:
        self._link = link_

    def accept(self, message: Message, run: Run, *, unique: str = "", expires_at: float | None = None) -> str:
        """Enter and push a message; returns the id of the run under way: this one, or the holder of `unique`."""
        keys = self._link.keys
        fields = entry_fields(run, message, unique=unique, expires_at=expires_at)
        data = encode(run.facts(queue=message.queue, attempt=0, unique=unique or None))
        return cast(
            "str",
            self._link.script(
                "accept",
                [keys.run(run.run), keys.ledger, keys.events, keys.unique],
                [run.run, unique, keys.run(""), FIRST_CHECK, message.to_json(), data, HARD_CAP, *fields],
            ),
        )

    def claim(self, run: Run, owner: str, worker: str) -> tuple[Claim, int]:
        """Take a run for execution; returns what came of it, and the attempt."""
        keys = self._link.keys
        outcome, attempt = self._link.script(
            "claim",
            [keys.run(run.run), keys.ledger, keys.events],
            [run.run, owner, LEASE, encode(run.facts(worker=worker)), HARD_CAP],
        )
        return cast("Claim", outcome), int(attempt)

    def renew(self, owner: str, run_ids: Iterable[str]) -> list[str]:
        """Prolong this owner's leases; returns the ids that are no longer its own."""
        keys = self._link.keys
        return cast("list[str]", self._link.script("renew", [keys.ledger], [owner, LEASE, keys.run(""), *run_ids]))

    def release(self, run: Run, owner: str, attempt: int, *, after: float, commands: str = "", **facts: Any) -> bool:
        """Give a run back; it is pushed again after `after` seconds. False where it is no longer this owner's."""
        keys = self._link.keys
        data = encode(run.facts(attempt=attempt, **facts))
        arguments = [run.run, owner, attempt, after, commands, data, HARD_CAP]
        return bool(self._link.script("release", [keys.run(run.run), keys.ledger, keys.events], arguments))

    def finish(self, run: Run, owner: str, attempt: int, event: str, **facts: Any) -> bool:
        """End a run that this owner claimed. False where the lease was lost: then another execution decides."""
        return self._end(run, "owner", owner, attempt, event, facts)

    def conclude(self, run: Run, fields: Mapping[str, str], event: str, **facts: Any) -> bool:
        """End a run that nobody will finish, if its entry still is what was read. For the relay."""
        guard = f"{fields['state']}:{fields['pushes']}"
        return self._end(run, "guard", guard, int(fields["attempt"]), event, facts)

    def push_again(self, run: Run, fields: Mapping[str, str], commands: str, *, next_check: float) -> bool:
        """Push a run's message again, if its entry still is what was read. For the relay."""
        keys = self._link.keys
        data = encode(run.facts(attempt=int(fields["attempt"]), pushes=int(fields["pushes"]) + 1))
        read = [fields[name] for name in ("state", "attempt", "pushes", "lease_until")]
        return bool(
            self._link.script(
                "push_again",
                [keys.run(run.run), keys.ledger, keys.events],
                [run.run, *read, commands, next_check, data, HARD_CAP],
            )
        )

    def read(self, run_id: str) -> dict[str, str]:
        """An entry's fields; empty where the run has ended or never was."""
        return cast("dict[str, str]", self._link.client.hgetall(self._link.keys.run(run_id)))

    def _end(self, run: Run, field: str, value: str, attempt: int, event: str, facts: Mapping[str, Any]) -> bool:
        keys = self._link.keys
        data = encode(run.facts(attempt=attempt, **facts))
        return bool(
            self._link.script(
                "finish",
                [keys.run(run.run), keys.ledger, keys.events, keys.unique],
                [run.run, field, value, attempt, event, data, HARD_CAP, keys.running("")],
            )
        )


def entry_fields(run: Run, message: Message, *, unique: str = "", expires_at: float | None = None) -> list[str]:
    """The ledger entry's own fields as field, value, field, value … (dispatch writes the same)."""
    fields = {
        "task": run.task,
        "schedule": run.schedule or "",
        "slot": run.slot or "",
        "revision": "" if run.revision is None else str(run.revision),
        "kind": run.kind,
        "parent": run.parent or "",
        "queue": message.queue,
        "unique": unique,
        "expires_at": "" if expires_at is None else f"{expires_at:.3f}",
    }
    return [text for pair in fields.items() for text in pair]


def run_of(run_id: str, fields: Mapping[str, str]) -> Run:
    """The run behind an entry's fields."""
    revision = fields.get("revision")
    return Run(
        run=run_id,
        task=fields["task"],
        schedule=fields.get("schedule") or None,
        slot=fields.get("slot") or None,
        revision=int(revision) if revision else None,
        kind=fields.get("kind", "send"),
        parent=fields.get("parent") or None,
    )


def send(
    task: str,
    args: Iterable[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    app: Celery | None = None,
    unique: str | None = None,
    parent: str | None = None,
    **options: Any,
) -> Sent:
    """Send a task through the ledger: once accepted, it is not lost with a worker.

    `unique`: while a run holds this key, no second one is accepted. `parent`: the id of the run that sends.
    `options` are `apply_async`'s (queue, priority, expires in seconds …).

    Raises:
        TypeError: the arguments don't fit the task.
        redis.RedisError: Redis doesn't answer; whether it was accepted can be asked with `run_state`.
    """
    celery = app or current_app._get_current_object()
    of = link(celery)
    run = Run(run=str(uuid.uuid4()), task=task, kind="send", parent=parent)
    message = build(celery, task, tuple(args), kwargs, run_id=run.run, headers={KIND_HEADER: "send"}, options=options)
    expires = options.get("expires")
    expires_at = of.now().timestamp() + expires if isinstance(expires, int | float) else None
    holder = Ledger(of).accept(message, run, unique=unique or "", expires_at=expires_at)
    return Sent(holder, holder == run.run)


def run_state(app: Celery, run_id: str) -> dict[str, str] | None:
    """The ledger's view of an unfinished run: state, attempt, task, schedule …; None once it has ended."""
    fields = Ledger(link(app)).read(run_id)
    fields.pop("commands", None)
    return fields or None
