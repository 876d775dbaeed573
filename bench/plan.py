"""The schedules of a run: every one its own rule, name and arguments, and one instant at which it is due."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

Rules = Literal["interval", "cron", "mixed"]

#: No interval of a plan ends within a run.
_SHORTEST = 7200


@dataclass(frozen=True)
class Planned:
    """One schedule. `due` in epoch seconds; `every` in seconds, or `cron` with Celery's five fields (UTC).

    `is_mixed`: its rule is of any kind that the engine knows, by its number; for others it is the cron rule.
    """

    number: int
    due: int
    every: int = 0
    cron: str = ""
    is_mixed: bool = False

    @property
    def name(self) -> str:
        return f"refresh-{self.number:07d}"

    @property
    def arguments(self) -> dict[str, str | int]:
        """The task's keyword arguments: what a message's schedule is told by."""
        return {"schedule": self.name, "number": self.number}

    @property
    def due_at(self) -> datetime:
        return datetime.fromtimestamp(self.due, UTC)

    @property
    def last_run_at(self) -> datetime:
        """A last run after which `due` is the next."""
        return self.due_at - timedelta(seconds=self.every or 60)


def plan(n: int, due: float, rules: Rules = "interval", *, first: int = 0) -> list[Planned]:
    """`n` schedules of distinct rules, due at the next whole second (a cron: minute) from `due` on.

    `first` is the number of the first. Cron rules can't all differ beyond 30,000.
    """
    if rules == "interval":
        whole = math.ceil(due)
        return [Planned(number, whole, every=_SHORTEST + number) for number in range(first, first + n)]
    whole = math.ceil(due / 60) * 60
    mixed = rules == "mixed"
    return [Planned(number, whole, cron=_cron(number, whole), is_mixed=mixed) for number in range(first, first + n)]


def _cron(number: int, due: int) -> str:
    """The due minute, hour and day, and one more of each that lies well apart from them."""
    at = datetime.fromtimestamp(due, UTC)
    rest, minute = divmod(number, 50)
    day, hour = divmod(rest, 23)
    minutes = f"{at.minute},{(at.minute + 5 + minute) % 60}"
    return f"{minutes} {at.hour},{(at.hour + 1 + hour) % 24} {at.day},{(at.day + day) % 28 + 1} * *"


def write(planned: Iterable[Planned], file: Path) -> None:
    """For a process that populates."""
    file.write_text(json.dumps([asdict(one) for one in planned]))


def read(file: Path) -> list[Planned]:
    """What `write` wrote."""
    return [Planned(**one) for one in json.loads(file.read_text())]
