"""What was given up: runs that are lost, and messages that can't be used. Nothing vanishes; somebody decides."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from livebeat import clock
from livebeat.connection import Link
from livebeat.delivery.ledger import FIRST_CHECK, Run
from livebeat.errors import Language, LivebeatError
from livebeat.events import HARD_CAP, encode
from livebeat.message import copied, copied_more


@dataclass(frozen=True)
class DeadMessage:
    """One of them. `kind`: `run`, or `message` for what no worker could read; `stored` is its text in Redis."""

    id: str
    stored: str
    kind: str
    at: datetime
    reasons: dict[Language, str]
    queue: str
    text: str
    more: str
    attempt: int
    unique: str

    @classmethod
    def of(cls, run_id: str, stored: str) -> "DeadMessage":
        """What a field of the hash says; one that says nothing is a message without a text."""
        try:
            said = json.loads(stored)
            reason = str(said["reason"])
            return cls(
                id=run_id,
                stored=stored,
                kind=said["kind"],
                at=clock.from_epoch(float(said["at"])),
                reasons={"en": reason, "ko": str(said.get("reason_ko", reason))},
                queue=str(said.get("queue") or ""),
                text=str(said.get("text") or ""),
                more=str(said.get("more") or ""),
                attempt=int(said.get("attempt", 0)),
                unique=str(said.get("unique") or ""),
            )
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            nothing: dict[Language, str] = {"en": stored[:200], "ko": stored[:200]}
            return cls(run_id, stored, "message", clock.from_epoch(0), nothing, "", "", "", 0, "")

    @property
    def run(self) -> Run | None:
        """The run that it was; None where its message can't be read."""
        try:
            headers = json.loads(self.text)["headers"]
            return Run.of(self.id, str(headers["task"]), headers) if self.kind == "run" else None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None


def dead_messages(link: Link) -> Iterator[DeadMessage]:
    """Everything that was given up, in no order."""
    for run_id, stored in link.client.hscan_iter(link.keys.dead_messages, count=50):
        yield DeadMessage.of(run_id, stored)


def find(link: Link, run_id: str) -> DeadMessage:
    """One of them.

    Raises:
        LivebeatError: there is none of this id.
    """
    stored: Any = link.client.hget(link.keys.dead_messages, run_id)
    if stored is None:
        raise LivebeatError(
            reason_en=f"Nothing was given up under the id {run_id!r}. `livebeat dead` lists what was.",
            reason_ko=f"보관된 메시지 중 {run_id!r}이(가) 없습니다. `livebeat dead`로 목록을 확인하세요.",
        )
    return DeadMessage.of(run_id, stored)


def revive(link: Link, dead: DeadMessage, *, alone: bool = False) -> str:
    """Queue a run again, under its id; returns that, '' where somebody else was first, or the id of the run that it would run
    beside: one under way with the same unique key or, if it is to be `alone`, another of its schedule. It then stays here.

    Raises:
        LivebeatError: it is a message that can't be used, now as before.
    """
    run, keys = dead.run, link.keys
    if run is None or not dead.queue:
        raise LivebeatError(
            reason_en=f"{dead.id}: its message can't be used, so it would be given up again. Send the task anew, then "
            f"`livebeat dead --drop {dead.id}`.",
            reason_ko=f"{dead.id}: 메시지를 해석할 수 없어 다시 보내도 실패합니다. 태스크를 새로 보낸 뒤 "
            f"`livebeat dead --drop {dead.id}`로 지우세요.",
        )
    now = clock.to_epoch(link.now())
    pushed = [dead.queue, copied(dead.text, now), copied_more(dead.more, now)]
    told = encode(run.facts(attempt=dead.attempt, queue=dead.queue))
    places = [keys.dead_messages, keys.run(run.run), keys.ledger, keys.events, keys.running, keys.unique]
    arguments = [run.run, dead.stored, FIRST_CHECK, told, HARD_CAP, link.broker_db, *pushed, run.schedule or ""]
    is_alone = "1" if alone and run.schedule else ""
    return str(link.script("revive", places, [*arguments, dead.attempt, dead.unique, is_alone, keys.run("")]))


def drop(link: Link, dead: DeadMessage) -> None:
    """Forget it for good."""
    link.client.hdel(link.keys.dead_messages, dead.id)
