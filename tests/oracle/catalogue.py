"""The rules that are tried at every clock change, and ones made up at random; all as JSON."""

from datetime import UTC, datetime, timedelta
from itertools import product
from random import Random
from typing import Any

Json = dict[str, Any]

_START = "2019-12-30T00:17:00+00:00"
_ANCHOR = "2019-12-31T23:59:30+00:00"
_FIXED = (
    "0 0 * * *", "30 0 * * *", "0 1 * * *", "30 1 * * *", "59 1 * * *", "0 2 * * *", "15 2 * * *", "30 2 * * *",
    "0 3 * * *", "30 3 * * *", "0,20,40 0,1,2,3 * * *", "30 23 * * *", "59 23,0 * * *", "0 2 * * sun", "45 2 1-7,25-31 * 0",
    "30 2 8-14 3 0", "0 9 * * mon-fri", "10-12 22-3 * * *",
)  # fmt: skip
_WILD = (
    "* * * * *", "*/10 * * * *", "15 * * * *", "*/30 2 * * *", "*/7 */2 * * *", "0 */3 * * *", "* 23 * * *",
    "5-55/25 * * * 0,6", "*/20 0-3 * 1-6 *",
)  # fmt: skip
_SECONDS = ("15 30 1 * * *", "0,30 30 2 * * *", "* 59 1,2 * * *", "59 59 23 * * *", "*/20 * * * * *", "7 */15 * * * *")
_DAILY = (
    "FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0", "FREQ=DAILY;INTERVAL=2;BYHOUR=1;BYMINUTE=30;BYSECOND=0",
    "FREQ=DAILY;BYHOUR=0,1,2,3;BYMINUTE=0,30;BYSECOND=0", "FREQ=WEEKLY;BYDAY=SU,MO;BYHOUR=2;BYMINUTE=15;BYSECOND=10",
    "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=SA,SU;BYHOUR=2", "FREQ=MONTHLY;BYDAY=-1SU;BYHOUR=1,2;BYMINUTE=30",
    "FREQ=MONTHLY;BYDAY=1SU,2SU;BYHOUR=2,3;BYMINUTE=0", "FREQ=MONTHLY;BYMONTHDAY=-1,1,15", "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3,10",
    "FREQ=MONTHLY;BYDAY=SU;BYSETPOS=1,-1;BYHOUR=1,2;BYMINUTE=30", "FREQ=YEARLY;BYYEARDAY=1,-1,100;BYHOUR=0",
)  # fmt: skip
_HOURLY = (
    "FREQ=HOURLY;BYMINUTE=0,30;BYSECOND=0", "FREQ=HOURLY;INTERVAL=5", "FREQ=MINUTELY;INTERVAL=7",
    "FREQ=MINUTELY;BYHOUR=1,2;BYSECOND=0", "FREQ=MINUTELY;INTERVAL=90;BYDAY=SU", "FREQ=SECONDLY;INTERVAL=211",
)  # fmt: skip
_REPEATS = (None, "first", "second", "both")


def _policies(rule: Json, gap: str = "next_valid", repeat: str | None = None) -> Json:
    chosen = {**rule, "gap": gap} if gap != "next_valid" else rule
    return {**chosen, "repeat": repeat} if repeat else chosen


def cron(expression: str) -> Json:
    return {"kind": "cron", "expression": expression}


def rrule(text: str, dtstart: str = _START) -> Json:
    return {"kind": "rrule", "rule": text, "dtstart": dtstart}


def catalogue() -> list[Json]:
    """Every kind and every policy, in every combination that means something."""
    rules = [_policies(cron(text), *both) for text, *both in product(_FIXED, ("next_valid", "skip"), _REPEATS)]
    rules += [_policies(cron(text), repeat=repeat) for text, repeat in product(_WILD, _REPEATS[:3])]
    rules += [_policies(cron(text), gap) for text, gap in product(_SECONDS, ("next_valid", "skip"))]
    rules += [_policies(cron(text), repeat="second") for text in _SECONDS]
    rules += [
        _policies(rrule(text), *both) for text, *both in product(_DAILY, ("next_valid", "skip"), (None, "second"))
    ]
    rules += [_policies(rrule(text), repeat=repeat) for text, repeat in product(_HOURLY, (None, "first"))]
    return rules + _composed()


def _composed() -> list[Json]:
    nightly, quarters, weekly = cron("30 2 * * *"), cron("*/15 * * * *"), cron("0 2 * * 0")
    every = {"kind": "interval", "every": 1000.5, "anchor": _ANCHOR}
    unions = [[nightly, quarters], [nightly, cron("0 3 * * *")], [every, rrule(_DAILY[0])], [quarters, every, weekly]]
    zones = [{**nightly, "timezone": "Europe/Berlin"}, {**nightly, "timezone": "America/New_York"}]
    out: list[Json] = [
        {"rule": quarters, "dates": ["2024-03-31", "2020-10-25/2020-11-01", "2026-03-08/2026-03-29"]},
        {"rule": quarters, "rules": [nightly, cron("0-30 * * * *")]},
        {"rule": every, "rules": [{**every, "every": 2001.0}], "dates": ["2021-01-01/2022-12-31"]},
        {"rule": nightly, "holidays": {"country": "KR", "add": ["2025-03-30"]}},
        {"rule": quarters, "holidays": {"country": "DE", "subdivision": "BY", "remove": ["2026-01-01"]}},
        {"rule": {"kind": "union", "rules": [nightly, rrule(_HOURLY[2])]}, "rules": [cron("* * * * 0")]},
        {"rule": cron("0,30 1,2 * * *"), "rules": [cron("30 1 * * *")]},
    ]
    return [
        every,
        *({"kind": "union", "rules": rules} for rules in [*unions, zones]),
        *({"kind": "excluding", **rule} for rule in out),
    ]


