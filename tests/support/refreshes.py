"""Refresh requests as their events tell them, and users to ask for."""

import uuid
from datetime import timedelta
from itertools import count
from typing import Any

from app.domains.velog.models import User
from app.domains.velog.requests import TASK, unique_key
from livebeat import clock
from livebeat.events import Event

_sequence = count()


def make_user(**more: Any) -> int:
    """A user's primary key."""
    made = User.objects.create(velog_uuid=uuid.uuid4(), access_token="a", refresh_token="r", **more)
    return int(made.pk)


def told(run: str, user: int, *kinds: str, ago: float = 60, **last: Any) -> list[Event]:
    """Events of a request, a second apart, the first `ago` seconds ago; `last` goes into the last one's data.

    `queued`, `started` (the next attempt), `retrying`, and how it ended.
    """
    events, attempt = [], 0
    for number, kind in enumerate(kinds):
        attempt += kind == "started"
        at = clock.now() - timedelta(seconds=ago - number)
        data: dict[str, Any] = {"run": run, "task": TASK, "kind": "send", "attempt": attempt}
        if kind == "queued":
            data |= {"unique": unique_key(user), "queue": "stats"}
        if number == len(kinds) - 1:
            data |= last
        events.append(Event(f"{int(at.timestamp() * 1000)}-{next(_sequence)}", at, f"run.{kind}", data))
    return events


def new_id() -> str:
    """An id as runs have them."""
    return str(uuid.uuid4())
