"""How soon jobs ran: after they were accepted, and after the worker that had them in hand was killed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from chaos.history import Call, Execution

Kill = tuple[float, frozenset[int]]


def recoveries(kills: Iterable[Kill], executions: Sequence[Execution]) -> list[float]:
    """For each run that a killed process had begun and not ended: ms from the kill to its next start; infinite where
    there was none.
    """
    starts: dict[str, list[float]] = defaultdict(list)
    ended, lines = set(), defaultdict(list)
    for line in sorted(executions, key=lambda each: each.at):
        if line.kind == "start":
            starts[line.run].append(line.at)
            lines[line.pid].append(line)
        elif line.kind == "end":
            ended.add((line.run, line.pid))
    found = []
    for at, pids in kills:
        in_hand = {line.run for pid in pids for line in lines[pid] if line.at <= at and (line.run, pid) not in ended}
        for run in in_hand:
            later = [start for start in starts[run] if start > at]
            found.append(later[0] - at if later else float("inf"))
    return found


def waits(calls: Iterable[Call], executions: Iterable[Execution]) -> list[float]:
    """For each accepted job that started: ms from the answer to its first start. Long ones where workers are short."""
    first: dict[str, float] = {}
    for line in executions:
        if line.kind == "start":
            first[line.run] = min(line.at, first.get(line.run, line.at))
    return [max(first[call.run] - call.ended_at, 0.0) for call in calls if call.outcome == "ok" and call.run in first]
