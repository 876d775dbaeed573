"""Daily totals on PostgreSQL: an index of day ranges, or, where the database has the extension, a hypertable.

The extension here is a stub (`support.timescale_stub`).
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from launcher.servers.postgres import EmbeddedPostgres
from support.platform_processes import PROJECT_DIR, platform_environment
from support.processes import Running
from support.timescale_stub import write_extension

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(180)]
MANAGE = str(PROJECT_DIR / "backend" / "manage.py")
CLEAN_UP = """
import json
import sys
from datetime import UTC, datetime
from app.domains.velog import retention
now = datetime(2026, 8, 30, 15, 30, tzinfo=UTC)
print("RESULT", json.dumps([retention.is_hypertable(), retention.delete_old_statistics(now=now)]))
"""
ROWS = """
INSERT INTO users_user (velog_uuid, access_token, refresh_token, group_id, is_active, newsletter_subscribed, created_at,
  updated_at) VALUES (gen_random_uuid(), '', '', 1, true, true, now(), now());
INSERT INTO posts_post (post_uuid, user_id, title, is_active, created_at, updated_at)
  SELECT gen_random_uuid(), id, 't', true, now(), now() FROM users_user;
INSERT INTO posts_postdailystatistics (post_id, date, daily_view_count, daily_like_count, created_at, updated_at)
  SELECT posts_post.id, day, 1, 1, now(), now()
  FROM posts_post, generate_series('2026-02-20 15:00+00'::timestamptz, '2026-03-01 15:00+00', '1 day') day;
"""


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    with (
        tempfile.TemporaryDirectory(prefix="lb-timescale-") as folder,
        EmbeddedPostgres(Path(folder), durable=False) as server,
    ):
        yield server


def manage(postgres: EmbeddedPostgres, tmp_path: Path, *arguments: str) -> list[str]:
    environment = platform_environment(tmp_path, DATABASE_URL=postgres.url)
    with Running([sys.executable, MANAGE, *arguments], env=environment) as process:
        assert process.wait(120) == 0, process.output
        return process.lines


def clean_up(postgres: EmbeddedPostgres, tmp_path: Path) -> Any:
    lines = manage(postgres, tmp_path, "shell", "--command", CLEAN_UP)
    (line,) = [line for line in lines if line.startswith("RESULT ")]
    return json.loads(line.removeprefix("RESULT "))


def indexes(connection: "psycopg.Connection[Any]") -> dict[str, str]:
    found = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'posts_postdailystatistics'"
    )
    return dict(found.fetchall())


def test_a_plain_database_gets_an_index_of_day_ranges(postgres: EmbeddedPostgres, tmp_path: Path) -> None:
    manage(postgres, tmp_path, "migrate", "--verbosity=0")
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        found = indexes(connection)
        connection.execute(ROWS)
    assert "USING brin (date)" in found["posts_pds_date_brin"]
    assert "posts_postdailystatistics_pkey" in found
    assert clean_up(postgres, tmp_path) == [False, {"before": "2026-02-28", "chunks": 0, "rows": 7}]
    manage(postgres, tmp_path, "migrate", "velog", "0003", "--verbosity=0")
    manage(postgres, tmp_path, "migrate", "--verbosity=0")


def test_with_the_extension_the_table_is_a_hypertable_whose_old_chunks_are_dropped(
    postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory(prefix="lb-stub-") as folder:
        path = write_extension(Path(folder) / "share")
        Path(folder).chmod(0o755)
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"SET extension_control_path TO '{path}'")
            connection.execute("CREATE EXTENSION timescaledb")
    manage(postgres, tmp_path, "migrate", "--verbosity=0")
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        found = indexes(connection)
        connection.execute(ROWS)
    unique = {name for name, definition in found.items() if "UNIQUE" in definition}
    assert unique == {"posts_pds_post_date_uniq"}, "each contains the time column"
    assert "posts_pds_id_idx" in found
    assert clean_up(postgres, tmp_path) == [True, {"before": "2026-02-28", "chunks": 2, "rows": 7}]
    with psycopg.connect(postgres.url) as connection:
        calls = [call for (call,) in connection.execute("SELECT call FROM stub_calls ORDER BY number").fetchall()]
    assert calls == [
        "create_hypertable posts_postdailystatistics date 1 day",
        "drop_chunks posts_postdailystatistics 2026-02-27 15:00:00",
    ]
