"""The judge of refresh requests: a correct story passes, and each way of spoiling it is caught by the check meant for it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.history import Ending, Execution
from chaos.request_checks import Asked, Queued, Story, check


def line(kind: str, run: str, user: int, at: float, pid: int, outcome: str = "") -> Execution:
    return Execution(kind, run, "", None, 0, at, at / 1000, pid, str(user), outcome)  # type: ignore[arg-type]


STORY = Story(
    asked=(
        Asked(1, "rest", "ok", 0, "a"),
        Asked(1, "rest", "fail", 1),
        Asked(1, "list", "ok", 2),
        Asked(2, "list", "ok", 3),
        Asked(2, "list", "ok", 9_000),
        Asked(3, "list", "info", 4),
        Asked(4, "rest", "info", 5),
    ),
    queued=(Queued("a", 1, "send"), Queued("b", 2, "bridge"), Queued("c", 2, "bridge"), Queued("d", 4, "send")),
    coalesced=(1,),
    nonsense=1,
    endings=(
        Ending("a", "succeeded", "", 2_000),
        Ending("b", "failed", "tokens", 8_000),
        Ending("c", "succeeded", "", 9_500),
        Ending("d", "cancelled", "", 9),
    ),
    executions=(
        line("start", "a", 1, 100, 7),
        line("start", "a", 1, 1_000, 8),
        line("end", "a", 1, 2_000, 8, "succeeded"),
        line("start", "b", 2, 7_000, 8),
        line("end", "b", 2, 8_000, 8, "failed"),
        line("start", "c", 2, 9_100, 8),
        line("end", "c", 2, 9_500, 8, "succeeded"),
    ),
    killed=((500, frozenset({7})),),
    left={"main": 0, "ledger": 0},
    failed=({"requestId": "b", "userId": 2, "error": "tokens"}, {"raw_message": "{", "error": "no JSON"}),
    rows={"a": "SUCCESS", "b": "FAILED", "c": "SUCCESS", "d": "FAILED"},
    read_at=20_000,
)

MUTANTS: dict[str, tuple[str, Callable[[Story], Story]]] = {
    "a request without a run": ("lost", lambda s: replace(s, endings=s.endings[1:])),
    "a message without a run": ("lost", lambda s: replace(s, queued=(s.queued[0], s.queued[1], s.queued[3]))),
    "a second message forgotten": ("lost", lambda s: replace(s, coalesced=())),
    "nonsense forgotten": ("lost", lambda s: replace(s, failed=s.failed[:1])),
    "a run that nobody asked for": ("unexpected", lambda s: replace(s, queued=(*s.queued, Queued("e", 9, "bridge")))),
    "a message taken twice": ("unexpected", lambda s: replace(s, coalesced=(1, 2))),
    "two runs of one request": ("unexpected", lambda s: replace(s, queued=(*s.queued, Queued("e", 4, "send")))),
    "a body without a run": (
        "unexpected",
        lambda s: replace(s, executions=(*s.executions, line("start", "x", 1, 1, 3), line("end", "x", 1, 2, 3))),
    ),
    "two at once": (
        "at once",
        lambda s: replace(
            s, executions=(*s.executions, line("start", "c", 2, 7_500, 9), line("end", "c", 2, 9_050, 9))
        ),
    ),
    "two at once, one never killed": ("at once", lambda s: replace(s, killed=())),
    "no end": ("endings", lambda s: replace(s, endings=s.endings[:3])),
    "two ends": ("endings", lambda s: replace(s, endings=(*s.endings, s.endings[1]))),
    "no reason": (
        "endings",
        lambda s: replace(s, endings=(s.endings[0], Ending("b", "failed", "", 1), *s.endings[2:])),
    ),
    "a success that never was": ("endings", lambda s: replace(s, executions=s.executions[:5])),
    "a failure that no list shows": ("endings", lambda s: replace(s, failed=s.failed[1:])),
    "a failure twice on the list": ("endings", lambda s: replace(s, failed=(*s.failed, s.failed[0]))),
    "a list without a reason": ("endings", lambda s: replace(s, failed=(*s.failed, {"userId": 1}))),
    "a row too few": ("endings", lambda s: replace(s, rows={"a": "SUCCESS"})),
    "a row that is wrong": ("endings", lambda s: replace(s, rows={**s.rows, "a": "PROCESSING"})),
    "something left": ("left", lambda s: replace(s, left={"main": 1})),
}


def test_a_correct_story_passes() -> None:
    assert check(STORY) == []


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_caught(name: str) -> None:
    wanted, spoil = MUTANTS[name]
    assert wanted in {violation.check for violation in check(spoil(STORY))}
