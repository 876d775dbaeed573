"""The checks of slots: each schedule's dispatches and skips against what the oracle says it has."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import quantiles

from chaos.history import Dispatch, Fault, History, Schedule, Skip
from chaos.oracle import slots
from chaos.pairing import arrivals_without_window, windows_without_arrival
from chaos.violation import Violation

#: Milliseconds before the final read in which a slot need not have come out yet. The driver keeps quiet for longer.
ALLOWANCE = 5_000
#: Milliseconds after its slot in which a dispatch must arrive. Far above every fault.
PATIENCE = 60_000
#: Milliseconds that a dispatch outside faults may be late: at most, and 99 of 100.
LATE_AT_MOST, LATE_MOSTLY = 1_000, 50


@dataclass(frozen=True)
class Revision:
    """One revision with the slots that it names while it may hold: up to the next one that surely does."""

    schedule: Schedule
    named: list[int]

    def names(self, slot: int) -> bool:
        place = bisect_left(self.named, slot)
        return place < len(self.named) and self.named[place] == slot

    def among(self, first: int, last: int) -> list[int]:
        """Its slots from `first` to `last`, both included."""
        return self.named[bisect_left(self.named, first) : bisect_right(self.named, last)]


@dataclass(frozen=True)
class Case:
    """One schedule with all that concerns it. Slots after `until` need no outcome yet."""

    name: str
    revisions: list[Revision]
    dispatches: list[Dispatch]
    skips: list[tuple[Skip, Revision | None, list[int]]]
    until: int

    @property
    def demanded(self) -> list[int]:
        """The slots that must have an outcome whichever way the calls without an answer went."""
        found = []
        for place, revision in enumerate(self.revisions):
            since = revision.schedule.acknowledged_at
            if since is None:
                continue
            end = min([self.until, *(later.schedule.asked_at for later in self.revisions[place + 1 :])])
            found.extend(revision.among(since + 1, end))
        return found


def cases(history: History) -> Iterator[Case]:
    """Every schedule that the driver stored."""
    dispatches, skips, revisions = defaultdict(list), defaultdict(list), defaultdict(list)
    for dispatch in history.dispatches:
        dispatches[dispatch.schedule].append(dispatch)
    for skip in history.skips:
        skips[skip.schedule].append(skip)
    for schedule in history.schedules:
        revisions[schedule.name].append(schedule)
    horizon = max([history.read_at + ALLOWANCE, *(dispatch.at for dispatch in history.dispatches)])
    for name, stored in revisions.items():
        known = _revisions(stored, horizon)
        passed = [(skip, *_passed(skip, known)) for skip in skips[name]]
        yield Case(name, known, dispatches[name], passed, history.read_at - ALLOWANCE)


def _revisions(stored: Sequence[Schedule], horizon: float) -> list[Revision]:
    found = []
    for place, schedule in enumerate(stored):
        ends = [later.acknowledged_at for later in stored[place + 1 :] if later.acknowledged_at is not None]
        end = min([horizon, *ends])
        found.append(Revision(schedule, slots(schedule.rule, schedule.asked_at, end) if schedule.rule else []))
    return found


def _passed(skip: Skip, revisions: Sequence[Revision]) -> tuple[Revision | None, list[int]]:
    """The newest revision that names both ends of a skip, and its slots between them."""
    for revision in reversed(revisions):
        if revision.names(skip.first) and revision.names(skip.last):
            return revision, revision.among(skip.first, skip.last)
    return None, []


def of_nobody(history: History) -> Iterator[Violation]:
    """Dispatches of what nobody stored."""
    known = {schedule.name for schedule in history.schedules}
    for dispatch in history.dispatches:
        if dispatch.schedule not in known:
            yield Violation("spurious", dispatch.schedule, dispatch.slot, f"nobody stored it ({dispatch.run})")


def outcomes(case: Case) -> Iterator[Violation]:
    """`missed` and `spurious`: some one order of revisions must explain what came and what didn't.

    Which revision holds is known but between a call and its answer, or the next answer where it got none. Walked along
    the slots, the revisions that may hold are those that explain everything so far; they only ever advance.
    """
    settled = {dispatch.slot for dispatch in case.dispatches if dispatch.slot is not None}
    for dispatch in case.dispatches:
        if dispatch.slot is None:
            yield Violation("spurious", case.name, None, f"names no slot ({dispatch.run})")
    for skip, revision, passed in case.skips:
        settled.update(passed)
        if revision is None:
            yield Violation("spurious", case.name, skip.first, f"skipped to {skip.last}: not its slots")
        elif why_not := _unfounded(skip, revision):
            yield Violation("missed", case.name, skip.first, f"skipped to {skip.last} although {why_not}")
    holding = {-1}
    for instant in sorted(settled.union(*(revision.named for revision in case.revisions))):
        possible = _possible(case, holding, instant)
        holding = {place for place in possible if _explains(case, place, instant, instant in settled)}
        if not holding:
            holding = possible
            if instant in settled:
                yield Violation("spurious", case.name, instant, "no revision that may hold names this slot")
            else:
                yield Violation("missed", case.name, instant, "no dispatch and no other outcome")


def _possible(case: Case, before: set[int], instant: int) -> set[int]:
    """The places of revisions that may hold at a slot, given those that did before; -1 is before the first."""
    least = -1
    for place, revision in enumerate(case.revisions):
        since = revision.schedule.acknowledged_at
        if since is not None and since < instant:
            least = place
    asked = sum(revision.schedule.asked_at < instant for revision in case.revisions)
    return set(range(max(least, min(before)), asked))


def _explains(case: Case, place: int, instant: int, came: bool) -> bool:
    named = place >= 0 and case.revisions[place].names(instant)
    return named == came or (named and instant > case.until)


def _unfounded(skip: Skip, revision: Revision) -> str:
    """Why the policy doesn't allow this skip; empty where it does."""
    if revision.schedule.catchup == "all":
        return "its policy is to run all"
    after = bisect_right(revision.named, skip.last)
    if after == len(revision.named) or revision.named[after] > skip.at:
        return "no later slot was due yet"
    return ""


