"""Which schedules Sentry can watch, as which monitors."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.recorder.crons import monitor, slug
from livebeat import Cron, Interval, Once, RRule, ScheduleSpec
from livebeat.rules import Recurrence

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def config(rule: Recurrence, **options: Any) -> Any:
    return monitor(ScheduleSpec(name="a", task="app.tasks.stats.fail", recurrence=rule, options=options))


@pytest.mark.parametrize(
    ("rule", "schedule"),
    [
        (Cron("0 6 * * 1"), {"type": "crontab", "value": "0 6 * * 1"}),
        (Cron("*/15 9-18 1,15 */3 *"), {"type": "crontab", "value": "*/15 9-18 1,15 */3 *"}),
        (Cron("0 9 * * mon-fri"), {"type": "crontab", "value": "0 9 * * 1-5"}),
        (Cron("0 9 * * Sunday"), {"type": "crontab", "value": "0 9 * * 0"}),
        (Interval(seconds=60), {"type": "interval", "value": 1, "unit": "minute"}),
        (Interval(every=timedelta(days=7)), {"type": "interval", "value": 10080, "unit": "minute"}),
    ],
)
def test_a_rule_that_sentry_knows(rule: Recurrence, schedule: dict[str, Any]) -> None:
    assert config(rule)["schedule"] == schedule


@pytest.mark.parametrize(
    "rule",
    [
        Cron("30 0 6 * * 1"),
        Interval(seconds=1),
        Interval(seconds=59),
        Interval(seconds=90),
        Interval(seconds=60.5),
        Cron("0 6 13 * 5"),
        Cron("0 6 */2 * 1"),
        Cron("0 22-2 * * *"),
        Cron("0 6 * * fri-mon"),
        Once(NOON),
        RRule("FREQ=DAILY", dtstart=NOON, timezone="UTC"),
    ],
    ids=str,
)
def test_a_rule_that_sentry_does_not_know_has_no_monitor(rule: Recurrence) -> None:
    assert config(rule) is None


def test_zone_margin_and_longest_run() -> None:
    assert config(Cron("0 6 * * *", "America/New_York")) == {
        "schedule": {"type": "crontab", "value": "0 6 * * *"},
        "timezone": "America/New_York",
        "checkin_margin": 5,
        "max_runtime": 30,
    }
    assert config(Interval(seconds=60), time_limit=61)["max_runtime"] == 2


@pytest.mark.parametrize("name", ["a", "weekly_update-2", "x" * 50])
def test_a_plain_name_is_its_slug(name: str) -> None:
    assert slug(name) == name


NAMES = [
    "주간업데이트",
    "주간 업데이트",
    "Weekly",
    "WEEKLY",
    "weekly!",
    "weekly",
    "weekly?",
    "a/b",
    "a-b",
    "x" * 51,
    "x" * 52,
    "가" * 200,
    "2026",
    "🏠",
    "ı",
    " ",
    "-",
    f"weekly-{'0' * 12}",
    slug("Weekly"),
    slug(slug("Weekly")),
]


def test_every_slug_is_one_that_sentry_takes_and_no_two_names_share_one() -> None:
    slugs = [slug(name) for name in NAMES]
    assert len(set(slugs)) == len(set(NAMES)) == len(NAMES)
    for text in slugs:
        assert re.fullmatch(r"[a-z0-9_-]{1,50}", text)
        assert not text.isdigit()


def test_a_slug_is_for_good() -> None:
    """Or a release would make every monitor anew."""
    assert slug("주간 업데이트") == "schedule-9d93c23b0413"
    assert slug("Weekly Report (크롤)") == "weekly-report-7b135d89e990"
