"""Throwing away old daily totals (whole chunks where the table is a Timescale hypertable) and old refresh requests."""

from datetime import datetime, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta
from django.db import connection
from django.db.models import Q, QuerySet

from app.core.settings import Settings, get_settings
from app.domains.velog.models import PostDailyStatistics, StatsRefreshRequest
from app.domains.velog.posts import SEOUL, korean_midnight
from livebeat import clock, progress

#: Rows in one delete, which is one transaction.
BATCH = 5000
_Status = StatsRefreshRequest.Status
_ENDED = (_Status.SUCCESS, _Status.FAILED, _Status.DLQ)
_TABLE = PostDailyStatistics._meta.db_table
_EXTENSION = "SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'"
_HYPERTABLE = (
    "SELECT 1 FROM timescaledb_information.hypertables"
    " WHERE hypertable_schema = current_schema() AND hypertable_name = %s"
)


def delete_old_statistics(*, settings: Settings | None = None, now: datetime | None = None) -> dict[str, Any]:
    """Delete the totals of all days before today, so many months ago; may be stopped and repeated at any time.

    Returns `before` (the first day that is kept), `chunks` and `rows`: how much was deleted.
    """
    months = (settings or get_settings()).velog_retention_months
    before = korean_midnight((now or clock.now()).astimezone(SEOUL) - relativedelta(months=months))
    chunks = _drop_chunks(before) if is_hypertable() else 0
    rows = _delete(PostDailyStatistics.objects.filter(date__lt=before))
    return {"before": before.date().isoformat(), "chunks": chunks, "rows": rows}


def delete_old_requests(*, settings: Settings | None = None, now: datetime | None = None) -> int:
    """Delete the rows of requests that ended so many days ago, never of one under way; returns how many."""
    before = (now or clock.now()) - timedelta(days=(settings or get_settings()).stats_request_retention_days)
    ended = StatsRefreshRequest.objects.filter(status__in=_ENDED, created_at__lt=before)
    return _delete(ended.filter(Q(finished_at=None) | Q(finished_at__lt=before)))


def _delete(old: QuerySet[Any]) -> int:
    """Delete these rows, batch by batch, each as it is then: a row that is old no longer stays."""
    rows = 0
    while pks := list(old.values_list("pk", flat=True)[:BATCH]):
        rows += old.filter(pk__in=pks).delete()[0]
        progress(rows, note="rows")
    return rows


def is_hypertable() -> bool:
    """Whether the daily totals lie in chunks by day."""
    if connection.vendor != "postgresql":
        return False
    with connection.cursor() as cursor:
        cursor.execute(_EXTENSION)
        if cursor.fetchone() is None:
            return False
        cursor.execute(_HYPERTABLE, [_TABLE])
        return cursor.fetchone() is not None


def _drop_chunks(before: datetime) -> int:
    """Drop the chunks that lie wholly before an instant; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT drop_chunks(%s::regclass, older_than => %s)", [_TABLE, before])
        return len(cursor.fetchall())
