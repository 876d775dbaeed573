"""A message's way into the ledger, as `livebeat.send(…, unique=…)` goes it, with the move off the old list in the same step."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

from app.bridge.lists import Found, Lists
from app.bridge.messages import Request
from app.domains.velog.requests import TASK, unique_key
from livebeat import Run, failpoints
from livebeat.connection import Link
from livebeat.delivery import Ledger
from livebeat.events import emit, encode
from livebeat.keys import Keys
from livebeat.message import KIND_HEADER, build

KIND = "bridge"
Outcome = Literal["accepted", "coalesced", "gone"]


class Taken(NamedTuple):
    """What came of a message: its own run, the user's that was under way already, or nothing: somebody else took it."""

    outcome: Outcome
    run: str


class _NotTakenError(Exception):
    """`gone`: somebody else took the message; `used`: the id that it asks for is that of another user's run."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


@dataclass(frozen=True)
class _Moving(Link):
    """The ledger's link while one message is taken where the lists are beside it: what accepts the run moves the message."""

    of: Link
    lists: Lists
    found: Found
    rest: str
    coalesced: str

    @property
    def keys(self) -> Keys:
        return self.of.keys

    @property
    def broker_db(self) -> str:
        return self.of.broker_db

    def script(self, name: str, keys: Sequence[str | bytes], args: Sequence[Any]) -> Any:
        """`take.lua` in the place of `accept.lua`, which it includes."""
        failpoints.reach(f"before_{name}")
        outcome, run = self.lists.take([*keys], [*args], self.found, self.rest, self.coalesced)
        failpoints.reach(f"after_{name}")
        if outcome != "taken":
            raise _NotTakenError(outcome)
        return run


def take(link: Link, lists: Lists, found: Found, request: Request) -> Taken:
    """Take one message. Safe to repeat.

    Raises:
        ConfigurationError: a worker without `livebeat.install` consumes the queue; the message stays where it is.
        redis.RedisError: a Redis doesn't answer; whether it was taken shows on the lists.
    """
    way = _accept_apart if lists.is_apart else _accept_beside
    try:
        return way(link, lists, found, request, request.request_id or found.token)
    except _NotTakenError as error:
        if error.why == "gone":
            return Taken("gone", "")
        return way(link, lists, found, request, found.token if lists.is_apart else str(uuid.uuid4()))


def run_ids(found: Found, request: Request) -> tuple[str, ...]:
    """The ids that this message's run may have."""
    return tuple(filter(None, (request.request_id, found.token)))


def _accept_beside(link: Link, lists: Lists, found: Found, request: Request, run_id: str) -> Taken:
    data = encode(_coalesced(request))
    moving = _Moving(link.app, link.client, link, lists, found, request.rest(link.now()), data)
    return _taken(_accept(moving, request, run_id), run_id)


def _accept_apart(link: Link, lists: Lists, found: Found, request: Request, run_id: str) -> Taken:
    ledger = Ledger(link)
    entry = ledger.read(run_id)
    if entry is not None and entry.unique != unique_key(request.user_id):
        raise _NotTakenError("used")
    taken = _taken(_accept(link, request, run_id), run_id)
    if lists.show(found, taken.run, request.rest(link.now())) and taken.outcome == "coalesced":
        emit(link.client, link.keys, "request.coalesced", {**_coalesced(request), "run": taken.run})
    return taken


def _accept(link: Link, request: Request, run_id: str) -> str:
    """The id of the user's run that is under way then."""
    run = Run(run=run_id, task=TASK, kind=KIND)
    make = partial(
        build,
        link.app,
        TASK,
        (),
        {"user_id": request.user_id},
        run_id=run_id,
        headers={KIND_HEADER: KIND},
    )
    return Ledger(link).accept(make, run, unique=unique_key(request.user_id))


def _taken(holder: str, run_id: str) -> Taken:
    return Taken("accepted" if holder == run_id else "coalesced", holder)


def _coalesced(request: Request) -> dict[str, Any]:
    told = {name: request.envelope[name] for name in ("requestedAt", "requestedBy")}
    return {"task": TASK, "user_id": request.user_id, "request": request.request_id, **told}
