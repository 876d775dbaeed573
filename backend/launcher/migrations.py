"""Whether an SQLite database has every migration already, read in milliseconds instead of by starting Django.

Only ever errs towards "no": then `migrate` runs and finds out.
"""

import importlib.util
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

#: Django's own apps that the platform uses.
_CONTRIB = ("admin", "auth", "contenttypes", "sessions")


def all_applied(database: Path, project_dir: Path) -> bool:
    """Whether each migration of the platform and of Django's apps is written down in this database as applied."""
    if not database.is_file():
        return False
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            applied = set(connection.execute("SELECT app, name FROM django_migrations"))
    except sqlite3.Error:
        return False
    wanted = set(_wanted(project_dir))
    return bool(wanted) and wanted <= applied


def _wanted(project_dir: Path) -> Iterator[tuple[str, str]]:
    folders = list((project_dir / "backend" / "app").rglob("migrations"))
    django = importlib.util.find_spec("django")
    if django is None or django.origin is None:
        return
    folders += [Path(django.origin).parent / "contrib" / app / "migrations" for app in _CONTRIB]
    for folder in folders:
        for file in folder.glob("[0-9]*.py"):
            yield folder.parent.name, file.stem
