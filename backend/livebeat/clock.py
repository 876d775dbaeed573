"""The engine's only wall-clock and monotonic reads, and the two forms an instant takes.

Everywhere else "now" is an argument, or Redis' own time inside a script.
"""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """This host's time, aware, UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never steps; only differences mean something."""
    return time.monotonic()


def to_epoch(instant: datetime) -> float:
    """Seconds since 1970-01-01 UTC of an aware instant: the form of a score."""
    return instant.timestamp()


def from_epoch(seconds: float) -> datetime:
    """The aware UTC instant of a score."""
    return datetime.fromtimestamp(seconds, UTC)
