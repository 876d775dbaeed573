"""The launcher's quick look at the migrations, against a database that Django itself migrated."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from launcher.migrations import all_applied

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated")
    env = {
        "PATH": os.defpath,
        "DATABASE_URL": "",
        "POSTGRES_HOST": "",
        "LIVEBEAT_DATA_DIR": str(folder),
        "LIVEBEAT_LOG_DIR": str(folder / "logs"),
    }
    argv = [sys.executable, PROJECT / "backend" / "manage.py", "migrate", "--no-input", "--verbosity", "0"]
    subprocess.run(argv, env=env, check=True, timeout=60)
    return folder / "livebeat.sqlite3"


def test_a_migrated_database_needs_nothing(database: Path) -> None:
    assert all_applied(database, PROJECT)


@pytest.mark.parametrize("app", ["velog", "realestate", "history", "access", "auth", "sessions"])
def test_one_that_lacks_a_migration_does(database: Path, tmp_path: Path, app: str) -> None:
    copy = tmp_path / "copy.sqlite3"
    copy.write_bytes(database.read_bytes())
    with closing(sqlite3.connect(copy)) as connection, connection:
        gone = connection.execute("DELETE FROM django_migrations WHERE app = ?", (app,)).rowcount
    assert gone > 0
    assert not all_applied(copy, PROJECT)


def test_what_is_no_such_database_is_left_to_migrate(tmp_path: Path) -> None:
    assert not all_applied(tmp_path / "none.sqlite3", PROJECT)
    (tmp_path / "text.sqlite3").write_text("x" * 5000)
    assert not all_applied(tmp_path / "text.sqlite3", PROJECT)
    with closing(sqlite3.connect(tmp_path / "empty.sqlite3")) as connection:
        connection.execute("CREATE TABLE t (x)")
    assert not all_applied(tmp_path / "empty.sqlite3", PROJECT)
