"""The checks of runs: what was accepted must come out, once in its effect; what started must end.

After Jepsen's `total-queue`: accepted = done + failed with a reason + still visible; the difference is lost.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from chaos.history import Ending, History
from chaos.violation import Violation

#: Endings that excuse a run without a good end, where they give a reason.
_WITHOUT_SUCCESS = frozenset({"failed", "lost", "cancelled", "expired"})


@dataclass(frozen=True)
class Jobs:
    """Counts of a drained queue. `recovered`: calls without an answer whose job came out all the same."""

    accepted: int
    done: int
    failed: int
    visible: int
    lost: int
    recovered: int
    executions: int


def jobs(history: History) -> Jobs:
    """What became of all that was accepted by a call."""
    accepted = _accepted(history)
    done, failed = _done(history) & accepted, _excused(history) & accepted
    started = {line.job for line in history.executions if line.job}
    unanswered = {call.subject for call in history.calls if call.operation == "send" and call.outcome == "info"}
    return Jobs(
        accepted=len(accepted),
        done=len(done),
        failed=len(failed - done),
        visible=len((history.visible & accepted) - done - failed),
        lost=len(accepted - done - failed - history.visible),
        recovered=len(started & unanswered),
        executions=sum(line.kind == "start" for line in history.executions),
    )


def lost(history: History) -> Iterator[Violation]:
    """Accepted, and neither done nor failed with a reason nor still there."""
    subjects = {call.run: call.subject for call in history.calls if call.run}
    for run in sorted(_accepted(history) - _done(history) - _excused(history) - history.visible):
        yield Violation("lost", subjects[run], None, f"accepted, and nothing is known of it ({run})")


def unexpected(history: History) -> Iterator[Violation]:
    """Jobs that nobody asked for, that were refused, or that became more runs than calls."""
    asked = Counter(call.subject for call in history.calls if call.operation == "send" and call.outcome != "fail")
    runs = defaultdict(set)
    for line in history.executions:
        if line.job:
            runs[line.job].add(line.run)
    answered = {call.subject: call.run for call in history.calls if call.operation == "send" and call.outcome == "ok"}
    for job, ids in runs.items():
        if len(ids) > asked[job]:
            yield Violation("unexpected", job, None, f"{asked[job]} calls that may have sent it, {len(ids)} runs")
        elif job in answered and answered[job] not in ids and asked[job] == 1:
            yield Violation("unexpected", job, None, f"ran as {min(ids)}, and was accepted as {answered[job]}")


def effects(history: History) -> Iterator[Violation]:
    """A keyed effect that was applied more than once."""
    applied = Counter((line.run, line.job or line.schedule) for line in history.executions if line.kind == "effect")
    for (run, name), count in applied.items():
        if count > 1:
            yield Violation("effects", name, None, f"its effect was applied {count} times ({run})")


def incomplete(history: History) -> Iterator[Violation]:
    """A start without an end that was neither executed again nor told to have ended without success; and the reverse."""
    open_since: dict[tuple[str, int], list[float]] = defaultdict(list)
    latest: dict[str, float] = {}
    names = {line.run: line.job or line.schedule for line in history.executions}
    for line in sorted(history.executions, key=lambda each: each.at):
        begun = open_since[line.run, line.pid]
        if line.kind == "start":
            begun.append(line.at)
            latest[line.run] = line.at
        elif line.kind == "end" and not begun:
            yield Violation("incomplete", names[line.run], line.slot, f"ended and never started ({line.run})")
        elif line.kind == "end":
            begun.pop()
    excused = _excused(history)
    for (run, _), begun in open_since.items():
        for since in begun:
            if latest[run] <= since and run not in excused:
                yield Violation("incomplete", names[run], None, f"started and never ended ({run})")


def endings(history: History) -> Iterator[Violation]:
    """Each accepted run has one terminal event, and it says what the task's own evidence says."""
    if history.endings is None:
        return
    told: dict[str, list[Ending]] = defaultdict(list)
    for ending in history.endings:
        told[ending.run].append(ending)
    names = {line.run: line.job or line.schedule for line in history.executions}
    names |= {call.run: call.subject for call in history.calls if call.run}
    for run in sorted(_accepted(history) | {line.run for line in history.executions}):
        if len(told[run]) != 1 and not (run in history.visible and not told[run]):
            outcomes = ", ".join(ending.outcome for ending in told[run]) or "none"
            yield Violation("endings", names[run], None, f"terminal events: {outcomes} ({run})")
    done = _done(history)
    for run, ends in told.items():
        if any(ending.outcome == "succeeded" for ending in ends) and history.executions and run not in done:
            yield Violation("endings", names.get(run, ""), None, f"said to have succeeded, and never did ({run})")


def _accepted(history: History) -> set[str]:
    return {call.run for call in history.calls if call.outcome == "ok" and call.run}


def _done(history: History) -> set[str]:
    return {line.run for line in history.executions if line.kind == "end" and line.outcome in {"", "succeeded"}}


def _excused(history: History) -> set[str]:
    told = history.endings or ()
    return {ending.run for ending in told if ending.outcome in _WITHOUT_SUCCESS and ending.reason}
