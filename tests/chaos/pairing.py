"""Blind pairing: arrivals without labels against the windows in which something had to arrive.

A window is an interval and an arrival is a point of it, so giving each arrival to the open window that closes first is
exact, also where windows overlap: no search for a maximum matching is needed. What must pair on one side and what must
on the other may be asked apart, since a pairing that covers both exists wherever each of the two exists.
"""

import heapq
from collections.abc import Sequence

Window = tuple[float, float]


def arrivals_without_window(arrivals: Sequence[float], windows: Sequence[Window]) -> list[float]:
    """The arrivals for which no window was left, each window taking one."""
    return _pair(arrivals, windows)[0]


def windows_without_arrival(arrivals: Sequence[float], windows: Sequence[Window]) -> list[Window]:
    """The windows for which no arrival was left, each arrival filling one."""
    return _pair(arrivals, windows)[1]


def _pair(arrivals: Sequence[float], windows: Sequence[Window]) -> tuple[list[float], list[Window]]:
    to_open = sorted(windows, reverse=True)
    closing: list[tuple[float, float]] = []
    homeless: list[float] = []
    empty: list[Window] = []
    for at in sorted(arrivals):
        while to_open and to_open[-1][0] <= at:
            opened, closes = to_open.pop()
            heapq.heappush(closing, (closes, opened))
        while closing and closing[0][0] < at:
            closes, opened = heapq.heappop(closing)
            empty.append((opened, closes))
        if closing:
            heapq.heappop(closing)
        else:
            homeless.append(at)
    empty.extend((opened, closes) for closes, opened in closing)
    return homeless, empty + to_open
