"""The demo world and what the command line prints of it."""

import json
import uuid

import pytest

from simulators import tokens, world
from simulators.__main__ import main
from simulators.naver_land import LandWorld
from simulators.velog import VelogWorld

NOW = world.ANCHOR.timestamp() + 21 * 86_400


def test_the_world_is_the_same_every_time() -> None:
    assert world.posts() == world.posts()
    assert world.listings() == world.listings()
    assert len({post.id for post in world.posts()}) == len(world.posts())


def test_six_complexes_with_tens_of_listings() -> None:
    assert len(world.complexes()) == 6
    assert world.complexes()["109208"]["complexName"] == "시범반도유보라아이비파크4.0"
    numbers = [item["complexNo"] for item in world.listings().values()]
    assert all(10 <= numbers.count(number) <= 60 for number in world.complexes())


@pytest.mark.parametrize(
    ("manwon", "text"), [(115_000, "11억 5,000"), (100_500, "10억 500"), (30_000, "3억"), (9_800, "9,800")]
)
def test_prices_are_written_as_the_site_does(manwon: int, text: str) -> None:
    assert world.price_text(manwon) == text


def test_tokens_are_three_parts_and_expire() -> None:
    token = world.land_token(NOW)
    assert token.count(".") == 2
    assert tokens.read(token, NOW + 3 * 3600 - 1) is not None
    assert tokens.read(token, NOW + 3 * 3600) is None
    assert tokens.read(token[:-2] + "xx", NOW) is None
    assert tokens.read("nonsense", NOW) is None


def test_a_lively_world_moves_and_a_still_one_does_not() -> None:
    times = [NOW]

    def listed(lively: bool) -> list[dict[str, object]]:
        return LandWorld(lambda: times[0], lively=lively).of("109208")

    def views(lively: bool) -> int:
        velog = VelogWorld(lambda: times[0], lively=lively)
        return sum(velog.total(post) for post in velog.posts.values())

    still, lively, seen, grown = listed(False), listed(True), views(False), views(True)
    times[0] += 30 * 3600
    assert listed(False) == still
    assert listed(True) != lively
    assert views(False) == seen
    assert views(True) > grown


def test_the_command_line_prints_what_others_load(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["world", "velog-users"]) == 0
    users = json.loads(capsys.readouterr().out)
    assert {uuid.UUID(user["velog_uuid"]) for user in users} == {uuid.UUID(user.id) for user in world.users()}
    assert all(user["access_token"].count(".") == 2 and user["group_id"] for user in users)
    assert main(["world", "complexes"]) == 0
    assert {"complex_id": "109208", "complex_name": "시범반도유보라아이비파크4.0"} in json.loads(
        capsys.readouterr().out
    )
    assert main(["world", "land-token", "--hours", "1"]) == 0
    assert capsys.readouterr().out.strip().count(".") == 2


def test_help_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "naver_land" in capsys.readouterr().out
