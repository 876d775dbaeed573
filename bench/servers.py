"""A site: one run's own server, scratch folder and processes. Nothing of it is left behind, and nothing else is touched.

The server is a child of ours on a unix socket in the scratch folder, known by its process id before the first command,
so no run can meet another's data or a server that somebody uses.
"""

import contextlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil  # type: ignore[import-untyped]
import redis

from bench.sample import broker_url
from launcher.servers.binaries import ServerBinary, bundled_path, identify, installed
from launcher.servers.valkey import EmbeddedValkey
from launcher.spawn import end, kill_group, spawn

ROOT = Path(__file__).resolve().parents[1]
#: The list that Celery's default queue is.
QUEUE = "celery"


class RunFailedError(Exception):
    """This run measured nothing; the message says why."""


def server_binary(kind: str) -> ServerBinary:
    """The server to measure on: `valkey` is the one that the platform embeds, `redis` the one on PATH.

    Raises:
        RunFailedError: it is not installed.
    """
    bundled = bundled_path()
    if kind == "valkey":
        found = identify(bundled) if bundled else None
    else:
        found = next((binary for binary in installed() if binary.kind == kind), None)
    if found is None:
        raise RunFailedError(f"no {kind} server is installed here")
    return found


class Process:
    """A child whose output goes to a file, with the CPU seconds and resident bytes of it and its children."""

    def __init__(self, argv: list[str], *, environ: dict[str, str], folder: Path) -> None:
        self.log = folder / f"{len(list(folder.glob('*.log')))}.log"
        with self.log.open("wb") as output:
            self.started_at = time.time()
            self._process = spawn(argv, output=output, cwd=folder, env=environ)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    @property
    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    @property
    def resident_bytes(self) -> int:
        """Pages that children share are counted for each."""
        return sum(process.memory_info().rss for process in _family(self.pid))

    def check(self) -> None:
        """Raises RunFailedError with the end of its output where it has ended."""
        if not self.lives:
            raise RunFailedError(f"a process ended with {self._process.returncode}: {self._last_words()}")

    def _last_words(self) -> str:
        """The last lines that name an error, else the last that say something."""
        lines = (re.sub(r"^\[.*?\] ", "", line).strip() for line in self.log.read_text(errors="replace").splitlines())
        said = [line for line in lines if any(map(str.isalnum, line))]
        errors = [line for line in said if "Error" in line]
        return " / ".join((errors or said)[-3:])

    def wait(self, seconds: float) -> str:
        """Wait for a good end; returns what was printed."""
        code = self._process.wait(seconds)
        if code:
            self.check()
        return self.log.read_text()

    def stop(self) -> None:
        """Ask it to end; kill what is left of its group."""
        end(self._process, signal.SIGTERM, 20)
        kill_group(self.pid)

    def kill(self) -> None:
        """End it like a power cut would."""
        self._process.kill()
        self._process.wait()


class Site:
    """Use it with `with`. `url` is redis-py's spelling, `client` decodes."""

    def __init__(self, binary: ServerBinary) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="livebeat-bench-"))
        self.server = EmbeddedValkey(self.folder / "server", binary=binary)
        self.url = self.server.client_url
        self._processes: list[Process] = []

    def __enter__(self) -> Self:
        try:
            self.server.start()
        except BaseException:
            self._remove()
            raise
        self.client = redis.Redis.from_url(self.url, decode_responses=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.stop()
        self.client.close()
        self.server.stop()
        self._remove()

    def _remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *arguments: str, **environ: str) -> Process:
        """`python -m …` in this site; the arguments and variables are the process's own."""
        own = {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'backend'}",
            "BENCH_REDIS": self.url,
            "BENCH_FOLDER": str(self.folder),
        }
        argv = [sys.executable, "-m", *arguments]
        process = Process(argv, environ={**own, **environ}, folder=self.folder)
        self._processes.append(process)
        return process

    @property
    def broker_url(self) -> str:
        """The same address in kombu's spelling."""
        return broker_url(self.url)

    @property
    def server_cpu_seconds(self) -> float:
        return cpu_seconds(self.server.pid or 0)

    def waiting(self) -> int:
        """Messages on the broker's list."""
        return self.client.llen(QUEUE)

    def memory(self) -> int:
        """Bytes that the server has allocated."""
        return int(self.client.info("memory")["used_memory"])


def cpu_seconds(pid: int) -> float:
    """User and system time of a process, its children and those that it has already buried."""
    times = [process.cpu_times() for process in _family(pid)]
    return sum(t.user + t.system for t in times) + times[0].children_user + times[0].children_system if times else 0.0


def _family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    return []


def sleep_until(instant: float) -> None:
    """Epoch seconds."""
    while (pause := instant - time.time()) > 0:
        time.sleep(pause)


def wait_for(predicate: Callable[[], bool], seconds: float, what: str, *, every: float = 0.05) -> None:
    """Raises RunFailedError where the predicate isn't true in time."""
    deadline = time.monotonic() + seconds
    while not predicate():
        if time.monotonic() > deadline:
            raise RunFailedError(f"not within {seconds:g} s: {what}")
        time.sleep(every)
