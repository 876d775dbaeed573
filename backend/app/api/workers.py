"""What the workers say of themselves, asked by Celery's own remote control.

Every question takes its whole second, since nobody knows how many will answer; both are asked at the same time, and
the answer is remembered for a moment, so polling is cheap.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from app.api.readiness import Remembered
from app.core.celery_app import celery_app

_SECONDS = 1.0


@dataclass(frozen=True)
class Workers:
    """By the worker's name: the tasks that it executes now, and those that it knows. None where none answers."""

    active: dict[str, list[dict[str, Any]]] | None
    registered: dict[str, list[str]] | None


def _ask() -> Workers:
    with ThreadPoolExecutor(2) as pool:
        active = pool.submit(lambda: celery_app.control.inspect(timeout=_SECONDS).active())
        registered = pool.submit(lambda: celery_app.control.inspect(timeout=_SECONDS).registered())
        return Workers(active.result() or None, registered.result() or None)


#: Asks the workers; not more than once in two seconds.
answering_workers = Remembered(_ask)
