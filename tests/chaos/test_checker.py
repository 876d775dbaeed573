"""The edges of what the checker demands, and the parts that it is made of."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chaos.checker import ALLOWANCE, check, demanded, unpunctual
from chaos.correct import START, correct
from chaos.history import Dispatch, Every, Fault, Health, History, Minutes, to_ms
from chaos.oracle import is_slot, slots
from chaos.pairing import arrivals_without_window, windows_without_arrival
from livebeat import clock


def only(history: History, dispatches: list[Dispatch]) -> History:
    """Nothing but these dispatches: no evidence of runs, no rows."""
    bare = replace(history, executions=(), calls=(), endings=None, rows=None, health=None)
    return replace(bare, dispatches=tuple(dispatches), news=tuple(dispatches))


def silent(history: History) -> History:
    """For three seconds nothing comes out."""
    since, until = START + 150_000, START + 154_000
    held = [replace(each, at=max(each.at, until) if each.at >= since else each.at) for each in history.dispatches]
    return only(history, held)


def test_a_slot_near_the_end_is_not_demanded_yet() -> None:
    history = correct(1)
    left = [each for each in history.dispatches if (each.slot or 0) <= history.read_at - ALLOWANCE]
    assert check(only(history, left)) == []


def test_a_slot_while_the_call_was_out_may_be_there_or_not() -> None:
    history = correct(1)
    early = replace(history.schedules[0], asked_at=START - 200, acknowledged_at=START + 1500)
    asked = replace(history, schedules=(early, *history.schedules[1:]))
    without = [each for each in history.dispatches if (each.schedule, each.slot) != ("s0", START + 1000)]
    assert check(asked) == []
    assert check(only(asked, without)) == []


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


def test_a_silent_second_is_excused_by_a_fault_or_by_not_being_ready() -> None:
    history = silent(correct(1))
    assert {violation.check for violation in check(history)} == {"silence"}
    stopped = Fault("stop", "redis", False, START + 150_000, START + 152_000, 150.0, recovery=2_000)
    assert check(replace(history, faults=(*history.faults, stopped))) == []
    sick = tuple(Health(START + second * 1000 + 9.0, False, "Redis is away") for second in range(150, 155))
    assert check(replace(history, health=sick)) == []


def test_lateness_is_excused_until_a_fault_is_recovered_from() -> None:
    history = silent(correct(1))
    stopped = Fault("stop", "redis", False, START + 150_000, START + 152_000, 150.0, recovery=2_500)
    assert unpunctual(replace(history, faults=(*history.faults, stopped))) == []
    short = replace(stopped, recovery=1_500)
    again = replace(short, began_at=START + 153_000, ended_at=START + 153_000)
    assert unpunctual(replace(history, faults=(*history.faults, short)))
    assert unpunctual(replace(history, faults=(*history.faults, short, again))) == []


@pytest.mark.parametrize("seed", range(200))
def test_pairing_finds_what_a_search_for_the_largest_matching_finds(seed: int) -> None:
    chance = random.Random(seed)
    windows = [(start, start + chance.choice((2, 5, 11))) for start in chance.choices(range(20), k=8)]
    arrivals = [float(at) for at in chance.choices(range(30), k=chance.randrange(12))]
    largest = largest_matching(arrivals, windows)
    assert len(arrivals) - len(arrivals_without_window(arrivals, windows)) == largest
    assert len(windows) - len(windows_without_arrival(arrivals, windows)) == largest


def largest_matching(arrivals: list[float], windows: list[tuple[int, int]]) -> int:
    """By augmenting paths, as in any book."""
    holder: dict[int, int] = {}

    def seat(arrival: int, tried: set[int]) -> bool:
        for place, (opens, closes) in enumerate(windows):
            if opens <= arrivals[arrival] <= closes and place not in tried:
                tried.add(place)
                if place not in holder or seat(holder[place], tried):
                    holder[place] = arrival
                    return True
        return False

    return sum(seat(arrival, set()) for arrival in range(len(arrivals)))


def test_thirty_thousand_slots_are_judged_in_seconds() -> None:
    history = correct(0, seconds=1800, copies=8)
    assert demanded(history) > 30_000
    began = clock.monotonic()
    assert check(history) == []
    assert clock.monotonic() - began < 20
