"""How soon jobs ran: by hand-made evidence."""

from chaos.history import Call, Execution
from chaos.recovery import recoveries, waits


def line(kind: str, run: str, at: float, pid: int) -> Execution:
    return Execution(kind, run, "", None, 0, at, at / 1000, pid)


def test_what_was_in_hand_counts_from_the_kill_to_its_next_start() -> None:
    executions = [line("start", "a", 100, 1), line("start", "b", 100, 2), line("start", "a", 950, 2)]
    assert recoveries([(200.0, frozenset({1}))], executions) == [750]


def test_what_had_ended_there_does_not_count() -> None:
    executions = [line("start", "a", 100, 1), line("end", "a", 150, 1), line("start", "a", 950, 2)]
    assert recoveries([(200.0, frozenset({1}))], executions) == []


def test_what_never_ran_again_took_for_ever() -> None:
    assert recoveries([(200.0, frozenset({1}))], [line("start", "a", 100, 1)]) == [float("inf")]


def test_a_job_waits_from_its_acceptance_to_its_first_start() -> None:
    calls = [Call("send", "j", "ok", 0, 10, "a"), Call("send", "k", "fail", 0, 10, "b")]
    assert waits(calls, [line("start", "a", 300, 1), line("start", "a", 40, 2), line("start", "b", 40, 2)]) == [30]
