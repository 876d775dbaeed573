"""What a scenario found: bars that held or broke, figures, and everything needed to look closer."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from chaos.checker import Violation
from chaos.history import History
from chaos.picture import picture


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

    def save(self, folder: Path) -> None:
        """`report.json`, and where there is a history `history.json` and `picture.svg`."""
        folder.mkdir(parents=True, exist_ok=True)
        told = {
            "scenario": self.scenario,
            "held": self.held,
            "bars": [asdict(bar) for bar in self.bars],
            "figures": self.figures,
            "violations": [asdict(each) for each in self.violations],
        }
        (folder / "report.json").write_text(json.dumps(told, indent=1, default=str) + "\n")
        if self.history is not None:
            (folder / "history.json").write_text(json.dumps(asdict(self.history)) + "\n")
            (folder / "picture.svg").write_text(picture(self.history, self.violations))


def none_of(violations: Sequence[Violation]) -> tuple[Bar, ...]:
    """The bars of zero: lost, double, early, and whatever else the checker knows."""
    counts = Counter(violation.check for violation in violations)
    named = {"missed": "lost", "double": "double", "early": "early"}
    other = sum(count for check, count in counts.items() if check not in named)
    bars = [Bar(f"0 {name}", str(counts[check]), counts[check] == 0) for check, name in named.items()]
    return (*bars, Bar("0 of any other violation", str(other), other == 0))


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    return f"{value:.1f}" if isinstance(value, float) else str(value)
