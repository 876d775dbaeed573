"""What the checks find."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Violation:
    """One thing that the promise excludes. `schedule`: the schedule, the ad-hoc job, or '' where it is about neither."""

    check: str
    schedule: str
    slot: int | None
    detail: str
