"""The checker itself: correct histories pass, and each way of breaking the promise is caught by the check meant for it."""

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

import pytest

from chaos.checker import ALLOWANCE, check, demanded
from chaos.history import Catchup, Dispatch, Every, Execution, History, Minutes, Schedule, Skip, to_ms
from chaos.oracle import is_slot, slots

START = to_ms(datetime(2026, 3, 29, 0, 58, tzinfo=UTC))  # Berlin loses an hour in it
SECONDS = 300
RULES: tuple[Every | Minutes, ...] = (
    Every(1000, START),
    Every(2000, START + 500),
    Every(1500, START + 100),
    Minutes("*/2 * * * *", "Asia/Seoul"),
    Minutes("0-3 3 * * *", "Europe/Berlin"),
)
Mutation = Callable[[History, random.Random], History]


def correct(seed: int) -> History:
    """Every slot once, each a little late; where the policy is to run one, what a downtime covered is skipped."""
    chance = random.Random(seed)
    end = START + SECONDS * 1000
    schedules, dispatches, skips = [], [], []
    for number, rule in enumerate(RULES * 2):
        catchup: Catchup = "all" if number < len(RULES) else "one"
        schedule = Schedule(f"s{number}", rule, catchup, START - 200, START - 100)
        schedules.append(schedule)
        down_from, down_to = START + 100_000, START + 110_000
        pending = slots(rule, schedule.acknowledged_at, end)
        if catchup == "one":
            covered = [slot for slot in pending if down_from <= slot <= down_to]
            if len(covered) > 1:
                skips.append(Skip(schedule.name, covered[0], covered[-2], "skipped_catchup", down_to + 5))
            pending = [slot for slot in pending if slot not in covered[:-1]]
        for slot in pending:
            at = max(slot, down_to) if down_from <= slot <= down_to else slot
            run = f"{schedule.name}@{slot}"
            dispatches.append(Dispatch(schedule.name, slot, run, at + chance.random() * 400))
    executions = [line for each in dispatches for line in (evidence("start", each), evidence("end", each))]
    came = tuple(dispatches)
    return History(tuple(schedules), came, came, tuple(skips), end, executions=tuple(executions))


def evidence(kind: Literal["start", "end"], of: Dispatch) -> Execution:
    return Execution(kind, of.run, of.schedule, of.slot, 1, of.at + 5, of.at / 1000, 7)


def change(history: History, dispatches: list[Dispatch]) -> History:
    """The same with other dispatches, of which the product tells the same story."""
    return replace(history, dispatches=tuple(dispatches), news=tuple(dispatches))


def one_of(history: History, chance: random.Random, *, catchup: str = "all") -> int:
    """The place of a dispatch that had to be there, of a schedule with this policy that runs each second or two."""
    names = {each.name for each in history.schedules if each.catchup == catchup and isinstance(each.rule, Every)}
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


def truncate_an_end(history: History, chance: random.Random) -> History:
    return replace(history, executions=history.executions[:-1])


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
    (truncate_an_end, "incomplete"),
]


@pytest.mark.parametrize("seed", range(5))
def test_a_correct_history_passes(seed: int) -> None:
    history = correct(seed)
    assert check(history) == []
    assert demanded(history) > 1000


@pytest.mark.parametrize(("mutation", "name"), MUTANTS, ids=[f"{each.__name__}-{name}" for each, name in MUTANTS])
@pytest.mark.parametrize("seed", range(3))
def test_a_broken_history_is_caught_by_the_check_meant_for_it(mutation: Mutation, name: str, seed: int) -> None:
    broken = mutation(correct(seed), random.Random(seed))
    assert name in {violation.check for violation in check(broken)}


def test_a_slot_near_the_end_is_not_demanded_yet() -> None:
    history = correct(1)
    left = [each for each in history.dispatches if (each.slot or 0) <= history.read_at - ALLOWANCE]
    assert check(replace(change(history, left), executions=())) == []


def test_a_slot_while_the_call_was_out_may_be_there_or_not() -> None:
    history = correct(1)
    early = replace(history.schedules[0], asked_at=START - 200, acknowledged_at=START + 1500)
    asked = replace(history, schedules=(early, *history.schedules[1:]), executions=())
    without = [each for each in history.dispatches if (each.schedule, each.slot) != ("s0", START + 1000)]
    assert check(asked) == []
    assert check(change(asked, without)) == []


def test_the_oracle_reads_cron_by_the_wall_clock() -> None:
    day = to_ms(datetime(2026, 7, 1, tzinfo=UTC))  # a Wednesday
    rule = Minutes("5,*/20 9-10 1-7 7 3", "Asia/Seoul")
    found = [
        datetime.fromtimestamp(slot / 1000, UTC).strftime("%H:%M") for slot in slots(rule, day - 1, day + 86_400_000)
    ]
    assert found == ["00:00", "00:05", "00:20", "00:40", "01:00", "01:05", "01:20", "01:40"]
    assert not slots(Minutes("5 9 1 7 4", "Asia/Seoul"), day, day + 86_400_000)


def test_the_anchor_itself_is_no_slot() -> None:
    assert not is_slot(Every(1000, START), START)
    assert slots(Every(1000, START), START - 5000, START + 2000) == [START + 1000, START + 2000]
