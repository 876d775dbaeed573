"""Histories in which the promise was kept, by a seed: what the checker must let pass, and what mutants are made of."""

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Literal

from chaos.history import (
    Call,
    Catchup,
    Dispatch,
    Ending,
    Every,
    Execution,
    Fault,
    Health,
    History,
    Minutes,
    Row,
    Schedule,
    Skip,
    to_ms,
)
from chaos.oracle import slots

START = to_ms(datetime(2026, 3, 29, 0, 58, tzinfo=UTC))  # Berlin loses an hour in it
#: All beats are gone from one to the other.
DOWN = (START + 100_000, START + 110_000)
RULES: tuple[Every | Minutes, ...] = (
    Every(1000, START),
    Every(2000, START + 500),
    Every(1500, START + 100),
    Minutes("*/2 * * * *", "Asia/Seoul"),
    Minutes("0-3 3 * * *", "Europe/Berlin"),
)


@cache
def correct(seed: int, *, seconds: int = 300, copies: int = 2) -> History:
    """Slots, each a little late; a downtime; a schedule that is edited; ad-hoc jobs that go every way there is."""
    chance = random.Random(seed)
    end = START + seconds * 1000
    schedules: list[Schedule] = []
    skips: list[Skip] = []
    dispatches: list[Dispatch] = []
    for number, rule in enumerate(RULES * copies):
        catchup: Catchup = "one" if number // len(RULES) % 2 else "all"
        schedule = Schedule(f"s{number}", rule, catchup, START - 200, START - 100)
        schedules.append(schedule)
        pending = slots(rule, START - 100, end)
        covered = [slot for slot in pending if DOWN[0] <= slot <= DOWN[1]]
        if catchup == "one" and len(covered) > 1:
            skips.append(Skip(schedule.name, covered[0], covered[-2], "skipped_catchup", DOWN[1] + 5))
            pending = [slot for slot in pending if slot not in covered[:-1]]
        dispatches += [_dispatch(schedule.name, slot, chance) for slot in pending]
    edited, its_slots = _edited(chance, end)
    schedules += edited
    dispatches += [_dispatch("edited", slot, chance) for slot in its_slots]
    history = History(tuple(schedules), tuple(dispatches), tuple(dispatches), tuple(skips), end, (_DOWNTIME,))
    return _with_jobs(_with_runs(history, seconds), chance)


_DOWNTIME = Fault("kill", "beats", True, *DOWN, monotonic=100.0, recovery=1_000)


def _dispatch(schedule: str, slot: int, chance: random.Random) -> Dispatch:
    at = max(slot, DOWN[1]) if DOWN[0] <= slot <= DOWN[1] else slot
    return Dispatch(schedule, slot, f"{schedule}@{slot}", at + chance.random() * 40)


def _edited(chance: random.Random, until: int) -> tuple[list[Schedule], list[int]]:
    """A schedule that is changed, changed without an answer (which may have worked), paused and resumed; its slots."""
    rules: list[Every | None] = [
        Every(1000, START),
        Every(1500, START + 100),
        Every(3000, START + 200),
        None,
        Every(1000, START),
    ]
    asked = [START - 200, START + 60_000, START + 120_000, START + 200_000, START + 240_000]
    answered = [at + 90 for at in asked]
    revisions = [
        Schedule("edited", rule, "all", begin, None if place == 2 else end)
        for place, (rule, begin, end) in enumerate(zip(rules, asked, answered, strict=True))
    ]
    since = [at + chance.randrange(90) for at in asked]
    since[2] = asked[2] + chance.randrange(5_000)
    if chance.random() < 0.5:
        rules[2] = rules[1]  # it was lost on the way
    found = []
    for rule, begin, end in zip(rules, since, [*since[1:], until], strict=True):
        found += slots(rule, begin, end) if rule else []
    return revisions, found


def _with_runs(history: History, seconds: int) -> History:
    """Each dispatch is executed, at once and well; the product tells so and keeps a row."""
    lines = [line for each in history.dispatches for line in run(each.run, each.at + 5, each.schedule, each.slot)]
    return replace(
        history,
        executions=tuple(lines),
        endings=tuple(Ending(each.run, "succeeded", "", each.at + 30) for each in history.dispatches),
        rows=tuple(Row(each.run, each.schedule, each.slot, "succeeded") for each in history.dispatches),
        health=tuple(Health(START + second * 1000.0, ready=True) for second in range(seconds)),
    )


def run(run_id: str, at: float, schedule: str = "", slot: int | None = None, job: str = "") -> list[Execution]:
    """The evidence of one good execution."""
    start = Execution("start", run_id, schedule, slot, 1, at, at / 1000, 7, job)
    effect = replace(start, kind="effect", at=at + 10)
    return [start, effect, replace(start, kind="end", at=at + 20, outcome="succeeded")]


@dataclass(frozen=True)
class _Fate:
    """What becomes of an ad-hoc job: the call's answer, how each execution goes, and the terminal event."""

    answer: Literal["ok", "fail", "info"]
    attempts: tuple[Literal["succeeded", "failed", "retry", "killed"], ...]
    ending: str


_FATES = (
    _Fate("ok", ("succeeded",), "succeeded"),
    _Fate("ok", ("retry", "succeeded"), "succeeded"),
    _Fate("ok", ("failed",), "failed"),
    _Fate("ok", ("killed", "succeeded"), "succeeded"),
    _Fate("ok", ("killed", "killed", "killed"), "lost"),
    _Fate("ok", (), "expired"),
    _Fate("fail", (), ""),
    _Fate("info", ("succeeded",), "succeeded"),
    _Fate("info", (), ""),
)


def _with_jobs(history: History, chance: random.Random) -> History:
    calls: list[Call] = []
    lines: list[Execution] = []
    ends: list[Ending] = []
    for number in range(90):
        name, run_id, at = f"job-{number}", f"id-{number}", START + number * 3_000.0
        fate = _FATES[number % len(_FATES)]
        calls.append(Call("send", name, fate.answer, at, at + 4, run_id if fate.answer == "ok" else ""))
        for attempt, outcome in enumerate(fate.attempts):
            start, effect, end = run(run_id, at + 10 + attempt * (500 + chance.random()), job=name)
            if outcome == "succeeded":
                lines += [start, effect, end]
            else:
                lines += [start] if outcome == "killed" else [start, replace(end, outcome=outcome)]
        if fate.ending:
            reason = "" if fate.ending == "succeeded" else "as planned"
            ends.append(Ending(run_id, fate.ending, reason, at + 2_000))
    return replace(
        history,
        calls=tuple(calls),
        executions=(*history.executions, *lines),
        endings=(*(history.endings or ()), *ends),
        rows=(*(history.rows or ()), *(Row(end.run, None, None, end.outcome) for end in ends)),
    )