def double(case: Case) -> Iterator[Violation]:
    """Two outcomes of one slot."""
    counts = Counter(dispatch.slot for dispatch in case.dispatches if dispatch.slot is not None)
    all_outcomes = counts + Counter(slot for _, _, passed in case.skips for slot in passed)
    for slot, count in all_outcomes.items():
        if count > 1:
            yield Violation("double", case.name, slot, f"{counts[slot]} dispatches, {count} outcomes")


def ids(history: History) -> Iterator[Violation]:
    """One id for two slots."""
    meant: dict[str, tuple[str, int | None]] = {}
    for dispatch in history.dispatches:
        label = (dispatch.schedule, dispatch.slot)
        if meant.setdefault(dispatch.run, label) != label:
            detail = f"id {dispatch.run} stands for {meant[dispatch.run]} too"
            yield Violation("double", dispatch.schedule, dispatch.slot, detail)


def early(case: Case) -> Iterator[Violation]:
    """A dispatch before its slot."""
    for dispatch in case.dispatches:
        if dispatch.slot is not None and dispatch.at < dispatch.slot:
            yield Violation("early", case.name, dispatch.slot, f"{dispatch.slot - dispatch.at:.0f} ms early")


def late(case: Case) -> Iterator[Violation]:
    """Later than any fault lasts."""
    for dispatch in case.dispatches:
        if dispatch.slot is not None and dispatch.at > dispatch.slot + PATIENCE:
            yield Violation("late", case.name, dispatch.slot, f"{dispatch.at - dispatch.slot:.0f} ms late")


def blind(case: Case) -> Iterator[Violation]:
    """With the labels forgotten, arrivals and slots must still pair up: each arrival its slot, each slot its arrival."""
    passed = {slot for _, _, skipped in case.skips for slot in skipped}
    arrivals = [dispatch.at for dispatch in case.dispatches]
    named = set().union(*(revision.named for revision in case.revisions)) - passed
    homeless = arrivals_without_window(arrivals, [(slot, slot + PATIENCE) for slot in named])
    if homeless:
        yield Violation("blind", case.name, None, f"{len(homeless)} arrivals that no slot is left for")
    demanded = set(case.demanded) - passed
    empty = windows_without_arrival(arrivals, [(slot, slot + PATIENCE) for slot in demanded])
    if empty:
        yield Violation("blind", case.name, int(min(empty)[0]), f"{len(empty)} slots that no arrival is left for")


def unpunctual(history: History) -> list[Violation]:
    """Dispatches later than the bars: 50 ms (99 of 100) and 1 s outside faults, a fault's recovery after its end.

    Apart from `check`, since it says something of the engine only where the machine has nothing else to do.
    """
    ends = _Deadlines(history.faults)
    labelled = [dispatch for dispatch in history.dispatches if dispatch.slot is not None]
    found, outside = [], []
    for dispatch in labelled:
        slot = dispatch.slot or 0
        deadline = ends.of(slot)
        if dispatch.at > deadline:
            detail = f"{dispatch.at - slot:.0f} ms late, {deadline - slot:.0f} allowed"
            found.append(Violation("late", dispatch.schedule, slot, detail))
        if deadline == slot + LATE_AT_MOST:
            outside.append(dispatch.at - slot)
    if len(outside) >= 100 and (most := quantiles(outside, n=100)[98]) > LATE_MOSTLY:
        found.append(Violation("late", "", None, f"outside faults one in a hundred is more than {most:.0f} ms late"))
    return found


class _Deadlines:
    """Until when a slot must be dispatched. A fault that comes while the last one is recovered from prolongs that."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self._spans: list[tuple[float, float]] = []
        for fault in sorted(faults, key=lambda each: each.began_at):
            begins, ends = fault.began_at - LATE_AT_MOST, fault.ended_at + fault.recovery
            if self._spans and begins <= self._spans[-1][1]:
                begins, ends = self._spans[-1][0], max(ends, self._spans.pop()[1])
            self._spans.append((begins, ends))

    def of(self, slot: int) -> float:
        place = bisect_right(self._spans, (slot, float("inf"))) - 1
        end = self._spans[place][1] if place >= 0 else 0.0
        return max(end, slot + LATE_AT_MOST) if end >= slot else slot + LATE_AT_MOST
