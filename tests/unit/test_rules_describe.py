"""Rules in words, both languages: every kind but cron's plain ones, which have a table of their own."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livebeat import Cron, Excluding, Holidays, Interval, Once, RRule, Union
from livebeat.errors import SpecError
from livebeat.rules import Bounded, Recurrence, describe

AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
SEOUL = datetime(2026, 11, 22, 9, 30, tzinfo=ZoneInfo("Asia/Seoul"))
SEOUL_2027 = datetime(2027, 1, 1, tzinfo=ZoneInfo("Asia/Seoul"))


@pytest.mark.parametrize(
    ("rule", "korean", "english"),
    [
        (Cron("0 9 * * *", "Asia/Seoul"), "매일 09:00", "every day 09:00"),
        (Cron("30 2 * * *", "America/New_York", gap="skip"), "매일 02:30, 시계를 앞당겨 없는 시각은 건너뜀",
         "every day 02:30; a time that the clocks jump over is left out"),
        (Cron("30 1 * * *", "America/New_York", repeat="both"), "매일 01:30, 시계를 되돌려 두 번 오는 시각은 두 번 다 실행",
         "every day 01:30; a time that comes twice runs both times"),
        (Cron("30 1 * * *", "America/New_York", repeat="second"), "매일 01:30, 시계를 되돌려 두 번 오는 시각은 두 번째에만 실행",
         "every day 01:30; a time that comes twice runs the second time only"),
        (Cron("*/10 * * * *", "America/New_York", repeat="first"), "매일 10분마다, 시계를 되돌려 두 번 오는 시각은 첫 번째에만 실행",
         "every day, every 10 minutes; a time that comes twice runs the first time only"),
        (Cron("30 1 * * *", "America/New_York", gap="skip", repeat="both"),
         "매일 01:30, 시계를 앞당겨 없는 시각은 건너뜀, 시계를 되돌려 두 번 오는 시각은 두 번 다 실행",
         "every day 01:30; a time that the clocks jump over is left out; a time that comes twice runs both times"),
        (Interval(seconds=1), "1초마다", "every second"),
        (Interval(seconds=5), "5초마다", "every 5 seconds"),
        (Interval(seconds=60), "1분마다", "every minute"),
        (Interval(seconds=90), "90초마다", "every 90 seconds"),
        (Interval(seconds=600), "10분마다", "every 10 minutes"),
        (Interval(seconds=3600), "1시간마다", "every hour"),
        (Interval(seconds=7200), "2시간마다", "every 2 hours"),
        (Interval(seconds=86400), "1일마다", "every day"),
        (Interval(seconds=172800), "2일마다", "every 2 days"),
        (Interval(seconds=604800), "7일마다", "every 7 days"),
        (Interval(seconds=0.5), "0.5초마다", "every 0.5 seconds"),
        (Interval(seconds=1.5), "1.5초마다", "every 1.5 seconds"),
        (Interval(seconds=90061), "90061초마다", "every 90061 seconds"),
        (Once(AT), "2026-11-22 09:00:00 UTC에 한 번", "once, 2026-11-22 09:00:00 UTC"),
        (Once(SEOUL), "2026-11-22 00:30:00 UTC에 한 번", "once, 2026-11-22 00:30:00 UTC"),
        (RRule("FREQ=DAILY"), "매일", "every day"),
        (RRule("FREQ=DAILY", SEOUL), "매일 09:30", "every day 09:30"),
        (RRule("FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=0"), "매일 09:00", "every day 09:00"),
        (RRule("FREQ=DAILY;BYHOUR=9,18;BYMINUTE=0;BYSECOND=0"), "매일 09:00, 18:00", "every day 09:00, 18:00"),
        (RRule("FREQ=DAILY;INTERVAL=3", SEOUL), "3일마다 09:30", "every 3 days 09:30"),
        (RRule("FREQ=DAILY;COUNT=10", SEOUL), "매일 09:30, 10회", "every day 09:30, 10 times"),
        (RRule("FREQ=DAILY;COUNT=1", SEOUL), "매일 09:30, 1회", "every day 09:30, once"),
        (RRule("FREQ=DAILY;UNTIL=20271231T235959Z", SEOUL), "매일 09:30, 2027-12-31 23:59:59 UTC까지",
         "every day 09:30, until 2027-12-31 23:59:59 UTC"),
        (RRule("FREQ=DAILY;UNTIL=20271231T235900", SEOUL), "매일 09:30, 2027-12-31 23:59까지",
         "every day 09:30, until 2027-12-31 23:59"),
        (RRule("FREQ=WEEKLY", SEOUL), "매주 일요일 09:30", "every week on Sunday 09:30"),
        (RRule("FREQ=WEEKLY;BYDAY=MO,WE,FR", SEOUL), "매주 월요일, 수요일, 금요일 09:30",
         "every week on Monday, Wednesday, Friday 09:30"),
        (RRule("FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", SEOUL), "매주 월요일–금요일 09:30",
         "every week on Monday–Friday 09:30"),
        (RRule("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", SEOUL), "2주마다 월요일 09:30", "every 2 weeks on Monday 09:30"),
        (RRule("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO;WKST=SU", SEOUL), "2주마다 월요일 09:30 (주의 첫날: 일요일)",
         "every 2 weeks on Monday 09:30 (weeks begin on Sunday)"),
        (RRule("FREQ=MONTHLY", SEOUL), "매월 22일 09:30", "every month on day 22 09:30"),
        (RRule("FREQ=MONTHLY;BYDAY=2MO", SEOUL), "매월 둘째 월요일 09:30", "every month on the 2nd Monday 09:30"),
        (RRule("FREQ=MONTHLY;BYDAY=1MO,3MO", SEOUL), "매월 첫째 월요일, 셋째 월요일 09:30",
         "every month on the 1st Monday, the 3rd Monday 09:30"),
        (RRule("FREQ=MONTHLY;BYDAY=-1FR", SEOUL), "매월 마지막 금요일 09:30", "every month on the last Friday 09:30"),
        (RRule("FREQ=MONTHLY;BYDAY=-2FR", SEOUL), "매월 끝에서 둘째 금요일 09:30",
         "every month on the 2nd to last Friday 09:30"),
        (RRule("FREQ=MONTHLY;BYDAY=MO", SEOUL), "매월 모든 월요일 09:30", "every month on every Monday 09:30"),
        (RRule("FREQ=MONTHLY;BYMONTHDAY=1,15", SEOUL), "매월 1일, 15일 09:30", "every month on days 1, 15 09:30"),
        (RRule("FREQ=MONTHLY;BYMONTHDAY=-1", SEOUL), "매월 말일 09:30", "every month on the last day 09:30"),
        (RRule("FREQ=MONTHLY;BYMONTHDAY=-3", SEOUL), "매월 끝에서 3번째 날 09:30",
         "every month on the 3rd to last day 09:30"),
        (RRule("FREQ=MONTHLY;BYMONTHDAY=1,-1", SEOUL), "매월 1일, 말일 09:30",
         "every month on day 1, the last day 09:30"),
        (RRule("FREQ=MONTHLY;BYMONTHDAY=13;BYDAY=FR", SEOUL), "매월 13일 중 금요일 09:30",
         "every month on day 13 if it is Friday 09:30"),
        (RRule("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", SEOUL), "매월 월요일–금요일 중 마지막 09:30",
         "every month on Monday–Friday (only the last of them) 09:30"),
        (RRule("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=1,-1", SEOUL), "매월 월요일–금요일 중 첫째, 마지막 09:30",
         "every month on Monday–Friday (only the 1st, last of them) 09:30"),
        (RRule("FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1", SEOUL), "3개월마다 1일 09:30",
         "every 3 months on day 1 09:30"),
        (RRule("FREQ=YEARLY", SEOUL), "매년 11월 22일 09:30", "every year in November on day 22 09:30"),
        (RRule("FREQ=YEARLY;BYMONTH=1,4,7,10;BYMONTHDAY=1", SEOUL), "매년 1월, 4월, 7월, 10월 1일 09:30",
         "every year in January, April, July, October on day 1 09:30"),
        (RRule("FREQ=YEARLY;BYMONTH=3;BYDAY=2SU", SEOUL), "매년 3월 둘째 일요일 09:30",
         "every year in March on the 2nd Sunday 09:30"),
        (RRule("FREQ=YEARLY;BYDAY=20MO", SEOUL), "매년 20번째 월요일 09:30", "every year on the 20th Monday 09:30"),
        (RRule("FREQ=YEARLY;BYYEARDAY=100", SEOUL), "매년 100번째 날 09:30",
         "every year on the 100th day of the year 09:30"),
        (RRule("FREQ=YEARLY;BYYEARDAY=-1", SEOUL), "매년 마지막 날 09:30",
         "every year on the last day of the year 09:30"),
        (RRule("FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO", SEOUL), "매년 20주차 월요일 09:30",
         "every year in the 20th week on Monday 09:30"),
        (RRule("FREQ=YEARLY;BYEASTER=0", SEOUL), "매년 부활절 09:30", "every year on Easter Sunday 09:30"),
        (RRule("FREQ=YEARLY;BYEASTER=-2", SEOUL), "매년 부활절 2일 전 09:30",
         "every year 2 days before Easter Sunday 09:30"),
        (RRule("FREQ=YEARLY;BYEASTER=1", SEOUL), "매년 부활절 1일 뒤 09:30",
         "every year 1 day after Easter Sunday 09:30"),
        (RRule("FREQ=HOURLY"), "매시간", "every hour"),
        (RRule("FREQ=HOURLY;INTERVAL=2;BYMINUTE=30", SEOUL), "2시간마다 30분", "every 2 hours at minute 30"),
        (RRule("FREQ=HOURLY;BYHOUR=9,10,11", SEOUL), "9–11시 매시간 30분", "every hour in hours 9–11 at minute 30"),
        (RRule("FREQ=MINUTELY;INTERVAL=15", SEOUL), "15분마다", "every 15 minutes"),
        (RRule("FREQ=MINUTELY;BYHOUR=9;BYDAY=MO", SEOUL), "월요일 9시 매분", "every minute on Monday in hour 9"),
        (RRule("FREQ=SECONDLY;INTERVAL=30", SEOUL), "30초마다", "every 30 seconds"),
        (RRule("FREQ=DAILY;BYMINUTE=0,10,20,30,40,50;BYHOUR=8,9;BYSECOND=0", SEOUL),
         "매일 8시, 9시 0분, 10분, 20분, 30분, 40분, 50분",
         "every day in hours 8, 9 at minutes 0, 10, 20, 30, 40, 50"),
        (RRule("FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0", SEOUL, gap="skip"), "매일 02:30, 시계를 앞당겨 없는 시각은 건너뜀",
         "every day 02:30; a time that the clocks jump over is left out"),
        (Union(Cron("0 6 * * 1"), Cron("0 18 * * 5")), "매주 월요일 06:00 그리고 매주 금요일 18:00",
         "every Monday 06:00; and every Friday 18:00"),
        (Union(Cron("0 6 * * 1", "Asia/Seoul"), Cron("0 18 * * 5", "UTC")),
         "매주 월요일 06:00 (Asia/Seoul) 그리고 매주 금요일 18:00 (UTC)",
         "every Monday 06:00 (Asia/Seoul); and every Friday 18:00 (UTC)"),
        (Union(Cron("0 6 * * 1", "UTC"), Once(AT)), "매주 월요일 06:00 (UTC) 그리고 2026-11-22 09:00:00 UTC에 한 번",
         "every Monday 06:00 (UTC); and once, 2026-11-22 09:00:00 UTC"),
        (Union(Cron("0 9 * * *")), "매일 09:00", "every day 09:00"),
        (Union(Interval(seconds=number, anchor=AT) for number in range(1, 9)),
         "1초마다 그리고 2초마다 그리고 3초마다 그리고 4초마다 그리고 5초마다 그리고 그 밖의 규칙 3개",
         "every second; and every 2 seconds; and every 3 seconds; and every 4 seconds; and every 5 seconds; and 3 more rules"),
        (Excluding(Cron("0 9 * * 1-5"), dates=["2026-12-25"]), "매주 월요일–금요일 09:00 (제외: 2026-12-25)",
         "every Monday–Friday 09:00, except 2026-12-25"),
        (Excluding(Cron("0 9 * * *"), dates=["2026-12-25", "2026-12-29/2026-12-31"]),
         "매일 09:00 (제외: 2026-12-25, 2026-12-29–2026-12-31)",
         "every day 09:00, except 2026-12-25, 2026-12-29 to 2026-12-31"),
        (Excluding(Cron("0 9 * * *"), dates=[f"2026-12-0{day}" for day in range(1, 8)]),
         "매일 09:00 (제외: 2026-12-01, 2026-12-02, 2026-12-03, 2026-12-04, 그 밖의 3건)",
         "every day 09:00, except 2026-12-01, 2026-12-02, 2026-12-03, 2026-12-04, 3 more"),
        (Excluding(Cron("0 9 * * 1-5", "Asia/Seoul"), holidays=Holidays("KR")), "매주 월요일–금요일 09:00 (제외: KR 공휴일)",
         "every Monday–Friday 09:00, except the public holidays of KR"),
        (Excluding(Cron("0 9 * * 1-5"), holidays=Holidays("KR", add=["2026-06-05"], remove=["2026-05-01"])),
         "매주 월요일–금요일 09:00 (제외: KR 공휴일 (2026-06-05 추가, 2026-05-01 빼고))",
         "every Monday–Friday 09:00, except the public holidays of KR (with 2026-06-05, without 2026-05-01)"),
        (Excluding(Cron("0 9 * * 1-5"), holidays=Holidays("US", "CA")), "매주 월요일–금요일 09:00 (제외: US-CA 공휴일)",
         "every Monday–Friday 09:00, except the public holidays of US-CA"),
        (Excluding(Cron("0 9 * * 1-5"), holidays=Holidays("KR", categories=["public", "bank"])),
         "매주 월요일–금요일 09:00 (제외: KR 휴일[public, bank])",
         "every Monday–Friday 09:00, except the public, bank holidays of KR"),
        (Excluding(Cron("0 9 * * *"), rules=[Cron("0 9 1 * *")]), "매일 09:00 (제외: 매월 1일 09:00)",
         "every day 09:00, except on day 1 of the month 09:00"),
        (Excluding(Cron("0 9 * * *", "Asia/Seoul"), holidays=Holidays("US"), timezone="America/New_York"),
         "매일 09:00 (제외: US 공휴일 (America/New_York))",
         "every day 09:00, except the public holidays of US (America/New_York)"),
        (Excluding(Cron("0 9 * * *"), dates=["2026-12-25"], holidays=Holidays("KR"), rules=[Cron("0 9 1 * *")]),
         "매일 09:00 (제외: 2026-12-25, KR 공휴일, 매월 1일 09:00)",
         "every day 09:00, except 2026-12-25, the public holidays of KR, on day 1 of the month 09:00"),
        (Excluding(Cron("0 9 * * *")), "매일 09:00", "every day 09:00"),
        (Bounded(Cron("0 9 * * *", "Asia/Seoul"), SEOUL, None), "매일 09:00, 2026-11-22 09:30부터",
         "every day 09:00, from 2026-11-22 09:30"),
        (Bounded(Cron("0 9 * * *", "Asia/Seoul"), None, SEOUL), "매일 09:00, 2026-11-22 09:30까지",
         "every day 09:00, until 2026-11-22 09:30"),
        (Bounded(Cron("0 9 * * *", "Asia/Seoul"), SEOUL, SEOUL_2027),
         "매일 09:00, 2026-11-22 09:30부터 2027-01-01 00:00까지",
         "every day 09:00, from 2026-11-22 09:30 until 2027-01-01 00:00"),
        (Bounded(Interval(seconds=600), AT, AT + timedelta(days=9)),
         "10분마다, 2026-11-22 09:00 UTC부터 2026-12-01 09:00 UTC까지",
         "every 10 minutes, from 2026-11-22 09:00 UTC until 2026-12-01 09:00 UTC"),
        (Bounded(Excluding(Cron("0 9 * * 1-5", "Asia/Seoul"), holidays=Holidays("KR")), SEOUL, None),
         "매주 월요일–금요일 09:00 (제외: KR 공휴일), 2026-11-22 09:30부터",
         "every Monday–Friday 09:00, except the public holidays of KR, from 2026-11-22 09:30"),
    ],
)  # fmt: skip
def test_in_words(rule: Recurrence, korean: str, english: str) -> None:
    assert (describe(rule, "ko"), describe(rule, "en")) == (korean, english)


def field(first: int, last: int) -> st.SearchStrategy[str]:
    """Of a cron expression: `*`, numbers, a range, steps."""
    number = st.integers(first, last)
    pair = st.tuples(number, number).map(sorted).map(lambda ends: f"{ends[0]}-{ends[1]}")
    step = st.tuples(st.one_of(st.just("*"), pair), st.integers(1, last + 5)).map(lambda both: f"{both[0]}/{both[1]}")
    listed = st.lists(st.one_of(number.map(str), pair), min_size=1, max_size=5).map(",".join)
    return st.one_of(st.just("*"), listed, step)


FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
EXPRESSIONS = st.tuples(*(field(*ends) for ends in FIELDS)).map(" ".join)
BY = {
    "BYMONTH": (1, 12), "BYMONTHDAY": (-31, 31), "BYYEARDAY": (-366, 366), "BYWEEKNO": (-53, 53), "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59), "BYSECOND": (0, 59), "BYSETPOS": (-9, 9), "BYEASTER": (-80, 250),
}  # fmt: skip
NUMBERS = {
    name: st.lists(st.integers(*ends).filter(bool), min_size=1, max_size=9).map(lambda found: ",".join(map(str, found)))
    for name, ends in BY.items()
}
DAYS = st.lists(st.sampled_from(["MO", "TU", "FR", "SU", "2MO", "-1FR", "-3WE"]), min_size=1, max_size=4).map(",".join)
FREQUENCIES = st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "SECONDLY"])


@st.composite
def rrules(draw: st.DrawFn) -> str:
    parts = {"FREQ": draw(FREQUENCIES), "INTERVAL": str(draw(st.integers(1, 40)))}
    parts |= {name: draw(NUMBERS[name]) for name in draw(st.lists(st.sampled_from(sorted(BY)), max_size=3))}
    if draw(st.booleans()):
        parts["BYDAY"] = draw(DAYS)
    end = draw(st.sampled_from([{}, {"COUNT": "3"}, {"UNTIL": "20301231T000000"}, {"WKST": "SU"}]))
    return ";".join(f"{name}={value}" for name, value in {**parts, **end}.items())


def simple(draw: st.DrawFn) -> Recurrence:
    made = draw(st.sampled_from(["cron", "seconds", "rrule", "interval"]))
    if made == "interval":
        return Interval(seconds=draw(st.floats(0.1, 10**7)))
    zone, gap = (
        draw(st.sampled_from([None, "Asia/Seoul", "America/New_York"])),
        draw(st.sampled_from(["next_valid", "skip"])),
    )
    repeat = draw(st.sampled_from([None, "first", "second", "both"]))
    if made == "rrule":
        return RRule(draw(rrules()), draw(st.sampled_from([None, AT])), zone, gap=gap, repeat=repeat)
    seconds = f"{draw(field(0, 59))} " if made == "seconds" else ""
    return Cron(seconds + draw(EXPRESSIONS), zone, gap=gap, repeat=repeat)


@st.composite
def rules(draw: st.DrawFn) -> Recurrence | None:
    """Any rule that is accepted; None for one that isn't."""
    try:
        first = simple(draw)
        made = draw(st.sampled_from(["as it is", "union", "excluding", "bounded"]))
        if made == "union":
            return Union(first, simple(draw), Once(AT))
        if made == "excluding":
            return Excluding(first, dates=["2026-12-25"], rules=[Once(AT)])
        return Bounded(first, AT, None) if made == "bounded" else first
    except SpecError:
        return None


@given(rules())
def test_every_rule_has_words(rule: Recurrence | None) -> None:
    for language in ("ko", "en"):
        words = describe(rule, language) if rule else "–"
        assert words.strip() == words != ""
        assert not set(words) & set("*{}")
        assert "None" not in words
        assert "  " not in words
