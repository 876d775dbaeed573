"""Real child processes under test: their lines, their signals, their ends, and who of their family still lives."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil  # type: ignore[import-untyped]

from support.waiting import wait_until


class Running:
    """A process whose output is read all along. Its whole group is killed at the end of the context."""

    def __init__(self, argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path | None = None) -> None:
        self.lines: list[str] = []
        self._unread = False
        self._process = subprocess.Popen(
            argv,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        """Everything printed so far."""
        return "\n".join(self.lines)

    def wait_for_line(self, matches: str | Callable[[str], bool], timeout: float, *, after: int = 0) -> str:
        """The first line from number `after` on that contains the text (or satisfies the predicate).

        Raises:
            AssertionError: there was none in time, or the process ended without; shows what was printed.
        """
        accept = matches if callable(matches) else lambda line: matches in line

        def found() -> str | None:
            ended = self._process.poll() is not None
            if ended:
                self._reader.join(2.0)
            line = next((line for line in self.lines[after:] if accept(line)), None)
            if line is None and ended:
                raise AssertionError(f"ended with {self._process.returncode} before {matches!r}:\n{self.output}")
            return line

        try:
            return wait_until(lambda: found() is not None and found(), timeout, f"a line with {matches!r}") or ""
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    def send(self, number: signal.Signals) -> None:
        """Signal the process alone, not its group."""
        self._process.send_signal(number)

    def wait(self, timeout: float) -> int:
        """The exit code.

        Raises:
            AssertionError: it still runs after `timeout` seconds; shows what was printed.
        """
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still runs after {timeout:g} s:\n{self.output}") from None
        self._reader.join(2.0)
        return code

    def close_output(self) -> None:
        """Nobody reads any more: what the process writes now fails."""
        self._unread = True
        self._reader.join(5.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(40)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._reader.join(2.0)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _read(self) -> None:
        if self._process.stdout is not None:
            for line in self._process.stdout:
                self.lines.append(line.rstrip("\n"))
                if self._unread:
                    self._process.stdout.close()
                    return


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be buried doesn't."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def descendants(pid: int) -> list[int]:
    """Every living child, and theirs."""
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


def command_line(pid: int) -> list[str]:
    """The words that it was started with; none where it is gone."""
    try:
        return list(psutil.Process(pid).cmdline())
    except psutil.Error:
        return []


def mentioning(text: str) -> list[str]:
    """Command lines of living processes whose environment or arguments contain the text; not our own family's."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: list[str] = []
    for process in psutil.process_iter():
        if process.pid in own or not is_alive(process.pid):
            continue
        try:
            command = process.cmdline()
            words = [*command, *process.environ().values()]
        except psutil.Error:
            continue
        if any(text in word for word in words):
            found.append(f"{process.pid} {' '.join(command)}")
    return found


def free_port() -> int:
    """A loopback port that nobody used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def clean_environment(**values: str) -> dict[str, str]:
    """What a fresh machine has (HOME, PATH, a locale, the machine's own pip, uv and certificate names), and these."""
    kept = ("HOME", "PATH", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
    prefixes = ("PIP_", "UV_")
    own = {name: value for name, value in os.environ.items() if name in kept or name.startswith(prefixes)}  # noqa: TID251
    return {**own, "LANG": "C.UTF-8", **values}
