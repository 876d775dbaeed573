"""The replay itself: both are really played, and what the page says of them is what was sent."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from replay.cases import CASES, Case
from replay.page import minutes, otherwise, put
from replay.picture import picture
from replay.players import play_ours, play_stock

FORWARD, BACK, QUIET = CASES[:3]
FEW = {"09:00 daily": "0 9 * * *", "15 * * * *": "15 * * * *", "02:30 daily": "30 2 * * *", "every hour": 3600}


def local(case: Case, *at: int) -> datetime:
    return datetime(*at, tzinfo=ZoneInfo(case.zone)).astimezone(UTC)  # type: ignore[misc,arg-type]


def test_both_send_the_same_where_no_clock_is_set(redis_url: str) -> None:
    stock, ours = play_stock(QUIET, redis_url, FEW), play_ours(QUIET, FEW)
    assert {name: minutes(sent) for name, sent in stock.items()} == {name: minutes(sent) for name, sent in ours.items()}
    assert [len(sent) for sent in ours.values()] == [2, 48, 2, 47]


def test_where_clocks_are_set_back_ours_keeps_the_time_and_stock_does_not(redis_url: str) -> None:
    stock, ours = play_stock(BACK, redis_url, FEW), play_ours(BACK, FEW)
    assert ours["15 * * * *"] == [BACK.start + timedelta(minutes=15 + 60 * hour) for hour in range(49)]
    assert ours["09:00 daily"] == [local(BACK, 2026, 11, day, 9) for day in (1, 2)]
    assert ours["every hour"] == [BACK.start + timedelta(hours=hour) for hour in range(1, 49)]
    assert timedelta(minutes=50) < stock["09:00 daily"][0] - ours["09:00 daily"][0] < timedelta(minutes=61)


def test_what_is_otherwise_is_told_in_local_readings() -> None:
    nine = local(BACK, 2026, 11, 1, 9)
    assert otherwise(BACK, [nine], [nine]) == "–"
    late = otherwise(BACK, [nine + timedelta(minutes=55)], [nine])
    assert late == "09:00 (-05:00) comes at 09:55 (-05:00), 55 min late"
    row = [nine + timedelta(minutes=minute) for minute in range(0, 60, 10)]
    assert otherwise(BACK, [], row) == "misses 6: 09:00 (-05:00) to 09:50 (-05:00)"
    assert otherwise(BACK, [*row, nine - timedelta(days=1)], row) == "adds 1: 10-31 10:00 (-04:00)"


def test_a_day_that_does_not_exist_is_played_from_noon_to_noon() -> None:
    apia = next(case for case in CASES if case.day == date(2011, 12, 30))
    assert apia.end - apia.start == timedelta(hours=24)
    assert play_ours(apia, {"daily": "0 9 * * *"})["daily"] == [
        local(apia, 2011, 12, 31), local(apia, 2011, 12, 31, 9),
    ]  # fmt: skip


def test_the_picture_shows_every_case() -> None:
    ours = play_ours(FORWARD)
    drawn = picture([(FORWARD, ours, ours)])
    assert drawn.count('class="set"') == 1
    assert drawn.count('class="ours" d=') == drawn.count('class="stock" d=') == 7


def test_a_page_without_a_place_is_left_alone(tmp_path) -> None:
    page = tmp_path / "time.md"
    page.write_text("nothing")
    with pytest.raises(LookupError):
        put(page, "replay", "body")
    assert page.read_text() == "nothing"
