"""What happened, as told from outside the engine: the facts that the checker judges.

Instants are epoch milliseconds. A *slot* is an instant of a schedule; it is whole, so that slots compare exactly.
`asdict` of any of these is its JSON line.
"""

from dataclasses import dataclass
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
class Seconds:
    """Six cron fields, seconds first, read by the wall clock of a zone; `gap` and `repeat` as `Cron` takes them."""

    expression: str
    zone: str
    gap: Literal["next_valid", "skip"] = "next_valid"
    repeat: Literal["first", "second", "both"] = "both"


Rule = Every | Minutes | Seconds


@dataclass(frozen=True)
class Schedule:
    """One revision of a schedule, asked for at one instant and acknowledged at another; in the order of asking.

    It holds until the next revision of its name. `rule` is None from where the schedule is paused or deleted.
    `acknowledged_at` is None where the call got no answer: then this revision may hold or not, until one of its name
    that was acknowledged; a read that shows what holds is one too.
    """

    name: str
    rule: Rule | None
    catchup: Catchup
    asked_at: int
    acknowledged_at: int | None


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
    """What was done. `kind`: `kill`, `stop`, `cut`, `clock` …; `victim`: `beat-0`, `worker-1`, `child`, `redis`, `link` …

    A kill is an instant, most others last. `led`: the victim was the leading beat. `recovery` is the bar of this kind:
    so many ms after its end everything must be as if it had not been. `monotonic` is the driver's at the beginning,
    in seconds.
    """

    kind: str
    victim: str
    led: bool
    began_at: float
    ended_at: float
    monotonic: float
    recovery: int = 6_000


@dataclass(frozen=True)
class Execution:
    """One line of evidence that a task wrote itself. `monotonic` is that host's, in seconds.

    `effect`: its keyed effect was applied, once more each time. `end` says how the body went: `succeeded`, `failed`
    (it raised) or `retry`. `job` is the name that the client gave to an ad-hoc job, '' for a schedule's run.
    """

    kind: Literal["start", "effect", "end"]
    run: str
    schedule: str
    slot: int | None
    attempt: int
    at: float
    monotonic: float
    pid: int
    job: str = ""
    outcome: Literal["", "succeeded", "failed", "retry"] = ""


@dataclass(frozen=True)
class Call:
    """One call of a client, from asking to the answer or to giving up.

    `ok`: it was done; `fail`: it certainly was not (refused, another holds `unique`); `info`: no answer, either may be.
    `subject` is the name of the job (`send`) or of the schedule. `run` is the id in the answer to `send` and `trigger`.
    """

    operation: Literal["send", "trigger", "put", "delete", "pause", "resume"]
    subject: str
    outcome: Literal["ok", "fail", "info"]
    invoked_at: float
    ended_at: float
    run: str = ""


@dataclass(frozen=True)
class Ending:
    """The product's own account of a run's end: its terminal event, without the `run.` (`succeeded`, `lost` …)."""

    run: str
    outcome: str
    reason: str
    at: float


@dataclass(frozen=True)
class Row:
    """One row of the product's run table, at the final read."""

    run: str
    schedule: str | None
    slot: int | None
    state: str


@dataclass(frozen=True)
class Health:
    """What the product said of itself when the driver asked, about once a second. `why` is empty where it was ready."""

    at: float
    ready: bool
    why: str = ""


@dataclass(frozen=True)
class History:
    """One whole run.

    `news` is the product's own account of its dispatches; `read_at` when the beats were told to end. `visible` are the
    ids that still wait somewhere at the final read: in the ledger, on a queue, set aside. `endings`, `rows` and
    `health` are None where nobody looked.
    """

    schedules: tuple[Schedule, ...]
    dispatches: tuple[Dispatch, ...]
    news: tuple[Dispatch, ...]
    skips: tuple[Skip, ...]
    read_at: int
    faults: tuple[Fault, ...] = ()
    executions: tuple[Execution, ...] = ()
    calls: tuple[Call, ...] = ()
    endings: tuple[Ending, ...] | None = None
    rows: tuple[Row, ...] | None = None
    health: tuple[Health, ...] | None = None
    visible: frozenset[str] = frozenset()
