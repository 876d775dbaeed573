"""What an append-only file may hold at any point, and what it may not."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.checker import Violation
from chaos.conservation import Entry, Snapshot, conservation, conservation_by_count
from chaos.history import Dispatch, Every, Schedule, Skip

START = 1_790_000_000_000
SCHEDULES = tuple(Schedule(name, Every(1000, START), "one", START - 20, START - 10) for name in ("a", "b"))


def message(name: str, seconds: int) -> Dispatch:
    return Dispatch(name, START + seconds * 1000, f"{name}{seconds}", START + seconds * 1000 + 3)


def consistent() -> Snapshot:
    """`a` ran its first three slots; `b` ran its first, passed over two and ran the fourth."""
    messages = (message("a", 1), message("a", 2), message("a", 3), message("b", 1), message("b", 4))
    return Snapshot(
        entries={
            "a": Entry(3, START + 3000, START + 4000, START + 4000),
            "b": Entry(2, START + 4000, START + 5000, START + 5000),
        },
        messages=messages,
        news=messages,
        skips=(Skip("b", START + 2000, START + 3000, "skipped_catchup", START + 4003),),
        ledger=frozenset(each.run for each in messages),
    )


def entry(name: str, **fields: int | None) -> Callable[[Snapshot], Snapshot]:
    def change(whole: Snapshot) -> Snapshot:
        return replace(whole, entries={**whole.entries, name: replace(whole.entries[name], **fields)})  # type: ignore[arg-type]

    return change


def without_last_message(whole: Snapshot) -> Snapshot:
    return replace(whole, messages=whole.messages[:-1], news=whole.news[:-1])


MUTANTS: dict[str, Callable[[Snapshot], Snapshot]] = {
    "marked as run, no message": entry("a", count=4, last=START + 4000, next=START + 5000, score=START + 5000),
    "message, not marked as run": entry("a", next=START + 3000, score=START + 3000),
    "counted twice": entry("a", count=4),
    "last run elsewhere": entry("a", last=START + 2000),
    "score without its slot": entry("a", score=START + 5000),
    "next is no slot": entry("a", next=START + 4100, score=START + 4100),
    "nothing next": entry("a", next=None, score=-1),
    "a message is gone": without_last_message,
    "a skip is gone": lambda whole: replace(whole, skips=()),
    "skipped and sent": lambda whole: replace(whole, skips=(*whole.skips, replace(whole.skips[0], last=START + 4000))),
    "a message without news": lambda whole: replace(whole, news=whole.news[1:]),
    "a message without ledger": lambda whole: replace(whole, ledger=frozenset()),
    "messages of a schedule that is gone": lambda whole: replace(whole, entries={"a": whole.entries["a"]}),
}


def test_what_adds_up_passes() -> None:
    assert conservation(consistent(), SCHEDULES) == []
    assert conservation(replace(consistent(), ledger=None), SCHEDULES) == []


def test_nothing_at_all_adds_up() -> None:
    assert conservation(Snapshot({}, (), (), (), frozenset()), SCHEDULES) == []


@pytest.mark.parametrize("mutation", MUTANTS.values(), ids=MUTANTS.keys())
def test_what_does_not_add_up_is_caught(mutation: Callable[[Snapshot], Snapshot]) -> None:
    assert conservation(mutation(consistent()), SCHEDULES)


def test_by_count_a_message_too_few_or_too_many_is_caught() -> None:
    whole = consistent()
    assert conservation_by_count(whole) == []
    assert conservation_by_count(without_last_message(whole)) == [
        Violation("conservation", "b", None, "2 runs counted, 1 messages")
    ]
    assert conservation_by_count(entry("a", count=2)(whole))