def in_zone(rule: Json, zone: str) -> Json:
    """The rule with the zone in each part that has one and says none."""
    found = dict(rule)
    if rule["kind"] in {"cron", "rrule", "excluding"}:
        found.setdefault("timezone", zone)
    if "rule" in rule and isinstance(rule["rule"], dict):
        found["rule"] = in_zone(rule["rule"], zone)
    if "rules" in rule:
        found["rules"] = [in_zone(part, zone) for part in rule["rules"]]
    return found


class Invented:
    """Rules made up at random, so that some of their instants lie near a given reading."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def rule(self, near: datetime, depth: int = 0) -> Json:
        """A rule of any kind. `near` is a naive reading of the clocks of its zone-to-be."""
        makers = [self._cron, self._cron, self._cron, self._rrule, self._rrule, self._interval]
        makers += [self._union, self._excluding] * (depth < 2)
        return self._random.choice(makers)(near, depth)

    def _cron(self, near: datetime, _: int) -> Json:
        chosen = self._random.random()
        second = [self._field(near.second, 0, 59, 0.05)] if chosen < 0.25 else []
        minute, hour = self._field(near.minute, 0, 59, 0.2), self._field(near.hour, 0, 23, 0.4)
        if second and "*" in second[0] and minute == "*":
            minute = str(near.minute)
        day, month = self._field(near.day, 1, 31, 0.7), self._field(near.month, 1, 12, 0.8)
        weekday = self._field((near.weekday() + 1) % 7, 0, 6, 0.7)
        rule = cron(" ".join([*second, minute, hour, day, month, weekday]))
        return self._with_policies(rule)

    def _with_policies(self, rule: Json) -> Json:
        return _policies(rule, self._random.choice(("next_valid", "skip")), self._random.choice(_REPEATS))

    def _field(self, near: int, low: int, high: int, any_of: float) -> str:
        pick = self._random
        if pick.random() < any_of:
            return "*"
        first, last = sorted((near, pick.randint(low, high)))
        return pick.choice((
            str(near), f"{near},{pick.randint(low, high)}", f"{first}-{last}", f"*/{pick.randint(1, max(2, high // 2))}",
            f"{first}-{last}/{pick.randint(1, 9)}",
        ))  # fmt: skip

    def _rrule(self, near: datetime, _: int) -> Json:
        pick = self._random
        freq = pick.choice(("DAILY", "WEEKLY", "MONTHLY", "YEARLY", "HOURLY", "MINUTELY"))
        parts = [f"FREQ={freq}", f"INTERVAL={pick.choice((1, 1, 1, 2, 3, 7))}", f"BYSECOND={pick.choice((0, 30))}"]
        day = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")[near.weekday()]
        nth = (near.day - 1) // 7 + 1
        options = [
            f"BYMONTH={near.month},{pick.randint(1, 12)}",
            f"BYDAY={day}",
            f"BYHOUR={near.hour},{pick.randint(0, 23)}",
        ]
        if freq in {"MONTHLY", "YEARLY"}:
            options += [f"BYDAY={nth}{day},-1{day}"] if freq == "MONTHLY" else []
            options += [f"BYMONTHDAY={near.day},-{pick.randint(1, 28)}"]
        chosen = {option.partition("=")[0]: option for option in pick.sample(options, pick.randint(0, 3))}
        parts += chosen.values()
        if freq != "MINUTELY" or pick.random() < 0.3:
            parts.append(f"BYMINUTE={near.minute},{pick.randint(0, 59)}")
        if freq in {"DAILY", "WEEKLY", "MONTHLY"} and pick.random() < 0.2:
            parts.append(f"BYSETPOS={pick.choice((1, 2, -1))}")
        if pick.random() < 0.1:
            parts.append(
                f"UNTIL={near + timedelta(minutes=pick.randint(-300, 900)):%Y%m%dT%H%M00}{pick.choice(('', 'Z'))}"
            )
        start = near - timedelta(days=pick.randint(1, 900), minutes=pick.randint(0, 1440))
        return self._with_policies(rrule(";".join(parts), start.replace(second=0, tzinfo=UTC).isoformat()))

    def _interval(self, near: datetime, _: int) -> Json:
        anchor = near - timedelta(days=self._random.randint(0, 300), seconds=self._random.randint(0, 86_400))
        every = self._random.choice((60, 90, 3600, 86_400, self._random.randint(60, 100_000) / 4))
        return {"kind": "interval", "every": every, "anchor": anchor.replace(tzinfo=UTC).isoformat()}

    def _union(self, near: datetime, depth: int) -> Json:
        return {"kind": "union", "rules": [self.rule(near, depth + 1) for _ in range(self._random.randint(1, 3))]}

    def _excluding(self, near: datetime, depth: int) -> Json:
        rule: Json = {"kind": "excluding", "rule": self.rule(near, depth + 1)}
        if self._random.random() < 0.4:
            last = near.date() + timedelta(days=self._random.randint(0, 3))
            rule["dates"] = [f"{near.date() - timedelta(days=400)}", f"{near.date()}/{last}"]
        if self._random.random() < 0.6:
            rule["rules"] = [self.rule(near, depth + 1)]
        if self._random.random() < 0.3:
            rule["holidays"] = {"country": self._random.choice(("KR", "US", "DE", "JP"))}
        return rule
