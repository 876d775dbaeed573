"""The file of Celery's PersistentScheduler, in whichever dbm flavour it was written.

The file is only copied; the copy is what is opened. It is untrusted: see `records`.
"""

import dbm
import importlib
import shutil
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from livebeat.errors import ImportFileError
from livebeat.seedfile.records import ForbiddenNameError, Record, load

#: What the dbm flavours add to the scheduler's name for its file; SQLite keeps two more beside it while a beat runs.
SUFFIXES = ("", ".db", ".dat", ".dir", ".pag", ".bak", "-wal", "-shm")
MAX_BYTES = 64 * 1024 * 1024
_SQLITE_MAGIC = b"SQLite format 3\x00"
_FLAVOURS = {"dbm.gnu": "GNU dbm", "dbm.ndbm": "ndbm", "dbm.dumb": "dumb dbm"}


@dataclass(frozen=True)
class Shelf:
    """`zone`: Celery's `timezone` setting as the scheduler had it, None where it had none."""

    zone: str | None
    utc: bool
    entries: Mapping[str, Record]


def read_shelf(path: Path) -> Shelf:
    """The records of a `celerybeat-schedule` file. `path` is the scheduler's name for it, or one of its files.

    Raises:
        ImportFileError: it isn't there, can't be read, or holds what has no place in it.
    """
    with tempfile.TemporaryDirectory(prefix="livebeat-import-") as folder:
        stored = _stored(path, _copy(path, Path(folder)))
    values = {name: _load(path, data) for name, data in stored.items() if name in {"entries", "tz", "utc_enabled"}}
    entries, zone = values.get("entries"), values.get("tz")
    if not isinstance(entries, dict) or not all(isinstance(entry, Record) for entry in entries.values()):
        raise _error(path, "holds no schedules of a celery beat.", "celery beat의 스케줄이 들어 있지 않습니다.")
    return Shelf(str(zone) if zone else None, bool(values.get("utc_enabled", True)), cast("dict[str, Record]", entries))


def _error(path: Path, en: str, ko: str) -> ImportFileError:
    return ImportFileError(path=path, reason_en=en, reason_ko=ko)


def _copy(path: Path, folder: Path) -> list[Path]:
    """Copies of the scheduler's files; returns the names under which they may be opened."""
    names = [path, path.with_suffix("")] if path.suffix in SUFFIXES[1:6] else [path]
    found = {file for name in names for suffix in SUFFIXES if (file := Path(f"{name}{suffix}")).is_file()}
    if not found:
        raise _error(path, "there is no such file.", "파일이 없습니다.")
    try:
        if sum(file.stat().st_size for file in found) > MAX_BYTES:
            raise _error(path, "is larger than 64 MiB.", "64 MiB보다 큽니다.")
        for file in found:
            shutil.copyfile(file, folder / file.name)
    except OSError as error:
        raise _error(path, f"can't be read: {error}.", f"읽을 수 없습니다: {error}.") from None
    return [folder / name.name for name in names]


def _stored(path: Path, copies: list[Path]) -> dict[str, bytes]:
    try:
        for copy in copies:
            flavour = _flavour(copy)
            if flavour == "sqlite":
                return _from_sqlite(copy)
            if flavour is not None:
                return _from_dbm(path, copy, flavour)
    except ImportFileError:
        raise
    except Exception as error:  # each flavour has errors of its own, and a damaged file finds others
        raise _error(
            path,
            f"can't be read, it may be damaged, or a beat may still be writing it: {error}.",
            f"읽을 수 없습니다. 손상되었거나 beat가 아직 쓰고 있을 수 있습니다: {error}.",
        ) from None
    raise _error(path, "is no dbm file, so not a celery beat's.", "dbm 파일이 아니므로 celery beat의 파일이 아닙니다.")


def _flavour(copy: Path) -> str | None:
    if copy.is_file():
        with copy.open("rb") as file:
            if file.read(len(_SQLITE_MAGIC)) == _SQLITE_MAGIC:
                return "sqlite"
    found = dbm.whichdb(str(copy))
    if not found and Path(f"{copy}.db").is_file():
        return "dbm.ndbm"  # whichdb says so only where this Python has it
    return found or None


def _from_sqlite(copy: Path) -> dict[str, bytes]:
    """`dbm.sqlite3`'s table; that module is new in Python 3.13, its files are read here by any."""
    with closing(sqlite3.connect(copy)) as database:
        rows = database.execute("SELECT CAST(key AS BLOB), CAST(value AS BLOB) FROM Dict").fetchall()
    return {_text(key): bytes(value) for key, value in rows}


def _from_dbm(path: Path, copy: Path, flavour: str) -> dict[str, bytes]:
    try:
        module: Any = importlib.import_module(flavour)
    except ImportError:
        name = _FLAVOURS.get(flavour, flavour)
        raise _error(
            path,
            f"was written by {name}, which this Python lacks. Copy it with the Python that wrote it, then import the "
            f"copy (docs/moving-over.md shows the command).",
            f"{name} 형식인데 이 Python에는 해당 모듈이 없습니다. 파일을 만든 Python으로 복사한 뒤 복사본을 가져오세요 "
            "(명령은 docs/moving-over.md에 있습니다).",
        ) from None
    with closing(module.open(str(copy), "r")) as database:
        return {_text(key): database[key] for key in database.keys()}  # noqa: SIM118  not every flavour can be iterated


def _text(key: bytes) -> str:
    return key.decode(errors="replace")


def _load(path: Path, data: bytes) -> Any:
    try:
        return load(data)
    except ForbiddenNameError as error:
        raise _error(
            path,
            f"names {error}, which has no place in a celery beat's file; it may be damaged, or made to do harm.",
            f"celery beat의 파일에 있을 수 없는 {error}이(가) 들어 있습니다. 손상되었거나 악의적인 파일일 수 있습니다.",
        ) from None
    except Exception as error:
        raise _error(path, f"is damaged: {error}.", f"손상되었습니다: {error}.") from None
