"""Start Django once per process, on an SQLite that is safe to share between processes."""

import importlib
import sqlite3
import sys

#: SQLite before this can corrupt a write-ahead-log database when two connections write and checkpoint at once.
SAFE_WAL_SQLITE = (3, 51, 3)


def ensure_sqlite() -> bool:
    """Put `pysqlite3` in the place of an SQLite with the WAL-reset race, where a wheel of it exists.

    Returns whether write-ahead logging is safe; if not, callers use `journal_mode=TRUNCATE`.
    Must run before Django opens its SQLite backend.
    """
    if sqlite3.sqlite_version_info >= SAFE_WAL_SQLITE:
        return True
    try:
        newer = importlib.import_module("pysqlite3")
    except ImportError:
        return False
    sys.modules["sqlite3"] = newer
    sys.modules["sqlite3.dbapi2"] = importlib.import_module("pysqlite3.dbapi2")
    return bool(newer.sqlite_version_info >= SAFE_WAL_SQLITE)


def boot() -> None:
    """Make the ORM usable. Idempotent; `DJANGO_SETTINGS_MODULE` is set by `app.core.celery_app` and entry points."""
    import django
    from django.apps import apps

    if not apps.ready:
        django.setup()
