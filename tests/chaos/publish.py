"""From recorded reports to docs/reliability.md: only what was measured; the rest says that it wasn't."""

import json
import platform
import re
import shutil
from collections.abc import Mapping
from os import cpu_count
from pathlib import Path
from typing import Any

from launcher.servers.binaries import ServerBinary
from livebeat import clock

NOT_YET = "not run yet"
#: The same fault, done to ours and to the others.
BESIDE: tuple[tuple[str, tuple[str, ...], Mapping[str, str]], ...] = (
    ("append-only file cut at a random offset", ("cuts",), {"stock RedBeat": "stock-cuts"}),
    ("two or more beats at once, killed and stopped", ("mix",), {"stock RedBeat, lock off": "stock-lockless"}),
    ("the leading beat stopped past its lock", ("n3-stop-beat",), {"stock RedBeat": "stock-stopped"}),
    ("a pool's child killed", ("n4-kill-worker",), {"plain Celery, late acks": "plain-celery"}),
    ("a worker killed, again and again", ("kills",), {"the consumer of old": "old-consumer"}),
    ("refresh requests; workers, bridges, recorder and Redis killed", ("stats",), {"the consumer of old": "stats-old"}),
)
#: Whose minute is the page's picture: the first that was run.
PICTURED = ("night", "mix", "little")
_CONTROLS = {control for _, _, others in BESIDE for control in others.values()}


def place(binary: ServerBinary, seed: int) -> str:
    """Where and when: what a report is worth depends on it."""
    server = f"{binary.kind} {binary.major}.{binary.minor}"
    return f"{clock.now().date()}, {cpu_count()} cores, {server}, Python {platform.python_version()}, seed {seed}"


def publish(folder: Path, page: Path) -> list[str]:
    """Put what was recorded under a folder between the page's markers, the picture beside it; returns the scenarios.

    Raises:
        LookupError: the page has no place for it, or nothing was recorded.
    """
    reports = {file.parent.name: json.loads(file.read_text()) for file in sorted(folder.glob("*/report.json"))}
    if not reports:
        raise LookupError(f"nothing is recorded under {folder}; run some scenarios first")
    text = page.read_text(encoding="utf-8")
    text = _between(text, "measured", measured(reports))
    text = _between(text, "beside", beside(reports))
    page.write_text(text, encoding="utf-8")
    minute = next((file for name in PICTURED if (file := folder / name / "minute.svg").exists()), None)
    if minute is not None:
        shutil.copyfile(minute, page.with_suffix(".svg"))
    return list(reports)


def measured(reports: Mapping[str, Any]) -> str:
    """Each scenario of ours with what it found."""
    lines = ["| scenario | held | found |", "| --- | --- | --- |"]
    places: dict[str, list[float]] = {}
    for name, report in reports.items():
        if name not in _CONTROLS:
            lines.append(f"| `{name}` | {'yes' if report['held'] else '**no**'} | {_found(report)} |")
        places.setdefault(report["place"], []).append(report["load"])
    told = [f"{where}; load average {min(loads):.1f} to {max(loads):.1f}." for where, loads in places.items()]
    return "\n".join([*lines, "", *told])


def beside(reports: Mapping[str, Any]) -> str:
    """The faults that were done to ours and to the others."""
    lines = ["| fault | Livebeat | the other |", "| --- | --- | --- |"]
    for fault, ours, others in BESIDE:
        found = [_found(reports[name]) for name in ours if name in reports] or [NOT_YET]
        theirs = [f"{label}: {_first(reports[name]) if name in reports else NOT_YET}" for label, name in others.items()]
        lines.append(f"| {fault} | {'; '.join(found)} | {'; '.join(theirs)} |")
    return "\n".join(lines)


def _found(report: Mapping[str, Any]) -> str:
    """What was counted; then that nothing was wrong, or what was."""
    zeros = [bar for bar in report["bars"] if bar["wanted"].startswith("0 ")]
    counted = [_told(bar) for bar in report["bars"] if bar not in zeros and not bar["wanted"].startswith("at least 0 ")]
    broken = [f"**{bar['found']} {bar['wanted'].removeprefix('0 ')}**" for bar in zeros if not bar["held"]]
    nothing = ["nothing lost, double, early or otherwise wrong"] if zeros and not broken else []
    return "; ".join([*counted, *broken, *nothing])


def _told(bar: Mapping[str, Any]) -> str:
    """`at least 5 slots` and `7` become `7 slots (≥ 5)`."""
    text = f"{bar['wanted']}: {bar['found']}"
    if at_least := re.fullmatch(r"at least (\d+) (.+)", bar["wanted"]):
        text = f"{bar['found']} {at_least[2]} (≥ {at_least[1]})"
    return text if bar["held"] else f"**{text}**"


def _first(report: Mapping[str, Any]) -> str:
    return _told(report["bars"][0])


def _between(text: str, what: str, body: str) -> str:
    """The text with `body` between the markers of `what`."""
    opening, closing = f"<!-- {what} -->", f"<!-- /{what} -->"
    head, opened, rest = text.partition(opening)
    _, closed, tail = rest.partition(closing)
    if not opened or not closed:
        raise LookupError(f"the page has no {opening} … {closing}")
    return f"{head}{opening}\n\n{body}\n\n{closing}{tail}"
