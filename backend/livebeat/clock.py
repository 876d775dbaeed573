"""The engine's only wall-clock and monotonic reads, and the two forms an instant takes.

Everywhere else "now" is an argument, or Redis' own time inside a script.
"""

import time
from datetime import UTC, datetime

#: Where there is no such clock (macOS), the monotonic one goes on in a suspended machine.
_BOOT: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now() -> datetime:
    """This host's time, aware, UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never steps; only differences mean something."""
    return time.monotonic()


def uptime() -> float:
    """Seconds on a clock that never steps and goes on while the machine is suspended; only differences mean something."""
    return time.clock_gettime(_BOOT)


def to_epoch(instant: datetime) -> float:
    """Seconds since 1970-01-01 UTC of an aware instant: the form of a score."""
    return instant.timestamp()


def from_epoch(seconds: float) -> datetime:
    """The aware UTC instant of a score."""
    return datetime.fromtimestamp(seconds, UTC)
