"""The same for runs: each wrong execution, ending or row is caught by the check meant for it."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.checker import check
from chaos.correct import START, correct, run
from chaos.history import Execution, History, Row
from chaos.job_checks import jobs

Mutation = Callable[[History, random.Random], History]

# Ad-hoc jobs: each ninth has the same fate; 0 is done, 3 is killed and done again, 4 is lost, 6 refused, 7 unanswered.


def job(fate: int, chance: random.Random) -> tuple[str, str]:
    number = fate + 9 * chance.randrange(10)
    return f"job-{number}", f"id-{number}"


def without(history: History, run_id: str, *kinds: str) -> History:
    """The same without a run's lines of evidence of these kinds."""
    left = [line for line in history.executions if line.run != run_id or line.kind not in kinds]
    return replace(history, executions=tuple(left))


def untold(history: History, run_id: str) -> History:
    ends = tuple(each for each in history.endings or () if each.run != run_id)
    return replace(history, endings=ends, rows=tuple(row for row in history.rows or () if row.run != run_id))


def with_lines(history: History, *lines: Execution) -> History:
    return replace(history, executions=(*history.executions, *lines))


def lose_a_job(history: History, chance: random.Random) -> History:
    _, run_id = job(0, chance)
    return untold(without(history, run_id, "start", "effect", "end"), run_id)


def lose_its_evidence(history: History, chance: random.Random) -> History:
    """It is said to have succeeded, and no task says so."""
    return without(history, job(0, chance)[1], "start", "effect", "end")


def lost_without_a_reason(history: History, chance: random.Random) -> History:
    _, run_id = job(4, chance)
    ends = [replace(each, reason="") if each.run == run_id else each for each in history.endings or ()]
    return replace(history, endings=tuple(ends))


def double_an_effect(history: History, chance: random.Random) -> History:
    effects = [line for line in history.executions if line.kind == "effect"]
    return with_lines(history, replace(chance.choice(effects), pid=8))


def runs_for_ever(history: History, chance: random.Random) -> History:
    _, run_id = job(0, chance)
    return untold(without(history, run_id, "effect", "end"), run_id)


def never_executed_again(history: History, chance: random.Random) -> History:
    """Its worker was killed, and that was that."""
    _, run_id = job(3, chance)
    latest = max(line.at for line in history.executions if line.run == run_id and line.kind == "start")
    left = [line for line in history.executions if line.run != run_id or line.at < latest]
    return untold(replace(history, executions=tuple(left)), run_id)


def end_without_a_start(history: History, chance: random.Random) -> History:
    return without(history, job(0, chance)[1], "start")


def job_of_nobody(history: History, chance: random.Random) -> History:
    return with_lines(history, *run("odd", START + 50_000, job="nobody's"))


def refused_job_runs(history: History, chance: random.Random) -> History:
    name, run_id = job(6, chance)
    return with_lines(history, *run(run_id, START + 50_000, job=name))


def unanswered_job_runs_twice(history: History, chance: random.Random) -> History:
    return with_lines(history, *run("again", START + 290_000, job=job(7, chance)[0]))


def runs_under_another_id(history: History, chance: random.Random) -> History:
    _, run_id = job(0, chance)
    return replace(
        history,
        executions=tuple(replace(line, run="other") if line.run == run_id else line for line in history.executions),
    )


def two_ends(history: History, chance: random.Random) -> History:
    ends = history.endings or ()
    return replace(history, endings=(*ends, replace(chance.choice(ends), outcome="failed", reason="as well")))


def no_end(history: History, chance: random.Random) -> History:
    ends = list(history.endings or ())
    ends.remove(chance.choice(ends))
    return replace(history, endings=tuple(ends))


def with_rows(history: History, rows: list[Row]) -> History:
    return replace(history, rows=tuple(rows))


def drop_a_row(history: History, chance: random.Random) -> History:
    rows = list(history.rows or ())
    rows.remove(chance.choice(rows))
    return with_rows(history, rows)


def a_row_too_many(history: History, chance: random.Random) -> History:
    return with_rows(history, [*(history.rows or ()), Row("invented", None, None, "succeeded")])


def two_rows_for_a_slot(history: History, chance: random.Random) -> History:
    rows = [row for row in history.rows or () if row.slot is not None]
    return with_rows(history, [*(history.rows or ()), replace(chance.choice(rows), run="twin")])


def change_a_row(history: History, chance: random.Random, **fields: object) -> History:
    rows = list(history.rows or ())
    place = chance.choice([i for i, row in enumerate(rows) if row.slot is not None])
    rows[place] = replace(rows[place], **fields)  # type: ignore[arg-type]
    return with_rows(history, rows)


def a_row_runs_for_ever(history: History, chance: random.Random) -> History:
    return change_a_row(history, chance, state="running")


def a_row_failed_that_succeeded(history: History, chance: random.Random) -> History:
    return change_a_row(history, chance, state="failed")


def a_row_of_another_slot(history: History, chance: random.Random) -> History:
    return change_a_row(history, chance, slot=START + 123)


MUTANTS: list[tuple[Mutation, str]] = [
    (lose_a_job, "lost"),
    (lost_without_a_reason, "lost"),
    (double_an_effect, "effects"),
    (runs_for_ever, "incomplete"),
    (never_executed_again, "incomplete"),
    (lost_without_a_reason, "incomplete"),
    (end_without_a_start, "incomplete"),
    (job_of_nobody, "unexpected"),
    (refused_job_runs, "unexpected"),
    (unanswered_job_runs_twice, "unexpected"),
    (runs_under_another_id, "unexpected"),
    (two_ends, "endings"),
    (no_end, "endings"),
    (lose_its_evidence, "endings"),
    (drop_a_row, "rows"),
    (a_row_too_many, "rows"),
    (two_rows_for_a_slot, "rows"),
    (a_row_runs_for_ever, "rows"),
    (a_row_failed_that_succeeded, "rows"),
    (a_row_of_another_slot, "rows"),
]


@pytest.mark.parametrize(("mutation", "name"), MUTANTS, ids=[f"{each.__name__}-{name}" for each, name in MUTANTS])
@pytest.mark.parametrize("seed", range(3))
def test_a_broken_history_is_caught_by_the_check_meant_for_it(mutation: Mutation, name: str, seed: int) -> None:
    broken = mutation(correct(seed), random.Random(seed))
    assert name in {violation.check for violation in check(broken)}


def test_what_became_of_the_jobs_is_counted() -> None:
    counts = jobs(correct(0))
    assert (counts.accepted, counts.done, counts.failed, counts.visible, counts.lost) == (60, 30, 30, 0, 0)
    assert counts.recovered == 10


def test_a_job_that_is_still_there_is_not_lost() -> None:
    history = lose_a_job(correct(0), random.Random(0))
    (lost,) = (violation for violation in check(history) if violation.check == "lost")
    waiting = replace(history, visible=frozenset({lost.schedule.replace("job", "id")}))
    assert "lost" not in {violation.check for violation in check(waiting)}
    assert jobs(waiting).visible == 1
