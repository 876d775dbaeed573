"""The plan of faults: the seed alone decides, and it is hard enough."""

from itertools import pairwise

import pytest

from chaos.nemeses import plan


def test_the_same_seed_gives_the_same_plan_and_another_another() -> None:
    assert plan(3, 400, 3) == plan(3, 400, 3)
    assert plan(3, 400, 3) != plan(4, 400, 3)


@pytest.mark.parametrize("seed", range(20))
def test_the_gate_has_a_hundred_faults_and_no_more_than_one_kill_in_five_seconds(seed: int) -> None:
    acts = plan(seed, 400, 3)
    kills = [act.at for act in acts if act.kind == "kill"]
    stops = [act for act in acts if act.kind == "stop"]
    assert len(acts) >= 103
    assert min(later - sooner for sooner, later in pairwise(kills)) >= 5.5  # aiming may cost half a second
    assert all(2.5 <= act.seconds <= 15 for act in stops)
    assert {act.victim for act in acts} == {0, 1, 2}
    assert any(act.leader for act in stops)
