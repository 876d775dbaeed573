"""The judge: pure functions from a history to what is wrong with it. Knows the promise, and nothing of the engine.

| check      | says                                                                                              |
|------------|---------------------------------------------------------------------------------------------------|
| missed     | a slot that had to be dealt with was neither dispatched nor skipped with a reason that its policy allows |
| double     | a slot was dispatched twice, whatever the ids; or skipped as well; or one id stands for two slots   |
| spurious   | a dispatch or a skip of what no revision of the schedule that may have held names                   |
| early      | a dispatch before its slot                                                                          |
| late       | a dispatch longer after its slot than any fault lasts; the bars proper are `unpunctual`'s           |
| blind      | with the labels forgotten, arrivals and slots don't pair up one to one                              |
| news       | the product's own account of its dispatches differs from what came out                              |
| lost       | a job was accepted, and is neither done, nor failed with a reason, nor still there                  |
| unexpected | a job ran that nobody asked for, that was refused, or more often than it was asked for              |
| effects    | a keyed effect was applied twice                                                                    |
| incomplete | a task started and neither ended, nor was executed again, nor has an end that says why              |
| endings    | a run has no terminal event, or two, or one that the evidence contradicts                           |
| rows       | the run table differs from the evidence                                                             |
| silence    | a second in which something was overdue, nothing was dispatched, and nothing said "not ready"       |
"""

from chaos import account_checks, job_checks, slot_checks
from chaos.history import Dispatch, History
from chaos.slot_checks import ALLOWANCE as ALLOWANCE
from chaos.slot_checks import cases
from chaos.slot_checks import unpunctual as unpunctual
from chaos.violation import Violation as Violation

_OF_A_SCHEDULE = (
    slot_checks.outcomes,
    slot_checks.double,
    slot_checks.early,
    slot_checks.late,
    slot_checks.blind,
)
_OF_ALL = (
    slot_checks.of_nobody,
    slot_checks.ids,
    account_checks.news,
    account_checks.rows,
    job_checks.lost,
    job_checks.unexpected,
    job_checks.effects,
    job_checks.incomplete,
    job_checks.endings,
)


def check(history: History) -> list[Violation]:
    """All that is wrong; empty where the promise was kept."""
    known = list(cases(history))
    found = [violation for look in _OF_A_SCHEDULE for case in known for violation in look(case)]
    found.extend(violation for look in _OF_ALL for violation in look(history))
    found.extend(account_checks.silence(history, known))
    return found


def demanded(history: History) -> int:
    """How many slots had to have an outcome."""
    return sum(len(case.demanded) for case in cases(history))


def first_starts(history: History) -> tuple[Dispatch, ...]:
    """What tasks tell of dispatches: the first start of each run that a slot stands behind."""
    found: dict[str, Dispatch] = {}
    for line in sorted(history.executions, key=lambda each: each.at):
        if line.kind == "start" and line.slot is not None:
            found.setdefault(line.run, Dispatch(line.schedule, line.slot, line.run, line.at))
    return tuple(found.values())
