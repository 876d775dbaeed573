"""`schedules.json` through random histories of edits on both sides, two hosts, kills and races, beside a reference model.

`python -m histories` plays as many as one likes (`tests/histories`).
"""

from pathlib import Path

import pytest

from histories.story import Story
from support.engine import make_app

pytestmark = pytest.mark.timeout(120)


@pytest.mark.parametrize("first", range(0, 150, 25))
def test_the_engine_does_what_the_model_says(redis_url: str, tmp_path: Path, first: int) -> None:
    app = make_app(redis_url)
    for seed in range(first, first + 25):
        Story(app, tmp_path, seed).play(25)


def test_a_refused_copy_is_looked_at_again_when_another_broke_off_half_way(redis_url: str, tmp_path: Path) -> None:
    Story(make_app(redis_url), tmp_path, 107687).play(25)
