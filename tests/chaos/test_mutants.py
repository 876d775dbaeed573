"""The checker is checked first: correct histories pass, and each wrong dispatch is caught by the check meant for it."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos.checker import ALLOWANCE, check, demanded, unpunctual
from chaos.correct import DOWN, START, correct
from chaos.history import Dispatch, Every, History, Skip
from chaos.oracle import slots

Mutation = Callable[[History, random.Random], History]


def change(history: History, dispatches: list[Dispatch]) -> History:
    """The same with other dispatches, of which the product tells the same story."""
    return replace(history, dispatches=tuple(dispatches), news=tuple(dispatches))


def one_of(history: History, chance: random.Random, *, catchup: str = "all") -> int:
    """The place of a dispatch that had to be there, of a schedule with this policy that runs each second or two."""
    never_edited = [each for each in history.schedules if each.name != "edited"]
    names = {each.name for each in never_edited if each.catchup == catchup and isinstance(each.rule, Every)}
    until = history.read_at - ALLOWANCE
    places = [i for i, each in enumerate(history.dispatches) if each.schedule in names and (each.slot or 0) < until]
    return chance.choice(places)


def drop(history: History, chance: random.Random) -> History:
    place = one_of(history, chance)
    return change(history, [*history.dispatches[:place], *history.dispatches[place + 1 :]])


def drop_of_policy_one(history: History, chance: random.Random) -> History:
    place = one_of(history, chance, catchup="one")
    return change(history, [*history.dispatches[:place], *history.dispatches[place + 1 :]])


def add(history: History, chance: random.Random) -> History:
    """One between the slots."""
    original = history.dispatches[one_of(history, chance)]
    odd = replace(original, slot=(original.slot or 0) + 300, run="odd", at=original.at + 300)
    return change(history, [*history.dispatches, odd])


def of_nobody(history: History, chance: random.Random) -> History:
    return change(history, [*history.dispatches, replace(history.dispatches[0], schedule="nobody", run="nobody")])


def unlabelled(history: History, chance: random.Random) -> History:
    return edit(history, one_of(history, chance), slot=None)


def edit(history: History, place: int, **fields: object) -> History:
    changed = replace(history.dispatches[place], **fields)  # type: ignore[arg-type]
    return change(history, [*history.dispatches[:place], changed, *history.dispatches[place + 1 :]])


def shift_early(history: History, chance: random.Random) -> History:
    place = one_of(history, chance)
    return edit(history, place, at=(history.dispatches[place].slot or 0) - 40)


def stamp_early(history: History, chance: random.Random) -> History:
    """It came out in time, but the server had it before."""
    place = one_of(history, chance)
    news = list(history.news)
    news[place] = replace(news[place], at=(news[place].slot or 0) - 2)
    return replace(history, news=tuple(news))


def shift_late(history: History, chance: random.Random) -> History:
    place = one_of(history, chance)
    return edit(history, place, at=history.dispatches[place].at + 70_000)


def relabel(history: History, chance: random.Random) -> History:
    """A run claims the slot before its own."""
    place = one_of(history, chance)
    every = {each.name: each.rule.every for each in history.schedules if isinstance(each.rule, Every)}
    dispatch = history.dispatches[place]
    return edit(history, place, slot=(dispatch.slot or 0) - every[dispatch.schedule])


def swap_labels(history: History, chance: random.Random) -> History:
    """Two schedules of different rules answer to each other's names."""
    other = {"s0": "s1", "s1": "s0"}
    swapped = [replace(each, schedule=other.get(each.schedule, each.schedule)) for each in history.dispatches]
    return change(history, swapped)


def wrong_labels_in_order(history: History, chance: random.Random) -> History:
    """Every label is a slot of its own, but the messages came a slot too soon: only blind pairing sees it."""
    moved = [
        replace(each, at=(each.slot or 0) - 900, slot=each.slot) if each.schedule == "s0" else each
        for each in history.dispatches
    ]
    return replace(history, dispatches=tuple(moved), news=history.news)


def duplicate_same_id(history: History, chance: random.Random) -> History:
    return change(history, [*history.dispatches, history.dispatches[one_of(history, chance)]])


def duplicate_new_id(history: History, chance: random.Random) -> History:
    twin = replace(history.dispatches[one_of(history, chance)], run="another")
    return change(history, [*history.dispatches, twin])


def one_id_for_two(history: History, chance: random.Random) -> History:
    place = one_of(history, chance)
    return edit(history, place, run=history.dispatches[place - 1].run)


def truncate(history: History, chance: random.Random) -> History:
    """The scheduler fell silent for the last minute."""
    return change(history, [each for each in history.dispatches if each.at < history.read_at - 60_000])


def skip_instead(history: History, chance: random.Random) -> History:
    """A slot is recorded as skipped although its policy is to run all."""
    gone = history.dispatches[one_of(history, chance)]
    left = [each for each in history.dispatches if each is not gone]
    skip = Skip(gone.schedule, gone.slot or 0, gone.slot or 0, "skipped_catchup", gone.at + 5_000)
    return replace(change(history, left), skips=(*history.skips, skip))


def skip_without_need(history: History, chance: random.Random) -> History:
    """Skipped at its very instant: no later slot was due."""
    gone = history.dispatches[one_of(history, chance, catchup="one")]
    left = [each for each in history.dispatches if each is not gone]
    skip = Skip(gone.schedule, gone.slot or 0, gone.slot or 0, "skipped_catchup", float(gone.slot or 0))
    return replace(change(history, left), skips=(*history.skips, skip))


