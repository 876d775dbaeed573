"""The checks of the product's own account: its events, its run table, and what it says of its health."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator

from chaos.history import History
from chaos.slot_checks import Case
from chaos.violation import Violation

#: Milliseconds that a slot may be overdue before a second without any dispatch is a silent one.
OVERDUE = 1_000
_SECOND = 1_000
_TERMINAL = frozenset({"succeeded", "failed", "lost", "cancelled", "expired"})


def news(history: History) -> Iterator[Violation]:
    """The event stream tells exactly the dispatches that came out, and none before its slot."""
    came = Counter((dispatch.schedule, dispatch.slot, dispatch.run) for dispatch in history.dispatches)
    told = Counter((dispatch.schedule, dispatch.slot, dispatch.run) for dispatch in history.news)
    for schedule, slot, run in came - told:
        yield Violation("news", schedule, slot, f"dispatched, and not told ({run})")
    for schedule, slot, run in told - came:
        yield Violation("news", schedule, slot, f"told, and not dispatched ({run})")
    for dispatch in history.news:
        # The server's stamp has whole milliseconds, cut off.
        if dispatch.slot is not None and dispatch.at + 1 <= dispatch.slot:
            yield Violation("early", dispatch.schedule, dispatch.slot, "by the server's own stamp")


def rows(history: History) -> Iterator[Violation]:
    """The run table: a row for each slot and each accepted run, one, with the end that the evidence tells; no others."""
    if history.rows is None:
        return
    table = {row.run: row for row in history.rows}
    names = {dispatch.run: (dispatch.schedule, dispatch.slot) for dispatch in history.dispatches}
    names |= {call.run: (call.subject, None) for call in history.calls if call.run}
    names |= {line.run: (line.job or line.schedule, line.slot) for line in history.executions}
    for run in names.keys() - table.keys():
        yield Violation("rows", *names[run], f"no row ({run})")
    for run in table.keys() - names.keys():
        yield Violation("rows", table[run].schedule or "", table[run].slot, f"a row, and nothing ran ({run})")
    slots = Counter((row.schedule, row.slot) for row in history.rows if row.slot is not None)
    for (schedule, slot), count in slots.items():
        if count > 1:
            yield Violation("rows", schedule or "", slot, f"{count} rows")
    yield from _states(history, names)


def _states(history: History, names: dict[str, tuple[str, int | None]]) -> Iterator[Violation]:
    done = {line.run for line in history.executions if line.kind == "end" and line.outcome in {"", "succeeded"}}
    for row in history.rows or ():
        name, slot = names.get(row.run, (row.schedule or "", row.slot))
        if slot != row.slot:
            yield Violation("rows", name, slot, f"its row says slot {row.slot} ({row.run})")
        if not history.executions:
            continue
        if row.state not in _TERMINAL and row.run not in history.visible:
            yield Violation("rows", name, slot, f"{row.state} for ever, by its row ({row.run})")
        elif (row.state == "succeeded") != (row.run in done) and row.state in _TERMINAL - {"lost"}:
            yield Violation("rows", name, slot, f"{row.state} by its row, and not by the evidence ({row.run})")


def silence(history: History, cases: list[Case]) -> Iterator[Violation]:
    """Each second in which something was overdue has a dispatch, a fault that excuses it, or a "not ready"."""
    first = min((case.revisions[0].schedule.asked_at for case in cases), default=history.read_at)
    seconds = range(first // _SECOND, (history.read_at - OVERDUE) // _SECOND)
    active = {int(dispatch.at) // _SECOND for dispatch in history.dispatches}
    active |= {int(skip.at) // _SECOND for skip in history.skips}
    excused = {int(each.at) // _SECOND for each in history.health or () if not each.ready}
    for fault in history.faults:
        end = fault.ended_at + fault.recovery
        excused |= set(range(int(fault.began_at) // _SECOND, int(end) // _SECOND + 1))
    waiting = _waiting(cases)
    for second in seconds:
        if second not in active and second not in excused and (name := waiting(second * _SECOND)):
            yield Violation("silence", name, second * _SECOND, "overdue, nothing dispatched, and no word of it")


class _waiting:  # noqa: N801  reads as the question it answers
    """Which schedule had something overdue through a whole second."""

    def __init__(self, cases: list[Case]) -> None:
        spans = []
        for case in cases:
            settled = {dispatch.slot: dispatch.at for dispatch in reversed(case.dispatches)}
            settled |= {slot: skip.at for skip, _, passed in case.skips for slot in passed}
            spans += [(slot + OVERDUE, settled.get(slot, float("inf")), case.name) for slot in case.demanded]
        spans.sort()
        self._begins = [begin for begin, _, _ in spans]
        self._longest: list[tuple[float, str]] = []
        for _, end, name in spans:  # of all that began so far, what lasts longest
            before = self._longest[-1] if self._longest else (0.0, "")
            self._longest.append(max(before, (end, name)))

    def __call__(self, at: float) -> str:
        place = bisect_right(self._begins, at) - 1
        if place < 0:
            return ""
        end, name = self._longest[place]
        return name if end >= at + _SECOND else ""
