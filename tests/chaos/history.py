"""What happened, as told from outside the engine: the facts that the checker judges.

Instants are epoch milliseconds. A *slot* is an instant of a schedule; it is whole, so that slots compare exactly.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Catchup = Literal["one", "all"]


def to_ms(instant: datetime) -> int:
    """Epoch milliseconds of an aware instant."""
    return round(instant.timestamp() * 1000)


@dataclass(frozen=True)
class Every:
    """`anchor` + k × `every`, k ≥ 1; both in ms, whole tenths of a second."""

    every: int
    anchor: int


@dataclass(frozen=True)
class Minutes:
    """Five cron fields, read by the wall clock of a zone."""

    expression: str
    zone: str


@dataclass(frozen=True)
class Schedule:
    """A schedule that the driver stored: asked for at one instant, acknowledged at another."""

    name: str
    rule: Every | Minutes
    catchup: Catchup
    asked_at: int
    acknowledged_at: int


@dataclass(frozen=True)
class Dispatch:
    """One message that came out of the broker, or one start of a task. `slot` is None where the message names none."""

    schedule: str
    slot: int | None
    run: str
    at: float


@dataclass(frozen=True)
class Skip:
    """A recorded outcome: these slots, both ends included, were passed over."""

    schedule: str
    first: int
    last: int
    reason: str
    at: float


@dataclass(frozen=True)
class Fault:
    """What was done to a beat. A kill is an instant; a stop lasts. `monotonic` is the driver's, in seconds."""

    kind: Literal["kill", "stop"]
    beat: int
    led: bool
    began_at: float
    ended_at: float
    monotonic: float


@dataclass(frozen=True)
class Execution:
    """One line of evidence that a task wrote itself. `monotonic` is that host's, in seconds."""

    kind: Literal["start", "end"]
    run: str
    schedule: str
    slot: int | None
    attempt: int
    at: float
    monotonic: float
    pid: int


@dataclass(frozen=True)
class History:
    """One whole run. `news` is the product's own account of its dispatches; `read_at` when the beats were told to end."""

    schedules: tuple[Schedule, ...]
    dispatches: tuple[Dispatch, ...]
    news: tuple[Dispatch, ...]
    skips: tuple[Skip, ...]
    read_at: int
    faults: tuple[Fault, ...] = ()
    executions: tuple[Execution, ...] = field(default=())
