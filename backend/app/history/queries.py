"""Reading history. A cursor names a row's place, so pages stay right while new rows arrive."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime

from django.db.models import Q, QuerySet

from app.history.models import Run, State

MAX_LIMIT = 200


class CursorError(ValueError):
    """The cursor wasn't made by `recent_runs`."""


def recent_runs(
    schedule: str | None = None,
    task: str | None = None,
    state: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> tuple[Sequence[Run], str | None]:
    """Runs, newest first, and the cursor of the next page (None after the last one). `limit`: 1 to 200.

    Raises:
        CursorError: `cursor` is not one of ours.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    wanted = {"schedule": schedule, "task": task, "state": state}
    rows = Run.objects.filter(**{name: value for name, value in wanted.items() if value is not None})
    if cursor is not None:
        at, run = _place(cursor)
        # The first condition is implied by the second; it lets the index be entered at the right place.
        rows = rows.filter(seen_at__lte=at).filter(Q(seen_at__lt=at) | Q(id__lt=run))
    found = list(rows.order_by("-seen_at", "-id")[: limit + 1])
    more = len(found) > limit
    return found[:limit], _cursor(found[limit - 1]) if more else None


def run_by_id(run: str) -> Run | None:
    """The run's row, or None where the recorder hasn't written one (yet)."""
    return Run.objects.filter(pk=run).first()


def all_runs() -> QuerySet[Run]:
    """Every run, for a query about something that runs did; compare with the primary key."""
    return Run.objects.all()


def unsuccessful_runs() -> QuerySet[Run]:
    """Runs that have ended without success."""
    return Run.objects.filter(state__in=(State.FAILED, State.LOST, State.CANCELLED, State.EXPIRED))


def _cursor(row: Run) -> str:
    text = f"{row.seen_at.astimezone(UTC).isoformat()} {row.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        at, _, run = text.partition(" ")
        instant = datetime.fromisoformat(at).astimezone(UTC)
    except (binascii.Error, ValueError, OverflowError):
        raise CursorError(cursor) from None
    if not run or "\x00" in run:
        raise CursorError(cursor)
    return instant, run
