"""The signals that a supervisor lives by, turned into flags that its loop reads.

Ctrl-C, SIGTERM and a closed terminal all mean "stop"; the second of them means "now". A child's end only wakes
the loop. Signals arrive in the main thread between two Python instructions, so nothing is done in the handlers.
"""

import os
import signal
import time
from types import FrameType, TracebackType
from typing import Any, Self

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: A closing terminal or a service manager may send two at once; that is one request.
_SAME_REQUEST_SECONDS = 0.3


class Signals:
    """Use as a context: the former handlers are put back at its end."""

    def __init__(self) -> None:
        self.stops = 0
        self._last_stop_at = float("-inf")
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._former: dict[signal.Signals, Any] = {}
        self._former_wakeup = -1

    def fileno(self) -> int:
        """Readable as soon as a signal came; for a selector."""
        return self._wake_read

    def drain(self) -> None:
        """Forget what woke the loop."""
        try:
            while os.read(self._wake_read, 512):
                pass
        except BlockingIOError:
            return

    def __enter__(self) -> Self:
        self._former_wakeup = signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in _STOPPING:
            self._former[number] = signal.signal(number, self._stop)
        self._former[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda *_: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._former_wakeup)
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self._last_stop_at > _SAME_REQUEST_SECONDS:
            self.stops += 1
        self._last_stop_at = now
