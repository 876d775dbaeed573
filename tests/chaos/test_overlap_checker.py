"""The judge of overlapping runs sees what is wrong, and only that."""

from chaos.history import Ending, Execution
from chaos.overlap import Span, spans, two_at_once


def line(kind: str, run: str, at: float, pid: int = 1, attempt: int = 0, schedule: str = "s") -> Execution:
    return Execution(kind, run, schedule, None, attempt, at, at, pid)  # type: ignore[arg-type]


def test_one_after_the_other_is_no_overlap() -> None:
    found = list(spans([line("start", "a", 10), line("end", "a", 20), line("start", "b", 20, 2)], [], []))
    assert found[0] == Span("s", "a", 10, 20)
    assert not list(two_at_once(found))


def test_a_second_one_beside_the_first_is_told() -> None:
    executions = [line("start", "a", 10), line("start", "b", 15, 2), line("end", "a", 20)]
    (violation,) = two_at_once(spans(executions, [], []))
    assert (violation.check, violation.schedule) == ("overlap", "s")
    other = [line("start", "a", 10), line("start", "b", 15, 2, schedule="t"), line("end", "a", 20)]
    assert not list(two_at_once(spans(other, [], [])))


def test_a_killed_execution_ends_with_its_process_and_one_without_an_end_never_does() -> None:
    executions = [line("start", "a", 10), line("start", "a", 30, 2, 1)]
    assert not list(two_at_once(spans(executions, [(20, frozenset({1}))], [])))
    assert list(two_at_once(spans(executions, [(20, frozenset({7}))], [])))
    assert list(two_at_once(spans(executions, [(5, frozenset({1}))], [])))


def test_a_cancelled_execution_ends_with_its_run() -> None:
    executions = [line("start", "a", 10), line("start", "b", 30, 2)]
    assert not list(two_at_once(spans(executions, [], [Ending("a", "cancelled", "", 29)])))
    assert list(two_at_once(spans(executions, [], [Ending("a", "cancelled", "", 40)])))
