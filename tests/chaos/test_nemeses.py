"""The plan of faults: the seed alone decides, and it is hard enough. And the hand that carries it out."""

import os
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from chaos.drama import Drama
from chaos.dramas import ALONE, MIX, NIGHT
from chaos.faults import FAULTS, Act
from chaos.nemeses import Hand, plan
from chaos.players import Player


def test_the_same_seed_gives_the_same_plan_and_another_another() -> None:
    assert plan(3, 400, MIX) == plan(3, 400, MIX)
    assert plan(3, 400, MIX) != plan(4, 400, MIX)


def test_a_nemesis_does_the_same_alone_and_in_a_mix() -> None:
    assert plan(3, 400, MIX[:1]) == [act for act in plan(3, 400, MIX) if act.kind == MIX[0].kind]


@pytest.mark.parametrize("seed", range(20))
def test_the_gate_has_a_hundred_faults_and_no_more_than_one_kill_in_five_seconds(seed: int) -> None:
    acts = plan(seed, 400, MIX)
    kills = [act.at for act in acts if act.kind == "kill"]
    stops = [act for act in acts if act.kind == "stop"]
    assert len(acts) >= 103
    assert min(later - sooner for sooner, later in pairwise(kills)) >= 5.5  # aiming may cost half a second
    assert all(2.5 <= act.seconds <= 15 for act in stops)
    assert {act.victim for act in acts} == {"beat-0", "beat-1", "beat-2", "leader"}
    assert any(act.victim == "leader" for act in stops)


@pytest.mark.parametrize("drama", [*ALONE, NIGHT], ids=lambda drama: drama.name)
def test_each_plan_holds_what_its_bar_asks_for(drama: Drama) -> None:
    assert {nemesis.kind for nemesis in drama.nemeses} <= FAULTS.keys()
    for seed in range(20):
        assert len(plan(seed, drama.seconds, drama.nemeses)) >= drama.faults


def test_a_night_has_three_hundred_kills() -> None:
    for seed in range(20):
        acts = plan(seed, NIGHT.seconds, NIGHT.nemeses)
        assert sum(act.kind.startswith("kill") for act in acts) >= 300


class Processes:
    """A stage of two processes: one takes a second to end, the other none."""

    def __init__(self, folder: Path) -> None:
        scripts = {"slow-0": "trap 'sleep 1; exit' TERM; while :; do sleep 0.05; done", "other-0": "exec sleep 60"}
        self.players = {
            name: Player(name, ["sh", "-c", script], {"PATH": os.defpath}, folder, folder / "log")
            for name, script in scripts.items()
        }
        for player in self.players.values():
            player.start()

    def named(self, role: str) -> list[Player]:
        return [player for name, player in self.players.items() if name.startswith(role)]

    def leader(self) -> None:
        return None

    def fallen(self) -> list[str]:
        return [name for name, player in self.players.items() if not player.is_alive()]


def test_who_ends_slowly_keeps_nobody_else_from_being_healed(tmp_path: Path) -> None:
    stage: Any = Processes(tmp_path)
    slow, other = stage.players["slow-0"], stage.players["other-0"]
    try:
        threading.Event().wait(0.2)  # until the shell has its trap
        first, hand = slow.pid, Hand(stage)
        hand.run([Act(0.0, "end", "slow-0", 0.1, 0, 0, 0), Act(0.2, "stop", "other-0", 0.2, 0, 0, 0)], 1)
        assert [fault.kind for fault in hand.faults] == ["stop", "end"]
        assert slow.pid != first
        assert slow.is_alive()
        assert hand.fell == []
    finally:
        slow.kill()
        other.kill()
