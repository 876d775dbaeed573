"""Who plays on the stage: the server, and processes under names that are killed and started again.

Every process has a group of its own; the kernel kills it if the driver itself dies. One thread must start them all,
since that promise of the kernel's hangs on it.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from chaos.proxy import Proxy
from launcher.servers.binaries import ServerBinary
from launcher.servers.valkey import EmbeddedValkey
from launcher.spawn import kill_group, spawn
from livebeat import clock


class Server(EmbeddedValkey):
    """The stage's Redis: with options of its own, and it can be killed."""

    def __init__(self, data_dir: Path, binary: ServerBinary, options: Sequence[str] = ()) -> None:
        super().__init__(data_dir, binary=binary)
        self._options = options

    def command(self) -> list[str]:
        return [*super().command(), *self._options]

    def kill(self) -> None:
        """Kill -9; `start` loads what it left."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        """To the server process."""
        if self._process is not None:
            self._process.send_signal(number)

    def is_alive(self) -> bool:
        """Whether it runs, or is stopped."""
        return self._process is not None and self._process.poll() is None


@dataclass
class Player:
    """A beat, a worker, the recorder. `proxy` is the way that it takes to the server, where it isn't the straight one."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    folder: Path
    log: Path
    proxy: Proxy | None = None
    process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)
    #: Since when it has been told to end (monotonic), until it is started anew.
    told_at: float | None = None
    _started_at: float = 0.0

    @property
    def pid(self) -> int:
        """0 where it was never started."""
        return self.process.pid if self.process else 0

    def start(self) -> None:
        """A new process under this name."""
        with self.log.open("ab") as log:
            self._started_at, self.told_at = clock.monotonic(), None
            self.process = spawn(self.argv, output=log, stop_signal=signal.SIGKILL, cwd=self.folder, env=self.env)

    def age(self) -> float:
        """Seconds since its process was started."""
        return clock.monotonic() - self._started_at

    def is_alive(self) -> bool:
        """Whether it runs, or is stopped."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Kill -9 of the whole group."""
        if self.process is not None:
            kill_group(self.process.pid)
            self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """To the whole group."""
        if self.is_alive():
            os.killpg(self.pid, number)

    def tell_to_end(self) -> None:
        """SIGTERM to the process alone, as a service manager does."""
        if self.process is not None:
            self.told_at = clock.monotonic()
            self.process.send_signal(signal.SIGTERM)

    def await_end(self, seconds: float) -> float | None:
        """Seconds that it took; None where it had to be killed."""
        if self.process is None:
            return 0.0
        began = clock.monotonic()
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return None
        return clock.monotonic() - began

    def children(self) -> list[int]:
        """Its pool, the oldest first."""
        try:
            return [child.pid for child in psutil.Process(self.pid).children(recursive=True)]
        except psutil.NoSuchProcess:
            return []
