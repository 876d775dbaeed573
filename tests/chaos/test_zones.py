"""What the driver says of slots around a change of clocks, said once more by hand; and the engine's own rules agree."""

import zoneinfo
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chaos.history import Seconds, to_ms
from chaos.oracle import slots
from chaos.zones import CAST, GAP, REPEAT, make_zones
from livebeat import Cron

#: 03:00:00 by the clocks of both zones, which are set by 20 s then.
AT = datetime(2026, 11, 22, 18, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _zones(tmp_path: Path) -> Iterator[None]:
    make_zones(tmp_path, int(AT.timestamp()))
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=[str(tmp_path), *before])
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(to=before)


def around(rule: Seconds) -> list[int]:
    """Seconds from the change of the slots within half a minute of it."""
    found = slots(rule, to_ms(AT) - 30_001, to_ms(AT) + 30_000)
    return [(slot - to_ms(AT)) // 1000 for slot in found]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Seconds("*/10 0-59 0-23 * * *", GAP), [-30, -20, -10, 0, 10, 20, 30]),
        (Seconds("15 0-59 0-23 * * *", GAP), [0]),
        (Seconds("15 0-59 0-23 * * *", GAP, "skip"), []),
        (Seconds("15 * * * * *", GAP), []),
        (Seconds("5,15 0-59 0-23 * * *", GAP), [0]),
        (Seconds("45 * * * * *", REPEAT), [-15, 5]),
        (Seconds("45 0-59 0-23 * * *", REPEAT, repeat="first"), [-15]),
        (Seconds("45 0-59 0-23 * * *", REPEAT, repeat="second"), [5]),
        (Seconds("5 0-59 0-23 * * *", REPEAT, repeat="first"), [25]),
        (Seconds("35 0-59 0-23 * * *", REPEAT, repeat="second"), [-25]),
    ],
)
def test_slots_around_a_change_of_clocks(rule: Seconds, expected: list[int]) -> None:
    assert around(rule) == expected


@pytest.mark.parametrize(
    "expression", ["*/10 0-59 0-23 * * *", "15 0-59 0-23 * * *", "45 * * * * *", "*/7 1-59 3 * * *"]
)
@pytest.mark.parametrize("rule", CAST)
def test_the_engine_says_the_same(rule: Seconds, expression: str) -> None:
    rule = replace(rule, expression=expression)
    cron = Cron(expression, timezone=rule.zone, gap=rule.gap, repeat=rule.repeat)
    since, until = AT - timedelta(minutes=3), AT + timedelta(minutes=3)
    assert [to_ms(slot) for slot in cron.between(since, until)] == slots(rule, to_ms(since), to_ms(until))
