"""What a scenario found: bars that held or broke, figures, and everything needed to look closer."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from chaos.history import History
from chaos.picture import picture
from chaos.violation import Violation

_MINUTE = 60_000


@dataclass(frozen=True)
class Bar:
    """One bar: what was wanted, what was found, whether that is enough."""

    wanted: str
    found: str
    held: bool


@dataclass(frozen=True)
class Report:
    """What one scenario found."""

    scenario: str
    bars: tuple[Bar, ...]
    figures: dict[str, Any]
    violations: tuple[Violation, ...] = ()
    history: History | None = field(default=None, repr=False)

    @property
    def held(self) -> bool:
        return all(bar.held for bar in self.bars)

    def text(self) -> str:
        """For a terminal."""
        lines = [f"{self.scenario}: {'held' if self.held else 'BROKEN'}"]
        lines += [f"  [{'ok' if bar.held else 'NO'}] {bar.wanted}: {bar.found}" for bar in self.bars]
        lines += [f"       {name}: {_plain(value)}" for name, value in self.figures.items()]
        lines += [f"       ! {each.check} {each.schedule} {each.slot}: {each.detail}" for each in self.violations[:10]]
        return "\n".join(lines)

    def save(self, folder: Path, place: str = "") -> None:
        """`report.json`; where there is a history `history.json`, `picture.svg`, and a minute of it, `minute.svg`.

        `place`: where and when it was; how busy the machine was is added.
        """
        folder.mkdir(parents=True, exist_ok=True)
        told = {
            "scenario": self.scenario,
            "place": place,
            "load": os.getloadavg()[0],
            "held": self.held,
            "bars": [asdict(bar) for bar in self.bars],
            "figures": self.figures,
            "violations": [asdict(each) for each in self.violations],
        }
        (folder / "report.json").write_text(json.dumps(told, indent=1, default=str) + "\n")
        if self.history is not None:
            (folder / "history.json").write_text(json.dumps(asdict(self.history), default=sorted) + "\n")
            (folder / "picture.svg").write_text(picture(self.history, self.violations))
            (folder / "minute.svg").write_text(picture(_minute(self.history), self.violations))


def _minute(history: History) -> History:
    """What happened in the minute that has the most faults."""
    begun = sorted(fault.began_at for fault in history.faults) or [history.read_at - _MINUTE]
    since = max(begun, key=lambda at: sum(at <= other < at + _MINUTE for other in begun)) - 1_000
    until = since + _MINUTE
    return replace(
        history,
        dispatches=tuple(each for each in history.dispatches if since <= each.at < until),
        skips=tuple(each for each in history.skips if since <= each.first and each.last < until),
        faults=tuple(each for each in history.faults if since <= each.began_at and each.ended_at < until),
        read_at=int(until),
    )


def none_of(violations: Sequence[Violation]) -> tuple[Bar, ...]:
    """The bars of zero: what the promise names, and whatever else the checker knows."""
    counts = Counter(violation.check for violation in violations)
    named = {
        "missed": "slots lost",
        "double": "slots double",
        "early": "slots early",
        "lost": "jobs lost",
        "effects": "effects double",
    }
    other = sum(count for check, count in counts.items() if check not in named)
    bars = [Bar(f"0 {name}", str(counts[check]), counts[check] == 0) for check, name in named.items()]
    return (*bars, Bar("0 of any other violation", str(other), other == 0))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    return f"{value:.1f}" if isinstance(value, float) else str(value)
