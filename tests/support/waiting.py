"""Wait for a predicate, never for an amount of time."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_pause = threading.Event()


def wait_until(predicate: Callable[[], T], timeout: float, what: str, *, every: float = 0.05) -> T:
    """The first true result of `predicate`, asked again every `every` seconds.

    Raises:
        AssertionError: it wasn't true within `timeout` seconds; the message says `what` was waited for.
    """
    deadline = time.monotonic() + timeout
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout:g} s: {what}")
        _pause.wait(every)
