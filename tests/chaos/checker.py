"""The judge: pure functions from a history to what is wrong with it. Knows the promise, and nothing of the engine.

| check      | says                                                                                            |
|------------|-------------------------------------------------------------------------------------------------|
| missed     | a slot that had to be dealt with was neither dispatched nor skipped with a reason that its policy allows |
| double     | a slot was dispatched twice, whatever the ids; or skipped as well; or one id stands for two slots |
| spurious   | a dispatch or a skip of what the schedule doesn't name                                            |
| early      | a dispatch before its slot                                                                        |
| late       | a dispatch longer after its slot than any fault lasts                                             |
| blind      | with the labels forgotten, arrivals and slots don't pair up one to one                            |
| news       | the product's own account of its dispatches differs from what came out                            |
| incomplete | a task started and never ended                                                                    |
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chaos.history import Dispatch, History, Schedule, Skip
from chaos.oracle import slots

#: Milliseconds before the final read in which a slot need not have come out yet. The driver keeps quiet for longer.
ALLOWANCE = 5_000
#: Milliseconds after its slot in which a dispatch must arrive. Far above every fault: lateness is measured, not judged.
PATIENCE = 60_000


@dataclass(frozen=True)
class Violation:
    """One thing that the promise excludes."""

    check: str
    schedule: str
    slot: int | None
    detail: str


@dataclass(frozen=True)
class _Case:
    """One schedule with all that concerns it. `allowed` are its slots; those in `demanded` must have an outcome."""

    schedule: Schedule
    allowed: list[int]
    demanded: list[int]
    dispatches: list[Dispatch]
    skips: list[tuple[Skip, list[int]]]


def check(history: History) -> list[Violation]:
    """All that is wrong; empty where the promise was kept."""
    known = {schedule.name for schedule in history.schedules}
    found = [
        Violation("spurious", dispatch.schedule, dispatch.slot, f"nobody stored this schedule ({dispatch.run})")
        for dispatch in history.dispatches
        if dispatch.schedule not in known
    ]
    for case in _cases(history):
        for look in (_missed, _double, _spurious, _early, _late, _blind):
            found.extend(look(case))
    found.extend(_ids(history.dispatches))
    found.extend(_news(history))
    found.extend(_incomplete(history))
    return found


def demanded(history: History) -> int:
    """How many slots had to have an outcome."""
    return sum(len(case.demanded) for case in _cases(history))


def _cases(history: History) -> Iterator[_Case]:
    dispatches, skips = defaultdict(list), defaultdict(list)
    for dispatch in history.dispatches:
        dispatches[dispatch.schedule].append(dispatch)
    for skip in history.skips:
        skips[skip.schedule].append(skip)
    horizon = max([history.read_at + ALLOWANCE, *(dispatch.at for dispatch in history.dispatches)])
    for schedule in history.schedules:
        allowed = slots(schedule.rule, schedule.asked_at, horizon)
        until = history.read_at - ALLOWANCE
        yield _Case(
            schedule,
            allowed,
            [slot for slot in allowed if schedule.acknowledged_at < slot <= until],
            dispatches[schedule.name],
            [(skip, [slot for slot in allowed if skip.first <= slot <= skip.last]) for skip in skips[schedule.name]],
        )


def _missed(case: _Case) -> Iterator[Violation]:
    settled = {dispatch.slot for dispatch in case.dispatches}
    for skip, passed in case.skips:
        why_not = _unfounded(case, skip)
        if why_not:
            yield Violation("missed", case.schedule.name, skip.first, f"skipped to {skip.last} although {why_not}")
        settled.update(passed)
    for slot in case.demanded:
        if slot not in settled:
            yield Violation("missed", case.schedule.name, slot, "no dispatch and no other outcome")


def _unfounded(case: _Case, skip: Skip) -> str:
    """Why the policy doesn't allow this skip; empty where it does."""
    if case.schedule.catchup == "all":
        return "its policy is to run all"
    later = next((slot for slot in case.allowed if slot > skip.last), None)
    if later is None or later > skip.at:
        return "no later slot was due yet"
    return ""


