"""How the runs fare that a run has sent (`send(…, parent=…)`)."""

from dataclasses import dataclass
from typing import cast

from celery import Celery, current_app

from livebeat.connection import link


@dataclass(frozen=True)
class Children:
    """How a run's children fare: `sent` in all, `open` of them unfinished, and how the others ended."""

    sent: int
    open: int
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    expired: int = 0
    lost: int = 0


def children(run_id: str, *, app: Celery | None = None) -> Children | None:
    """How the children of a run fare; None where it sent none, or where nothing is open and no run waits for them."""
    of = link(app or current_app._get_current_object())
    fields = cast("dict[str, str]", of.client.hgetall(of.keys.children(run_id)))
    if "sent" not in fields:
        return None
    counts = {name: int(fields.get(name, 0)) for name in Children.__dataclass_fields__}
    return Children(**{**counts, "open": counts["open"] - int(fields.get("own", 0))})
