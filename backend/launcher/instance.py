"""One running launcher a data folder, found again by `status` and `down`; leftovers of a killed one removed.

The lock is the kernel's (`flock`), so it is gone with its holder, however that ended. The same file tells who
holds it; its content means nothing while nobody does.
"""

import contextlib
import fcntl
import json
import os
import signal
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import psutil  # type: ignore[import-untyped]

from launcher.errors import PreflightError
from launcher.messages import text

LOCK_FILE = "launcher.lock"
#: Every child carries this name with the data folder, so that a later start recognises it.
MARK = "LIVEBEAT_LAUNCHED_FOR"
_LEFTOVER_SECONDS = 3.0
#: Written in one call and always this long (or longer), so that a reader hardly ever meets half of it.
_RECORD_BYTES = 2048
#: Somebody who only looks holds the lock, or meets a half-written record, for less than this.
_TRY_AGAIN_SECONDS = 0.1
_TRIES = 5


@dataclass(frozen=True)
class Running:
    """Who holds a data folder."""

    pid: int
    url: str
    children: dict[str, int] = field(default_factory=dict)


class Instance:
    """The right to run in a data folder, as a context. Ends with the process, however that ends."""

    def __init__(self, data_dir: Path, url: str) -> None:
        self._data_dir = data_dir
        self._url = url
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        """Take the folder.

        Raises:
            PreflightError: another launcher holds it.
        """
        file = _open(self._data_dir)
        for _ in range(_TRIES):
            if _try_lock(file):
                self._file = file
                self.note({})
                return self
            time.sleep(_TRY_AGAIN_SECONDS)
        holder = _read(file)
        file.close()
        raise PreflightError(text("running", path=self._data_dir, pid=holder.pid if holder else "?"))

    def note(self, children: dict[str, int]) -> None:
        """Write down the living children (name → pid) for `status`; a full disk is no reason to stop."""
        if self._file is None:
            return
        record = json.dumps(asdict(Running(os.getpid(), self._url, children))).ljust(_RECORD_BYTES)
        with contextlib.suppress(OSError):
            os.pwrite(self._file.fileno(), record.encode(), 0)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def find_running(data_dir: Path) -> Running | None:
    """Who runs in this folder now, or None.

    Raises:
        PreflightError: somebody holds the folder without saying who (its disk was full).
    """
    if not (data_dir / LOCK_FILE).is_file():
        return None
    for _ in range(_TRIES):
        with _open(data_dir) as file:
            if _try_lock(file):
                return None
            running = _read(file)
        if running is not None:
            return running
        time.sleep(_TRY_AGAIN_SECONDS)  # it was being written
    raise PreflightError(text("running", path=data_dir, pid="?"))


def end_leftovers(data_dir: Path) -> list[int]:
    """End the processes that an earlier, killed launcher left in this folder. Call it while holding the folder.

    Returns their pids.
    """
    ours = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    leftovers = [
        process for process in psutil.process_iter() if process.pid not in ours and _is_marked(process, data_dir)
    ]
    for process in leftovers:
        with contextlib.suppress(psutil.Error):
            process.send_signal(signal.SIGTERM)
    _, stubborn = psutil.wait_procs(leftovers, timeout=_LEFTOVER_SECONDS)
    for process in stubborn:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(stubborn, timeout=_LEFTOVER_SECONDS)
    return [process.pid for process in leftovers]


def _is_marked(process: psutil.Process, data_dir: Path) -> bool:
    try:
        return bool(process.environ().get(MARK) == str(data_dir))
    except (psutil.Error, OSError):
        return False


def _open(data_dir: Path) -> IO[str]:
    descriptor = os.open(data_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    return os.fdopen(descriptor, "r+", encoding="utf-8")


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: IO[str]) -> Running | None:
    try:
        return Running(**json.loads(file.read()))
    except (ValueError, TypeError):
        return None
