"""Slots × time as an SVG by hand: a row a schedule, a lane a victim, faults as bands. Readable in light and dark."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape

from chaos.history import History
from chaos.violation import Violation

_LEFT, _TOP, _ROW = 60, 56, 12
_PER_SECOND, _NARROWEST = 10, 1200
_STYLE = """
svg{background:#fff;color:#222;font:11px sans-serif}
text{fill:currentColor}.grid{stroke:currentColor;opacity:.15}
.prompt{stroke:#2a7de1}.late{stroke:#e08a00}.later{stroke:#b000b0}.skip{stroke:#888;stroke-dasharray:2 2}
.stop{fill:#e08a00;opacity:.18}.stopped{fill:#e08a00}.kill{stroke:#d02020;stroke-width:1.5}.wrong{fill:#d02020}
@media (prefers-color-scheme:dark){svg{background:#16181c;color:#ddd}.prompt{stroke:#6db3ff}.later{stroke:#ff7bff}
.late,.stopped{stroke:#ffb84d}.kill{stroke:#ff6b6b}.wrong{fill:#ff6b6b}}
"""


def picture(history: History, violations: Sequence[Violation] = ()) -> str:
    """The whole run. Each tick is one dispatch at its arrival: blue within 100 ms, orange within 1 s, purple later."""
    times = [dispatch.at for dispatch in history.dispatches] or [float(history.read_at)]
    canvas = _Canvas(history, min(times) - 1000, max(*times, history.read_at) + 1000)
    parts = [*canvas.axes(), *canvas.faults(), *canvas.dispatches(), *canvas.skips(), *canvas.wrong(violations)]
    size = f'width="{_LEFT + canvas.width + 20}" height="{canvas.bottom + 30}"'
    title = f"{len(history.dispatches)} dispatches, {len(history.faults)} faults, {len(violations)} violations"
    legend = "ticks: dispatched within 100 ms (blue), 1 s (orange), later (purple); red: killed; bands: other faults"
    head = f'<text x="{_LEFT}" y="16">{escape(title)}</text><text x="{_LEFT}" y="32">{escape(legend)}</text>'
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{_STYLE}</style>{head}\n{body}\n</svg>\n'


class _Canvas:
    def __init__(self, history: History, start: float, end: float) -> None:
        self._history, self._start, self._end = history, start, end
        self.width = max(_NARROWEST, round((end - start) / 1000 * _PER_SECOND))
        victims = sorted({fault.victim for fault in history.faults})
        self._lanes = {victim: _TOP + _ROW * lane for lane, victim in enumerate(victims)}
        top = _TOP + _ROW * (len(victims) + 1)
        names = dict.fromkeys(schedule.name for schedule in history.schedules)
        self._rows = {name: top + _ROW * row for row, name in enumerate(names)}
        self.bottom = top + _ROW * len(names)

    def x(self, at: float) -> float:
        return round(_LEFT + (at - self._start) / (self._end - self._start) * self.width, 1)

    def axes(self) -> Iterable[str]:
        for victim, y in self._lanes.items():
            yield f'<text x="4" y="{y + 9}">{escape(victim)}</text>'
        for name, y in self._rows.items():
            yield f'<text x="4" y="{y + 9}">{escape(name)}</text>'
        for at in range(0, int((self._end - self._start) / 1000), 10):
            x = self.x(self._start + at * 1000)
            yield f'<path class="grid" d="M{x} {_TOP}V{self.bottom}"/>'
            yield f'<text x="{x}" y="{self.bottom + 16}">{at} s</text>'

    def faults(self) -> Iterable[str]:
        for fault in self._history.faults:
            x, lane, name = self.x(fault.began_at), self._lanes[fault.victim], f"<title>{escape(fault.kind)}</title>"
            if fault.ended_at == fault.began_at or fault.kind.startswith("kill"):
                yield f'<path class="kill" d="M{x} {lane}v10">{name}</path>'
                continue
            width = round(max(self.x(fault.ended_at) - x, 1), 1)
            yield f'<rect class="stopped" x="{x}" y="{lane}" width="{width}" height="10">{name}</rect>'
            yield f'<rect class="stop" x="{x}" y="{_TOP}" width="{width}" height="{self.bottom - _TOP}"/>'

    def dispatches(self) -> Iterable[str]:
        ticks: dict[tuple[str, str], list[str]] = defaultdict(list)
        for dispatch in self._history.dispatches:
            late = dispatch.at - (dispatch.slot or dispatch.at)
            kind = "prompt" if late <= 100 else "late" if late <= 1000 else "later"
            if dispatch.schedule in self._rows:
                ticks[dispatch.schedule, kind].append(f"M{self.x(dispatch.at)} {self._rows[dispatch.schedule] + 1}v9")
        for (_, kind), path in ticks.items():
            yield f'<path class="{kind}" d="{"".join(path)}"/>'

    def skips(self) -> Iterable[str]:
        for skip in self._history.skips:
            y = self._rows.get(skip.schedule, self.bottom) + 5
            yield f'<path class="skip" d="M{self.x(skip.first)} {y}H{self.x(skip.last) + 1}"/>'

    def wrong(self, violations: Sequence[Violation]) -> Iterable[str]:
        for each in violations:
            if each.slot is not None and each.schedule in self._rows:
                x, y = self.x(each.slot), self._rows[each.schedule] + 5
                label = escape(f"{each.check}: {each.detail}")
                yield f'<circle class="wrong" cx="{x}" cy="{y}" r="4"><title>{label}</title></circle>'
