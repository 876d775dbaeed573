"""A sample of `python -m oracle`: the rules against an oracle that decides every minute from zoneinfo alone."""

from datetime import UTC, datetime

import pytest

from oracle.__main__ import at_changes, at_random
from oracle.catalogue import catalogue, in_zone
from oracle.comparing import differences
from oracle.expected import due
from oracle.wallclock import Line, changes, instant_of, minute_of

_YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe"])
def test_no_difference_at_the_clock_changes_of_a_year(zone: str) -> None:
    found = at_changes({zone: changes(zone, *_YEAR)}, _YEAR[0], len(catalogue()), seed=1)
    assert [difference for differing in found for difference in differing] == []


def test_no_difference_for_random_rules() -> None:
    assert [difference for differing in at_random(100, seed=2) for difference in differing] == []


def test_the_oracle_sees_what_it_is_there_to_see() -> None:
    """Days of 23 and 25 hours in New York: 02:30 is missing once, 01:30 is there twice."""
    for day, expression, repeat, slots in [
        ((2026, 3, 8), "30 2 * * *", None, [datetime(2026, 3, 8, 7, tzinfo=UTC)]),
        ((2026, 11, 1), "30 1 * * *", None, [datetime(2026, 11, 1, 5, 30, tzinfo=UTC)]),
        ((2026, 11, 1), "30 1 * * *", "second", [datetime(2026, 11, 1, 6, 30, tzinfo=UTC)]),
    ]:
        begin = minute_of(datetime(*day, 4, tzinfo=UTC))
        rule = in_zone({"kind": "cron", "expression": expression, "repeat": repeat}, "America/New_York")
        asked = [instant_of(begin)]
        line_of = {"America/New_York": Line("America/New_York", begin, 1440)}.__getitem__
        assert list(differences(rule, line_of, begin, 1440, asked)) == []
        assert sorted(due(rule, line_of)) == slots