def _double(case: _Case) -> Iterator[Violation]:
    counts = Counter(dispatch.slot for dispatch in case.dispatches if dispatch.slot is not None)
    outcomes = counts + Counter(slot for _, passed in case.skips for slot in passed)
    for slot, count in outcomes.items():
        if count > 1:
            yield Violation("double", case.schedule.name, slot, f"{counts[slot]} dispatches, {count} outcomes")


def _spurious(case: _Case) -> Iterator[Violation]:
    allowed = set(case.allowed)
    for dispatch in case.dispatches:
        if dispatch.slot not in allowed:
            yield Violation("spurious", case.schedule.name, dispatch.slot, f"not a slot of it ({dispatch.run})")
    for skip, _ in case.skips:
        if not {skip.first, skip.last} <= allowed:
            yield Violation("spurious", case.schedule.name, skip.first, f"skipped to {skip.last}: not its slots")


def _early(case: _Case) -> Iterator[Violation]:
    for dispatch in case.dispatches:
        if dispatch.slot is not None and dispatch.at < dispatch.slot:
            yield Violation("early", case.schedule.name, dispatch.slot, f"{dispatch.slot - dispatch.at:.0f} ms early")


def _late(case: _Case) -> Iterator[Violation]:
    for dispatch in case.dispatches:
        if dispatch.slot is not None and dispatch.at > dispatch.slot + PATIENCE:
            yield Violation("late", case.schedule.name, dispatch.slot, f"{dispatch.at - dispatch.slot:.0f} ms late")


def _blind(case: _Case) -> Iterator[Violation]:
    """Each arrival pairs with a slot of its own in [slot, slot + PATIENCE]: in order, since the windows are equal."""
    if case.schedule.catchup != "all":
        return
    arrivals = sorted(dispatch.at for dispatch in case.dispatches)
    # Slots between the call and its answer may or may not be there; from the first one on, all are.
    leading = sum(slot <= case.schedule.acknowledged_at for slot in case.allowed)
    if not any(_pair_up(arrivals, case.allowed[start:], case.demanded) for start in range(leading + 1)):
        detail = f"{len(arrivals)} arrivals don't pair up with {len(case.demanded)} to {len(case.allowed)} slots"
        yield Violation("blind", case.schedule.name, None, detail)


def _pair_up(arrivals: Sequence[float], targets: Sequence[int], required: Sequence[int]) -> bool:
    last_required = required[-1] if required else 0
    if len(arrivals) > len(targets) or any(slot <= last_required for slot in targets[len(arrivals) :]):
        return False
    return all(slot <= at <= slot + PATIENCE for at, slot in zip(arrivals, targets, strict=False))


def _ids(dispatches: Sequence[Dispatch]) -> Iterator[Violation]:
    meant: dict[str, tuple[str, int | None]] = {}
    for dispatch in dispatches:
        label = (dispatch.schedule, dispatch.slot)
        if meant.setdefault(dispatch.run, label) != label:
            detail = f"id {dispatch.run} stands for {meant[dispatch.run]} too"
            yield Violation("double", dispatch.schedule, dispatch.slot, detail)


def _news(history: History) -> Iterator[Violation]:
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


def _incomplete(history: History) -> Iterator[Violation]:
    begun = Counter(
        (line.schedule, line.slot, line.run, line.attempt) for line in history.executions if line.kind == "start"
    )
    ended = Counter(
        (line.schedule, line.slot, line.run, line.attempt) for line in history.executions if line.kind == "end"
    )
    for schedule, slot, run, _ in begun - ended:
        yield Violation("incomplete", schedule, slot, f"started and never ended ({run})")
    for schedule, slot, run, _ in ended - begun:
        yield Violation("incomplete", schedule, slot, f"ended and never started ({run})")
