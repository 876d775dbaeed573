"""Reading history. A cursor names a row's place, so pages stay right while new rows arrive."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from app.history.models import Run, State

MAX_LIMIT = 200

#: How a run ends without success.
UNSUCCESSFUL = (State.FAILED, State.LOST, State.CANCELLED, State.EXPIRED)
ENDED = (State.SUCCEEDED, *UNSUCCESSFUL)


class CursorError(ValueError):
    """The cursor wasn't made by `page_of`."""


def page_of(rows: QuerySet[Run], limit: int = 50, cursor: str | None = None) -> tuple[Sequence[Run], str | None]:
    """Of these runs, newest first, and the cursor of the next page (None after the last one). `limit`: 1 to 200.

    Raises:
        CursorError: `cursor` is not one of ours.
    """
    limit = max(1, min(limit, MAX_LIMIT))
    if cursor is not None:
        at, run = _place(cursor)
        # The first condition is implied by the second; it lets the index be entered at the right place.
        rows = rows.filter(seen_at__lte=at).filter(Q(seen_at__lt=at) | Q(id__lt=run))
    found = list(rows.order_by("-seen_at", "-id")[: limit + 1])
    more = len(found) > limit
    return found[:limit], _cursor(found[limit - 1]) if more else None


def recent_runs(
    schedule: str | None = None,
    task: str | None = None,
    state: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> tuple[Sequence[Run], str | None]:
    """A page (see `page_of`) of the runs that fit.

    Raises:
        CursorError: `cursor` is not one of ours.
    """
    wanted = {"schedule": schedule, "task": task, "state": state}
    rows = Run.objects.filter(**{name: value for name, value in wanted.items() if value is not None})
    return page_of(rows, limit, cursor)


def run_by_id(run: str) -> Run | None:
    """The run's row, or None where the recorder hasn't written one (yet)."""
    return Run.objects.filter(pk=run).first()


def all_runs() -> QuerySet[Run]:
    """Every run, for a query about something that runs did; compare with the primary key."""
    return Run.objects.all()


def unsuccessful_runs() -> QuerySet[Run]:
    """Runs that have ended without success."""
    return Run.objects.filter(state__in=UNSUCCESSFUL)


def latest_of_their_key(rows: QuerySet[Run]) -> QuerySet[Run]:
    """Of these runs those that no later run with the same unique key has followed."""
    later = Run.objects.filter(unique_key=OuterRef("unique_key"), seen_at__gt=OuterRef("seen_at"))
    return rows.filter(~Exists(later), unique_key__isnull=False)


def newest_of_key(unique_key: str, states: Sequence[State]) -> Run | None:
    """The newest run in one of these states that has held the key."""
    return Run.objects.filter(unique_key=unique_key, state__in=states).order_by("-seen_at").first()


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
