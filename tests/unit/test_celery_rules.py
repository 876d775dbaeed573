"""RedBeat's rrule to our rules and back, judged by RedBeat's own encoder, decoder and schedule."""

import json
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery import Celery
from dateutil.rrule import FR, MO, WE
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from redbeat.decoder import RedBeatJSONDecoder, RedBeatJSONEncoder
from redbeat.schedules import rrule

from livebeat import Cron, Excluding, Interval, Once, RRule, Union
from livebeat.celery_rules import as_left, from_celery, from_redbeat, is_redbeat_exact, to_celery
from livebeat.errors import SpecError
from livebeat.rules import Recurrence
from support.rrules import rules

SEOUL, NEW_YORK = "Asia/Seoul", "America/New_York"
START = datetime(2026, 1, 31, 0, 30, tzinfo=UTC)  # 09:30 in Seoul
_app = Celery("rules", set_as_current=False)
_app.conf.timezone = SEOUL


def theirs(**parts: Any) -> Any:
    return rrule(**{"dtstart": START.astimezone(ZoneInfo(SEOUL)), "app": _app, **parts})


def written(rule: Any) -> dict[str, Any]:
    """RedBeat's JSON of a Celery schedule object."""
    data: dict[str, Any] = json.loads(json.dumps(rule, cls=RedBeatJSONEncoder))
    return data


def stock_next(rule: Recurrence, after: datetime) -> datetime | None:
    """The instant that a stock beat would run next, after a round through Redis."""
    text = json.dumps(to_celery(rule), cls=RedBeatJSONEncoder)
    found = json.loads(text, cls=RedBeatJSONDecoder).rrule.after(after)
    return found.astimezone(UTC) if found else None


@settings(max_examples=150, deadline=None)
@given(rules(), st.datetimes(datetime(2026, 1, 1), datetime(2026, 2, 1)), st.sampled_from((SEOUL, "UTC", "+05:30")))
def test_what_is_called_exact_runs_in_stock_at_the_same_instants(rule: str, start: datetime, timezone: str) -> None:
    try:
        ours = RRule(rule, start.replace(tzinfo=UTC), timezone)
    except SpecError:
        return
    after = ours.start.replace(tzinfo=UTC) - timedelta(days=1)
    slot = ours.next_after(after)
    is_near = slot is not None and slot < after + timedelta(days=3 if not ours.parts.has_times else 3000)
    assume(is_near and is_redbeat_exact(ours, SEOUL))
    assert stock_next(ours, after) == slot
    back = from_redbeat(written(to_celery(ours)))
    assert back.next_after(after) == slot


@pytest.mark.parametrize(
    ("rule", "exact"),
    [
        (RRule("FREQ=DAILY;BYHOUR=9", START, SEOUL), True),
        (RRule("FREQ=DAILY;BYHOUR=9", START, NEW_YORK), False),
        (RRule("FREQ=MINUTELY;INTERVAL=90", START, NEW_YORK), False),
        (RRule("FREQ=MONTHLY;BYDAY=2MO", START, SEOUL), True),
        (RRule("FREQ=MONTHLY;BYDAY=1MO,-1MO,1FR,-1FR", START, SEOUL), True),
        (RRule("FREQ=YEARLY;BYDAY=20MO", START, SEOUL), True),
        (RRule("FREQ=MONTHLY;BYDAY=2MO,3FR", START, SEOUL), False),
        (RRule("FREQ=MONTHLY;BYDAY=2MO;BYMONTHDAY=13", START, SEOUL), False),
        (RRule("FREQ=DAILY;COUNT=3;UNTIL=20270101T000000Z", START, SEOUL), False),
        (Once(START), True),
        (Once(START + timedelta(milliseconds=5)), False),
    ],
)
def test_is_redbeat_exact(rule: Recurrence, exact: bool) -> None:
    assert is_redbeat_exact(rule, SEOUL) is exact
    after = START - timedelta(days=1)
    slots = list(islice(rule.walk(after, START + timedelta(days=300)), 300))
    for slot in slots if exact else ():
        assert stock_next(rule, after) == slot
        after = slot


