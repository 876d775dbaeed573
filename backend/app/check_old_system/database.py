"""The old tables: whether all is there, and what is in them that matters for the switch. Only reads; PostgreSQL makes sure."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC

from django.db import connection, transaction
from django.db.models import Count, Model, Q, Sum
from django.db.models.functions import ExtractHour, ExtractMinute, ExtractSecond

from app.check_old_system.findings import Findings
from app.core.errors import NotConfiguredError
from app.core.settings import get_settings
from app.domains.velog import tokens
from app.domains.velog.models import Post, PostDailyStatistics, QRLoginToken, StatsRefreshRequest, User

_STATISTICS = PostDailyStatistics._meta.db_table
_REQUESTS = StatsRefreshRequest._meta.db_table
#: Of these the old back office made all or, on a fresh database, none.
_FIRST = (User, QRLoginToken, Post, PostDailyStatistics)
#: Columns of ours, which no old table has.
_OURS = {(_STATISTICS, "run_id")}
#: Midnight in Korea.
_HOUR = 15


def check_database(findings: Findings) -> bool:
    """Look at everything; returns whether the tables can be asked.

    Raises:
        django.db.Error: the database doesn't answer.
    """
    with _reading():
        tables = set(connection.introspection.table_names())
        if not _check_tables(tables, findings):
            return False
        findings.figures["users"] = User.objects.count()
        findings.figures["posts"] = Post.objects.count()
        findings.figures["statistics"] = PostDailyStatistics.objects.count()
        _check_statistics(findings)
        _check_tokens(findings)
        if _REQUESTS in tables:
            _check_requests(findings)
        if connection.vendor == "postgresql":
            _check_timescale(findings)
    return True


@contextmanager
def _reading() -> Iterator[None]:
    """Nothing can be written meanwhile, by us."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")
        try:
            yield
        finally:
            cursor.execute("PRAGMA query_only = OFF")


def _check_tables(tables: set[str], findings: Findings) -> bool:
    names = [model._meta.db_table for model in _FIRST]
    missing = [name for name in names if name not in tables]
    if len(missing) == len(names):
        findings.add("no-tables")
    elif missing:
        findings.add("missing-table", tables=", ".join(missing))
    models = [*_FIRST, *([StatsRefreshRequest] if _REQUESTS in tables else [])]
    columns = [] if missing else [column for model in models for column in _missing_columns(model)]
    if columns:
        findings.add("missing-column", columns=", ".join(columns))
    if missing or columns:
        return False
    if _REQUESTS not in tables:
        findings.add("no-request-table")
    if "django_migrations" in tables and _is_taken_over():
        findings.add("taken-over")
    return True


def _missing_columns(model: type[Model]) -> list[str]:
    table = model._meta.db_table
    with connection.cursor() as cursor:
        there = {column.name for column in connection.introspection.get_table_description(cursor, table)}
    wanted = [field.column for field in model._meta.concrete_fields if (table, field.column) not in _OURS]
    return [f"{table}.{column}" for column in wanted if column not in there]


def _is_taken_over() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM django_migrations WHERE app = 'velog' LIMIT 1")
        return cursor.fetchone() is not None


def _check_statistics(findings: Findings) -> None:
    rows = PostDailyStatistics.objects.order_by()
    twice = rows.values("post_id", "date").annotate(n=Count("pk")).filter(n__gt=1)
    found = twice.aggregate(groups=Count("n"), rows=Sum("n"))
    if found["groups"]:
        findings.add("duplicates", groups=found["groups"], surplus=found["rows"] - found["groups"])
    at_midnight = Q(hour=_HOUR, minute=0, second=0)
    times = rows.annotate(
        hour=ExtractHour("date", tzinfo=UTC),
        minute=ExtractMinute("date", tzinfo=UTC),
        second=ExtractSecond("date", tzinfo=UTC),
    )
    odd = times.exclude(at_midnight).count()
    if odd:
        findings.add("odd-dates", count=odd)


def _check_tokens(findings: Findings) -> None:
    """Each user's tokens under the key of their group. What they hold is never kept."""
    of, unreadable, keyless = Counter[int](), Counter[int](), Counter[int]()
    plain = 0
    keys = {index: _keys(index) for index in range(10)}
    for group, *stored in User.objects.values_list("group_id", "access_token", "refresh_token").iterator(1000):
        index = tokens.key_index(group)
        of[index] += 1
        own = keys[index]
        if own is None:
            keyless[index] += 1
        elif not all(_is_readable(text, own) for text in stored):
            unreadable[index] += 1
        plain += any(map(tokens.is_token, stored))
    for index, users in sorted(keyless.items()):
        findings.add("missing-key", setting=f"AES_KEY_{index}", users=users)
    for index, users in sorted(unreadable.items()):
        findings.add("unreadable-tokens", setting=f"AES_KEY_{index}", users=users, of=of[index])
    if plain:
        findings.add("plain-tokens", users=plain)


def _keys(index: int) -> tokens.Keys | None:
    try:
        return tokens.keys_for(index, get_settings())
    except NotConfiguredError:
        return None


def _is_readable(stored: str, keys: tokens.Keys) -> bool:
    try:
        keys.read(stored)
    except tokens.UnreadableTokenError:
        return False
    return True


def _check_requests(findings: Findings) -> None:
    status = StatsRefreshRequest.Status
    count = StatsRefreshRequest.objects.filter(status__in=(status.QUEUED, status.PROCESSING)).count()
    if count:
        findings.add("rows-under-way", count=count)


def _check_timescale(findings: Findings) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
        row = cursor.fetchone()
        if row is None:
            return
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE is_compressed) FROM timescaledb_information.chunks"
            " WHERE hypertable_name = %s",
            [_STATISTICS],
        )
        chunks, compressed = cursor.fetchone()
        cursor.execute("SELECT 1 FROM timescaledb_information.hypertables WHERE hypertable_name = %s", [_STATISTICS])
        is_hypertable = cursor.fetchone() is not None
    findings.add("timescale" if is_hypertable else "timescale-plain", version=row[0], chunks=chunks)
    if compressed:
        findings.add("compressed", chunks=compressed)
