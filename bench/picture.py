"""A bar chart as SVG, readable on light and dark."""

from collections.abc import Sequence
from html import escape

_WIDTH, _LABELS, _ROW, _TOP = 760, 250, 34, 48
_STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.bar { fill: #8c959f }
.first { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .bar { fill: #6e7681 }
  .first { fill: #4493f8 }
}
"""


def bars(title: str, values: Sequence[tuple[str, float]]) -> str:
    """One bar for each (label, value), the longest over the whole width; those of Livebeat stand out."""
    height = _TOP + _ROW * len(values) + 8
    longest = max(value for _, value in values)
    described = escape(f"{title}: " + ", ".join(f"{label} {value:,.0f}" for label, value in values))
    room = _WIDTH - _LABELS - 90
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{described}">',
        f"<style>{_STYLE}</style>",
        f'<text class="title" x="0" y="22">{escape(title)}</text>',
    ]
    for index, (label, value) in enumerate(values):
        top = _TOP + index * _ROW
        width = max(room * value / longest, 1)
        style = "first" if label.startswith("Livebeat") else "bar"
        lines += [
            f'<text x="{_LABELS - 10}" y="{top + 16}" text-anchor="end">{escape(label)}</text>',
            f'<rect class="{style}" x="{_LABELS}" y="{top}" width="{width:.1f}" height="22" rx="3"/>',
            f'<text x="{_LABELS + width + 8:.1f}" y="{top + 16}">{value:,.0f}</text>',
        ]
    return "\n".join([*lines, "</svg>\n"])