def test_the_nearest_form_of_one_instant_is_never_due_again_after_it() -> None:
    for at in (START, START + timedelta(milliseconds=900)):
        assert stock_next(Once(at), START - timedelta(days=9)) == START
        assert stock_next(Once(at), at) is None
        schedule = to_celery(Once(at))
        assert schedule.is_due(at) == (False, None)
        assert schedule.remaining_estimate(at) is None


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"freq": "DAILY", "byhour": 9, "byminute": [0, 30]}, "FREQ=DAILY;BYHOUR=9;BYMINUTE=0,30"),
        (
            {"freq": "weekly", "interval": 2, "byweekday": [MO, 2], "wkst": 6},
            "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=MO,WE",
        ),
        ({"freq": 1, "byweekday": FR, "bysetpos": -1, "count": 3}, "FREQ=MONTHLY;COUNT=3;BYSETPOS=-1;BYDAY=FR"),
        ({"freq": "YEARLY", "byeaster": 1, "byweekno": ()}, "FREQ=YEARLY;BYEASTER=1"),
        (
            {"freq": "DAILY", "until": datetime(2027, 1, 1, 9, tzinfo=ZoneInfo(SEOUL))},
            "FREQ=DAILY;UNTIL=20270101T000000Z",
        ),
    ],
)
def test_redbeats_rrule_is_read(parts: dict[str, Any], expected: str) -> None:
    rule = theirs(**parts)
    assert from_celery(rule) == RRule(expected, START, SEOUL)
    # Redis keeps the offset of dtstart instead of its zone, and that is what a stock beat goes by.
    assert from_redbeat(written(rule)) == RRule(expected, START, "+09:00")


def test_an_ordinal_weekday_is_kept_where_it_still_is_there() -> None:
    rule = theirs(freq="MONTHLY", byweekday=[MO(2), WE(-1)])
    assert from_celery(rule) == RRule("FREQ=MONTHLY;BYDAY=2MO,-1WE", START, SEOUL)
    assert from_redbeat(written(rule)) == RRule("FREQ=MONTHLY;BYDAY=MO,WE", START, "+09:00")  # RedBeat had lost it


def test_a_naive_dtstart_is_utc_as_for_redbeat() -> None:
    rule = theirs(freq="DAILY", dtstart=datetime(2026, 1, 31, 0, 30))
    assert from_redbeat(written(rule)).next_after(START - timedelta(hours=1)) == START
    assert rule.rrule.after(START - timedelta(hours=1)) == START


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"freq": 9},
        {"freq": "DAILY", "interval": "x"},
        {"freq": 3, "dtstart": "soon"},
        {"freq": 3, "dtstart": 1e30},
        {"freq": 3, "byweekday": [9]},
        {"freq": 3, "byweekday": {"n": 1}},
        {"freq": 3, "byhour": 25},
        {"freq": 3, "bymonth": 2, "bymonthday": 30},
    ],
)
def test_a_definition_that_makes_no_sense_is_refused_with_its_reason(data: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        from_redbeat({"__type__": "rrule", **data})


def test_an_unknown_kind_is_refused_in_both_languages() -> None:
    with pytest.raises(SpecError, match="solar") as caught:
        from_redbeat({"__type__": "solar"})
    assert caught.value.text("ko") != caught.value.text("en")


DAILY = Cron("30 9 * * *", SEOUL)


@pytest.mark.parametrize(
    ("rule", "nearest", "exact"),
    [
        (DAILY, Cron("30 9 * * *"), True),
        (Cron("0 30 9 * * *", SEOUL), Cron("30 9 * * *"), True),
        (Cron("15 30 9 * * *", SEOUL), Cron("30 9 * * *"), False),
        (Cron("*/10 30 9 * * *", SEOUL), Cron("30 9 * * *"), False),
        (Cron("*/10 * * * * *", SEOUL), Interval(seconds=10), False),
        (Cron("30 9 * * *", SEOUL, gap="skip"), Cron("30 9 * * *"), False),
        (Cron("30 9 * * *", SEOUL, repeat="both"), Cron("30 9 * * *"), False),
        (Union(DAILY, Interval(seconds=60)), Cron("30 9 * * *"), False),
        (Excluding(DAILY, ["2026-12-25"]), Cron("30 9 * * *"), False),
        (Excluding(Union(Interval(seconds=60), DAILY), rules=[Once(START)]), Interval(seconds=60), False),
    ],
)
def test_what_redbeat_cannot_say_has_its_nearest_form_and_is_kept_beside_it(
    rule: Recurrence, nearest: Recurrence, exact: bool
) -> None:
    assert is_redbeat_exact(rule, SEOUL) is exact
    definition = written(to_celery(rule))
    assert from_redbeat(definition) == nearest
    # Ours comes back from beside it, trusted or not, until RedBeat's own code says something else.
    ours = {"recurrence": rule.to_json()}
    for trusted in (True, False):
        assert as_left(ours, trusted, definition, None, SEOUL) == rule
    other = written(to_celery(Cron("0 1 * * *")))
    assert as_left(ours, False, other, None, SEOUL) == Cron("0 1 * * *", SEOUL)
