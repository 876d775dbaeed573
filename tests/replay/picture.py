"""The replayed nights as an SVG: a panel a day, two lanes a rule, RedBeat's above ours. Readable in light and dark."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from html import escape
from itertools import pairwise

from replay.cases import RULES, Case
from replay.page import Replayed, minutes

_HOURS, _PER_HOUR = 10, 42
_LABELS, _HEAD, _LANE, _ROW = 92, 46, 8, 24
_PANEL = (_LABELS + _HOURS * _PER_HOUR + 24, _HEAD + _ROW * len(RULES) + 16)
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
_STYLE = """
text { font: 11px system-ui, sans-serif; fill: #1f2328 }
.title { font-size: 13px; font-weight: 600 }
.clock { font-size: 9px }
.grid { stroke: #8c959f; opacity: .35 }
.set { fill: #bf8700; opacity: .18 }
.stock { fill: #8c959f }
.ours { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .stock { fill: #6e7681 }
  .ours { fill: #4493f8 }
}
"""


def picture(replayed: Replayed) -> str:
    """Two panels a row; each shows the ten hours from two before the clocks are set, or from midnight."""
    rows = -(-len(replayed) // 2)
    width, height = 2 * _PANEL[0], rows * _PANEL[1] + 30
    described = "Runs across clock changes, RedBeat beside Livebeat: " + "; ".join(case.title for case, *_ in replayed)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(described)}">',
        f"<style>{_STYLE}</style>",
        '<rect class="stock" x="0" y="6" width="14" height="8"/><text x="20" y="14">RedBeat</text>',
        '<rect class="ours" x="80" y="6" width="14" height="8"/><text x="100" y="14">Livebeat</text>',
        '<text x="170" y="14">The readings above each panel are those of its clocks, an hour apart.</text>',
    ]
    for index, (case, stock, ours) in enumerate(replayed):
        x, y = index % 2 * _PANEL[0], 30 + index // 2 * _PANEL[1]
        lines.append(f'<g transform="translate({x} {y})">')
        lines += _panel(case, {"stock": stock, "ours": ours})
        lines.append("</g>")
    return "\n".join([*lines, "</svg>\n"])


def _panel(case: Case, sent: dict[str, dict[str, list[datetime]]]) -> Iterator[str]:
    start = _start(case)
    yield f'<text class="title" x="0" y="16">{escape(case.title)}</text>'
    bottom = _HEAD + _ROW * len(RULES)
    for hour in range(_HOURS + 1):
        at, x = start + hour * _HOUR, _LABELS + hour * _PER_HOUR
        yield f'<path class="grid" d="M{x} {_HEAD - 4}V{bottom}"/>'
        yield f'<text class="clock" x="{x}" y="{_HEAD - 8}" text-anchor="middle">{at.astimezone(case.tz):%H:%M}</text>'
        if at.astimezone(case.tz).utcoffset() != (at + _HOUR).astimezone(case.tz).utcoffset():
            yield f'<rect class="set" x="{x}" y="{_HEAD - 4}" width="{_PER_HOUR}" height="{bottom - _HEAD + 4}"/>'
    for row, name in enumerate(RULES):
        top = _HEAD + row * _ROW
        yield f'<text x="{_LABELS - 8}" y="{top + 13}" text-anchor="end">{escape(name)}</text>'
        for lane, who in enumerate(("stock", "ours")):
            shown = [at for at in minutes(sent[who][name]) if start <= at < start + _HOURS * _HOUR]
            path = "".join(_bars(shown, start, top + lane * (_LANE + 1) + 1))
            if path:
                yield f'<path class="{who}" d="{path}"/>'


def _start(case: Case) -> datetime:
    """An hour's beginning, two hours or less before the clocks are set; the day's where they aren't."""
    at = case.midnight - 2 * _HOUR
    while at < case.end:
        if at.astimezone(case.tz).utcoffset() != (at + _HOUR).astimezone(case.tz).utcoffset():
            return at - _HOUR
        at += _HOUR
    return case.midnight


def _bars(shown: Sequence[datetime], start: datetime, top: int) -> Iterator[str]:
    """A bar for each instant; those a minute apart are one."""
    if not shown:
        return
    first = shown[0]
    for at, following in [*pairwise(shown), (shown[-1], None)]:
        if following is None or following - at > _MINUTE:
            x = _LABELS + (first - start) / _HOUR * _PER_HOUR
            width = max((at - first + _MINUTE) / _HOUR * _PER_HOUR, 1.6)
            yield f"M{x:.1f} {top}h{width:.1f}v{_LANE}h-{width:.1f}z"
            first = following or at
