"""Writing history: from events to rows, each run once, whatever is delivered twice or out of order."""

import logging
from collections.abc import Collection, Sequence

from django.db import transaction

from app.history.models import Run
from app.history.news import BadNewsError, News, blank_row, fold, news_of
from livebeat.events import Event

logger = logging.getLogger(__name__)

#: Events a call takes: SQLite has one writer, so a transaction must stay short.
BATCH = 200

_WRITTEN = [field.name for field in Run._meta.concrete_fields if not field.primary_key]


def record_events(events: Sequence[Event]) -> int:
    """Bring the rows of these events' runs up to date, in one transaction; returns how many rows changed.

    Idempotent: a batch may be given again. Events about anything else are passed over; one whose data can't be used
    is logged and passed over, since no later attempt would do better.

    Raises:
        ValueError: more than `BATCH` events.
        django.db.Error: the database refused or is away; nothing was written.
    """
    if len(events) > BATCH:
        raise ValueError(f"{len(events)} events in one batch; at most {BATCH}")
    news = [item for item in map(_usable, events) if item is not None]
    return _write(news) if news else 0


def locked_runs(ids: Collection[str]) -> list[Run]:
    """The rows of these runs, locked until the end of the transaction."""
    return list(Run.objects.select_for_update().filter(id__in=ids).order_by("id"))


def _usable(event: Event) -> News | None:
    try:
        return news_of(event)
    except BadNewsError as error:
        logger.warning("event %s (%s) is not usable and was skipped: %s", event.id, event.type, error)
        return None


def _write(news: Sequence[News]) -> int:
    first = {item.run: item for item in reversed(news)}
    ids = sorted(first)  # one order for everybody, so that two recorders can't block each other
    with transaction.atomic():
        Run.objects.bulk_create([blank_row(first[run]) for run in ids], ignore_conflicts=True)
        rows = {row.id: row for row in locked_runs(ids)}
        changed = {item.run for item in news if fold(rows[item.run], item)}
        Run.objects.bulk_create(
            [rows[run] for run in ids if run in changed],
            update_conflicts=True,
            unique_fields=["id"],
            update_fields=_WRITTEN,
        )
    return len(changed)
