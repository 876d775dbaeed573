"""An embedded Valkey (or Redis): unix socket only, append-only file on, nothing ever evicted.

A write that was answered survives a kill of the server; at most one second of writes is lost where the machine
itself goes down (`appendfsync everysec`).
"""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from launcher.errors import StartError
from launcher.messages import text
from launcher.servers.binaries import ServerBinary, choose, installed
from launcher.servers.sockets import socket_folder
from launcher.spawn import end, spawn

SOCKET_NAME = "valkey.sock"


class EmbeddedValkey:
    """One server over one folder. Either `start()`/`stop()` (or `with`), or hand `command()` to a supervisor.

    `durable=False` (for tests) keeps nothing on disk.
    """

    def __init__(self, data_dir: Path, *, binary: ServerBinary | None = None, durable: bool = True) -> None:
        self.data_dir = data_dir.resolve()
        self.durable = durable
        self._binary = binary
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.socket_path = socket_folder(self.data_dir) / SOCKET_NAME

    @property
    def client_url(self) -> str:
        """The address in redis-py's spelling, database 0."""
        return f"unix://{self.socket_path}?db=0"

    def prepare(self) -> None:
        """Choose the binary and make the folders.

        Raises:
            PreflightError: no server is installed, or none can read the data there.
            OSError: the folder can't be made.
        """
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._binary, self._folder = choose(self.data_dir, [self._binary] if self._binary else installed())
        self._folder.mkdir(mode=0o700, exist_ok=True)
        os.utime(self._folder)

    def command(self) -> list[str]:
        """The server's command line, in the foreground. After `prepare()`."""
        if self._binary is None or self._folder is None:
            raise RuntimeError("prepare() comes first")
        return [
            str(self._binary.path),
            *("--port", "0", "--unixsocket", str(self.socket_path), "--unixsocketperm", "700"),
            *("--dir", str(self._folder), "--daemonize", "no", "--loglevel", "warning"),
            *("--appendonly", "yes" if self.durable else "no", "--appendfsync", "everysec", "--save", ""),
            *("--maxmemory-policy", "noeviction"),
        ]

    def ready(self, pid: int) -> bool:
        """Whether the server answers, has loaded its data, and is the process `pid` and no older one."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1.0)
                connection.connect(str(self.socket_path))
                connection.sendall(b"PING\r\nINFO server\r\n")
                answer = connection.recv(65536)
                while answer.startswith(b"+PONG") and b"process_id:" not in answer:
                    more = connection.recv(65536)
                    if not more:
                        return False
                    answer += more
        except OSError:
            return False
        return answer.startswith(b"+PONG") and f"process_id:{pid}\r\n".encode() in answer

    def start(self, timeout_seconds: float = 20.0) -> Self:
        """Run the server and return once it answers.

        Raises:
            PreflightError: see `prepare`.
            StartError: it ended, or did not answer in time.
        """
        self.prepare()
        with (self.data_dir / "valkey.log").open("ab") as log:
            self._process = spawn(self.command(), output=log)
        try:
            await_start(self._process, self.ready, "valkey", timeout_seconds)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, grace_seconds: float = 5.0) -> None:
        """Stop the server, its data written; idempotent."""
        if self._process is not None:
            end(self._process, signal.SIGTERM, grace_seconds)
            self._process = None

    @property
    def pid(self) -> int | None:
        """The running server's process, if `start()` made one."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def await_start(
    process: subprocess.Popen[bytes], ready: Callable[[int], bool], name: str, timeout_seconds: float
) -> None:
    """Return once `ready(pid)`.

    Raises:
        StartError: the process ended, or the time is over.
    """
    deadline = time.monotonic() + timeout_seconds
    while not ready(process.pid):
        code = process.poll()
        if code is not None:
            raise StartError(text("failed", name=name, code=code))
        if time.monotonic() > deadline:
            raise StartError(text("not_ready", name=name, seconds=timeout_seconds))
        time.sleep(0.02)
