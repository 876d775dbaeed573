"""Hypothesis' RFC 5545 rules, of every frequency and with every part."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from livebeat.rules.rrule_text import WEEKDAYS


def numbers(low: int, high: int, *, signed: bool = False) -> st.SearchStrategy[str]:
    one = st.integers(low, high)
    if signed:
        one = st.one_of(one, one.map(lambda n: -n))
    return st.lists(one, min_size=1, max_size=3, unique=True).map(lambda found: ",".join(map(str, found)))


@st.composite
def rules(draw: Callable[..., Any]) -> str:
    """Rules that RFC 5545 allows, so that dateutil's own odd cases (`BYDAY=MO,2TU`) stay out."""
    freq = draw(st.sampled_from(("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY")))
    parts = {"INTERVAL": st.integers(1, 40 if freq == "SECONDLY" else 5).map(str), "WKST": st.sampled_from(WEEKDAYS)}
    parts |= {
        "BYMONTH": numbers(1, 12),
        "BYHOUR": numbers(0, 23),
        "BYMINUTE": numbers(0, 59),
        "BYSECOND": numbers(0, 59),
    }
    days = numbers(0, 6).map(lambda found: ",".join(WEEKDAYS[int(n)] for n in found.split(",")))
    if freq in {"YEARLY", "MONTHLY"}:
        nth = st.tuples(st.sampled_from((-2, -1, 1, 2, 5)), days).map(
            lambda pair: ",".join(f"{pair[0]}{day}" for day in pair[1].split(","))
        )
        days = st.one_of(days, nth)
    parts["BYDAY"] = days
    if freq != "WEEKLY":
        parts["BYMONTHDAY"] = numbers(1, 31, signed=True)
    if freq == "YEARLY":
        parts |= {"BYWEEKNO": numbers(1, 53, signed=True), "BYYEARDAY": numbers(1, 366, signed=True)}
        parts["BYEASTER"] = numbers(-10, 60)
    chosen = draw(st.lists(st.sampled_from(sorted(parts)), max_size=4, unique=True))
    texts = [f"FREQ={freq}", *(f"{name}={draw(parts[name])}" for name in chosen)]
    if any(name.startswith("BY") for name in chosen) and draw(st.booleans()):
        texts.append(f"BYSETPOS={draw(numbers(1, 3, signed=True))}")
    return ";".join(texts)
