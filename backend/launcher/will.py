"""Our end of the watchdog's pipe (`launcher.watchdog`): who lives now, said at each change.

Written for the case that we are killed: the watchdog then reads the end of its input and ends the children.
"""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

_WATCHDOG = Path(__file__).with_name("watchdog.py")


class Will:
    """One watchdog, started with the first child and started again if somebody kills it."""

    def __init__(self) -> None:
        self._living: dict[int, signal.Signals] = {}
        self._watchdog: subprocess.Popen[bytes] | None = None

    def add(self, pid: int, stop_signal: signal.Signals) -> None:
        """The group that `pid` leads lives now."""
        self._living[pid] = stop_signal
        if self.keep_alive():
            self._tell(f"+{pid} {int(stop_signal)}\n")

    def remove(self, pid: int) -> None:
        """That group is gone."""
        self._living.pop(pid, None)
        self._tell(f"-{pid}\n")

    def keep_alive(self) -> bool:
        """Make sure that a watchdog runs. Returns whether the one that runs knew of everybody but the latest."""
        if self._watchdog is not None and self._watchdog.poll() is None:
            return True
        self._watchdog = subprocess.Popen(
            [sys.executable, "-I", "-S", _WATCHDOG],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        for pid, stop_signal in self._living.items():
            self._tell(f"+{pid} {int(stop_signal)}\n")
        return False

    def close(self) -> None:
        """Everybody who is still listed is ended by the watchdog; returns when it is done."""
        if self._watchdog is None or self._watchdog.stdin is None:
            return
        with contextlib.suppress(OSError):
            self._watchdog.stdin.close()
        self._watchdog.wait()
        self._watchdog = None

    def _tell(self, line: str) -> None:
        if self._watchdog is None or self._watchdog.stdin is None:
            return
        with contextlib.suppress(OSError):  # a killed watchdog is told everything when it is started again
            self._watchdog.stdin.write(line.encode())
            self._watchdog.stdin.flush()
