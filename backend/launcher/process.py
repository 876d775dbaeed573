"""What to run (`Program`) and one running instance of it (`Child`)."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from launcher.output import Lines
from launcher.spawn import kill_group, spawn

_READ_BYTES = 65_536


@dataclass(frozen=True)
class Program:
    """One process of the platform. Programs of a lower `stage` start earlier and stop later.

    `ready(pid)` tells whether it does its work, `why_not()` what is missing; without them, a program counts as
    ready once started.
    `grace_seconds` is the time between `stop_signal` and SIGKILL. `keep_alive=False` is for a command that ends.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    cwd: Path = Path("/")
    stage: int = 0
    grace_seconds: float = 5.0
    stop_signal: signal.Signals = signal.SIGTERM
    user: str | None = None
    keep_alive: bool = True
    ready: Callable[[int], bool] | None = field(default=None, repr=False)
    why_not: Callable[[], str] | None = field(default=None, repr=False)


class Child:
    """A started program. All methods are for the supervisor's one thread and return at once."""

    def __init__(self, program: Program, stdin: IO[bytes] | int = subprocess.DEVNULL) -> None:
        self.program = program
        self.started_at = time.monotonic()
        self._lines = Lines()
        self._process = spawn(
            program.argv,
            output=subprocess.PIPE,
            stop_signal=program.stop_signal,
            stdin=stdin,
            cwd=program.cwd,
            env=program.env,
            user=program.user,
        )
        if self._process.stdout is None:
            raise RuntimeError("a child's output is always piped")
        self._output = self._process.stdout
        os.set_blocking(self._output.fileno(), False)

    @property
    def pid(self) -> int:
        return self._process.pid

    def fileno(self) -> int:
        """The output's descriptor, for a selector."""
        return self._output.fileno()

    def read(self) -> list[str] | None:
        """The lines that can be read now, or None at the end of the output."""
        data = self._read()
        if data is None:
            return []
        return self._lines.feed(data) if data else None

    def last_words(self) -> list[str]:
        """What the ended process still had to say; closes the output, even if a grandchild holds it open."""
        lines: list[str] = []
        while data := self._read():
            lines += self._lines.feed(data)
        self._output.close()
        return lines + self._lines.feed(b"")

    def _read(self) -> bytes | None:
        """Bytes, nothing at the end, None where there are none at the moment."""
        try:
            return os.read(self._output.fileno(), _READ_BYTES)
        except BlockingIOError:
            return None

    def ended(self) -> int | None:
        """The exit code (negative: the signal's number) once it has ended, the rest of its group killed."""
        code = self._process.poll()
        if code is not None:
            kill_group(self.pid)
        return code

    def ask_to_stop(self) -> None:
        """Send the program's own stop signal to the process (its children are its own business)."""
        self._process.send_signal(self.program.stop_signal)

    def kill(self) -> None:
        """Kill the whole group, now."""
        kill_group(self.pid)