def skip_too(history: History, chance: random.Random) -> History:
    ran = history.dispatches[one_of(history, chance, catchup="one")]
    skip = Skip(ran.schedule, ran.slot or 0, ran.slot or 0, "skipped_catchup", ran.at + 5_000)
    return replace(history, skips=(*history.skips, skip))


def skip_of_no_slot(history: History, chance: random.Random) -> History:
    first = history.skips[0]
    return replace(history, skips=(replace(first, last=first.last + 10), *history.skips[1:]))


def drop_news(history: History, chance: random.Random) -> History:
    place = one_of(history, chance)
    return replace(history, news=(*history.news[:place], *history.news[place + 1 :]))


def invent_news(history: History, chance: random.Random) -> History:
    return replace(history, news=(*history.news, replace(history.news[0], run="invented")))


def shift_by_a_second_and_a_half(history: History, chance: random.Random) -> History:
    places = [i for i, each in enumerate(history.dispatches) if (each.slot or 0) > DOWN[1] + 5_000]
    place = chance.choice(places)
    return edit(history, place, at=(history.dispatches[place].slot or 0) + 1_500)


def everything_sluggish(history: History, chance: random.Random) -> History:
    """Three of a hundred are 80 ms late: nothing that stands out, and too many."""
    slow = [replace(each, at=each.at + 80) if chance.random() < 0.03 else each for each in history.dispatches]
    return change(history, slow)


def silent_seconds(history: History, chance: random.Random) -> History:
    """For three seconds nothing comes out, then all of it at once."""
    since = chance.randrange(START + 130_000, START + 230_000, 1_000)
    until = since + 4_000
    held = [replace(each, at=max(each.at, until) if each.at >= since else each.at) for each in history.dispatches]
    return change(history, held)


# The schedule that is edited: every 1 s; from 60 s every 1.5 s; from 120 s, perhaps, every 3 s; paused from 200 to 240 s.


def redo(history: History, since: int, until: int, slots_then: list[int]) -> History:
    """The edited schedule has these slots from one second to another, instead of what it had."""
    first, last = START + since * 1000, START + until * 1000
    kept = [each for each in history.dispatches if each.schedule != "edited" or not first < (each.slot or 0) <= last]
    return change(history, [*kept, *(Dispatch("edited", slot, f"redo@{slot}", slot + 9.0) for slot in slots_then)])


def named(rule: Every, since: int, until: int) -> list[int]:
    return slots(rule, START + since * 1000, START + until * 1000)


OLD, NEW = Every(1500, START + 100), Every(3000, START + 200)


def old_revision_goes_on(history: History, chance: random.Random) -> History:
    return redo(history, 60, 90, named(Every(1000, START), 60, 90))


def both_revisions_at_once(history: History, chance: random.Random) -> History:
    return redo(history, 150, 180, named(OLD, 150, 180) + named(NEW, 150, 180))


def to_the_new_revision_and_back(history: History, chance: random.Random) -> History:
    turns = [*named(OLD, 121, 140), *named(NEW, 140, 160), *named(OLD, 160, 199)]
    return redo(history, 121, 199, turns)


def neither_revision(history: History, chance: random.Random) -> History:
    return redo(history, 150, 180, [])


def runs_while_paused(history: History, chance: random.Random) -> History:
    return redo(history, 210, 230, named(Every(1000, START), 215, 216))


def stays_paused(history: History, chance: random.Random) -> History:
    return redo(history, 241, 280, [])


MUTANTS: list[tuple[Mutation, str]] = [
    (drop, "missed"),
    (drop_of_policy_one, "missed"),
    (truncate, "missed"),
    (truncate, "blind"),
    (skip_instead, "missed"),
    (skip_without_need, "missed"),
    (add, "spurious"),
    (add, "blind"),
    (of_nobody, "spurious"),
    (unlabelled, "spurious"),
    (swap_labels, "spurious"),
    (skip_of_no_slot, "spurious"),
    (relabel, "double"),
    (relabel, "missed"),
    (duplicate_same_id, "double"),
    (duplicate_new_id, "double"),
    (duplicate_new_id, "blind"),
    (one_id_for_two, "double"),
    (skip_too, "double"),
    (shift_early, "early"),
    (stamp_early, "early"),
    (wrong_labels_in_order, "blind"),
    (shift_late, "late"),
    (drop_news, "news"),
    (invent_news, "news"),
    (silent_seconds, "silence"),
    (old_revision_goes_on, "spurious"),
    (old_revision_goes_on, "missed"),
    (both_revisions_at_once, "spurious"),
    (to_the_new_revision_and_back, "spurious"),
    (to_the_new_revision_and_back, "missed"),
    (neither_revision, "missed"),
    (runs_while_paused, "spurious"),
    (stays_paused, "missed"),
]
TARDY: list[Mutation] = [shift_by_a_second_and_a_half, silent_seconds, everything_sluggish]


@pytest.mark.parametrize("seed", range(5))
def test_a_correct_history_passes(seed: int) -> None:
    history = correct(seed)
    assert check(history) == []
    assert unpunctual(history) == []
    assert demanded(history) > 1000


@pytest.mark.parametrize(("mutation", "name"), MUTANTS, ids=[f"{each.__name__}-{name}" for each, name in MUTANTS])
@pytest.mark.parametrize("seed", range(3))
def test_a_broken_history_is_caught_by_the_check_meant_for_it(mutation: Mutation, name: str, seed: int) -> None:
    broken = mutation(correct(seed), random.Random(seed))
    assert name in {violation.check for violation in check(broken)}


@pytest.mark.parametrize("mutation", TARDY)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_too_late_is_caught_where_lateness_is_judged(mutation: Mutation, seed: int) -> None:
    late = unpunctual(mutation(correct(seed), random.Random(seed)))
    assert {violation.check for violation in late} == {"late"}
