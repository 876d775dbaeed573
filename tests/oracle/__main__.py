"""`PYTHONPATH=tests:backend python -m oracle`: every rule of the catalogue at every clock change, and rules at random."""

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import chain
from random import Random
from time import monotonic
from typing import TextIO

from oracle.catalogue import Invented, Json, catalogue, in_zone
from oracle.comparing import differences
from oracle.wallclock import MINUTES_A_DAY, Line, changes, histories, instant_of, minute_of, names

Found = tuple[Json, str]

_MOST_SHOWN = 20
_RANDOM_YEARS = (2000, 2037)
_PROGRESS_SECONDS = 30


def main() -> int:
    """0 where nothing differs."""
    options = _options()
    began = said = monotonic()
    since = datetime(options.since, 1, 1, tzinfo=UTC)
    zones = histories(since, since.replace(year=options.since + options.years))
    if options.zones != "all":
        zones = dict(Random(options.seed).sample(sorted(zones.items()), int(options.zones)))
    shown: list[Found] = []
    checked = 0
    for found in chain(at_changes(zones, since, options.rules, options.seed), at_random(options.random, options.seed)):
        checked += 1
        shown += found
        if len(shown) >= _MOST_SHOWN:
            break
        if monotonic() - said > _PROGRESS_SECONDS:
            said = monotonic()
            _say(sys.stderr, f"{checked:,} compared in {(said - began) / 60:.1f} min, {len(shown)} differences")
    for rule, difference in shown:
        _say(sys.stdout, f"{difference}\n    {rule}")
    took = (monotonic() - began) / 60
    _say(sys.stdout, f"{len(shown)} differences in {checked:,} comparisons, {len(zones)} histories, {took:.1f} min")
    return int(bool(shown))


def _say(stream: TextIO, text: str) -> None:
    stream.write(f"{text}\n")
    stream.flush()


def at_changes(
    zones: dict[str, tuple[tuple[int, int, int], ...]], since: datetime, rules: int, seed: int
) -> Iterator[list[Found]]:
    """Each rule on the day before and the day after each change; in a zone without one, on two days somewhere."""
    chosen = catalogue()
    random = Random(seed)
    chosen += [Invented(random).rule(since.replace(tzinfo=None)) for _ in range(rules - len(chosen))]
    for zone, changed in zones.items():
        here = [in_zone(rule, zone) for rule in chosen[:rules]]
        for minute in [change[0] for change in changed] or [minute_of(since) + random.randrange(3_000_000)]:
            line_of = _lines(minute - MINUTES_A_DAY, 2 * MINUTES_A_DAY)
            asked = [instant_of(minute) + timedelta(minutes=n, seconds=-1) for n in (-1440, -90, -30, 0, 30, 61)]
            for rule in here:
                yield [
                    (rule, found)
                    for found in differences(rule, line_of, minute - MINUTES_A_DAY, 2 * MINUTES_A_DAY, asked)
                ]


def at_random(count: int, seed: int) -> Iterator[list[Found]]:
    """Rules made up at random, on a day that holds an instant of that day's readings; every other at a clock change."""
    random, zones = Random(seed), names()
    invented = Invented(random)
    first, last = (minute_of(datetime(year, 1, 1, tzinfo=UTC)) for year in _RANDOM_YEARS)
    for number in range(count):
        zone = random.choice(zones)
        minute = random.randrange(first, last)
        changed = _changes(zone) if number % 2 else ()
        if changed:
            minute = random.choice(changed)[0] + random.randint(-600, 600)
        begin = minute - random.randrange(MINUTES_A_DAY)
        line_of = _lines(begin, MINUTES_A_DAY)
        near = datetime(1970, 1, 1) + timedelta(minutes=line_of(zone).wall(minute), seconds=random.randrange(60))
        rule = in_zone(invented.rule(near), zone)
        asked = [instant_of(minute) + timedelta(seconds=random.uniform(-5000, 5000)) for _ in range(3)]
        asked = [max(at, instant_of(begin)) for at in asked]
        yield [(rule, found) for found in differences(rule, line_of, begin, MINUTES_A_DAY, asked)]


@lru_cache(maxsize=1024)
def _changes(zone: str) -> tuple[tuple[int, int, int], ...]:
    return changes(zone, *(datetime(year, 1, 1, tzinfo=UTC) for year in _RANDOM_YEARS))


def _lines(begin: int, length: int) -> Callable[[str], Line]:
    """The line of each zone over those minutes, made once."""
    return lru_cache(maxsize=None)(lambda zone: Line(zone, begin, length))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m oracle",
        description="Compare livebeat.rules with an oracle that decides every minute from zoneinfo alone.",
    )
    parser.add_argument(
        "--zones", default="all", help="all, one for each history of clocks (default), or how many of them"
    )
    parser.add_argument("--since", type=int, default=2020, metavar="YEAR", help="of the clock changes (2020)")
    parser.add_argument("--years", type=int, default=10, help="of the clock changes (10)")
    parser.add_argument(
        "--rules", type=int, default=len(catalogue()), help="of the catalogue; beyond it, random ones (all)"
    )
    parser.add_argument("--random", type=int, default=100_000, help="random rules at random instants (100000)")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random (1)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
