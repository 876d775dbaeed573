"""Rules in words."""

import pytest

from livebeat import Cron, Interval
from livebeat.rules import Recurrence, describe


@pytest.mark.parametrize(
    ("rule", "korean", "english"),
    [
        (Cron("0 6 * * 1"), "매주 월요일 06:00", "every Monday 06:00"),
        (Cron("30 9 * * *"), "매일 09:30", "every day 09:30"),
        (Cron("0 9 * * 1-5"), "매주 월요일, 화요일, 수요일, 목요일, 금요일 09:00",
         "every Monday, Tuesday, Wednesday, Thursday, Friday 09:00"),
        (Cron("0 6,18 * * *"), "매일 06:00, 18:00", "every day 06:00, 18:00"),
        (Cron("0 6 1 * *"), "매월 1일 06:00", "on day 1 of the month 06:00"),
        (Cron("0 6 1 1,4,7,10 *"), "1월, 4월, 7월, 10월 1일 06:00",
         "in January, April, July, October on day 1 of the month 06:00"),
        (Cron("0 6 13 * 5"), "매월 13일 중 금요일에만 06:00", "on day 13 of the month only if it is Friday 06:00"),
        (Cron("* * * * *"), "매일 매분", "every day, every minute"),
        (Cron("*/10 * * * *"), "매일 10분마다", "every day, every 10 minutes"),
        (Cron("*/7 * * * 0"), "매주 일요일 매시 0분, 7분, 14분, 21분, 28분, 35분, 42분, 49분, 56분",
         "every Sunday, at minute 0, 7, 14, 21, 28, 35, 42, 49, 56 of every hour"),
        (Cron("15 9-18 * * *"), "매일 9–18시의 15분", "every day, at minute 15 of hour 9–18"),
        (Interval(seconds=90), "90초마다", "every 90 seconds"),
        (Interval(seconds=3600), "1시간마다", "every hour"),
        (Interval(seconds=172800), "2일마다", "every 2 days"),
        (Interval(seconds=0.5), "0.5초마다", "every 0.5 seconds"),
    ],
)  # fmt: skip
def test_in_words(rule: Recurrence, korean: str, english: str) -> None:
    assert (describe(rule, "ko"), describe(rule, "en")) == (korean, english)
