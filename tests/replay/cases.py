"""What is replayed: days on which clocks are set, and the rules that run over them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

#: Five cron fields, or the seconds of an interval.
RULES: Mapping[str, str | int] = {
    "every 60 s": 60,
    "* * * * *": "* * * * *",
    "*/10 * * * *": "*/10 * * * *",
    "15 * * * *": "15 * * * *",
    "09:00 daily": "0 9 * * *",
    "01:30 daily": "30 1 * * *",
    "02:30 daily": "30 2 * * *",
}


@dataclass(frozen=True)
class Case:
    """A day in a zone, played from noon of the day before to noon of the day after; `what` the clocks do on it."""

    zone: str
    day: date
    what: str

    @property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @property
    def title(self) -> str:
        return f"{self.zone}, {self.day}: {self.what}"

    @property
    def start(self) -> datetime:
        return self._at(self.day - timedelta(days=1), 12)

    @property
    def end(self) -> datetime:
        return self._at(self.day + timedelta(days=1), 12)

    @property
    def midnight(self) -> datetime:
        return self._at(self.day, 0)

    def _at(self, day: date, hour: int) -> datetime:
        return datetime(day.year, day.month, day.day, hour, tzinfo=self.tz).astimezone(UTC)


CASES = (
    Case("America/New_York", date(2026, 3, 8), "02:00 becomes 03:00"),
    Case("America/New_York", date(2026, 11, 1), "02:00 becomes 01:00"),
    Case("Asia/Seoul", date(2026, 11, 1), "the clocks are left alone"),
    Case("Australia/Lord_Howe", date(2026, 10, 4), "02:00 becomes 02:30"),
    Case("Australia/Lord_Howe", date(2026, 4, 5), "02:00 becomes 01:30"),
    Case("Pacific/Apia", date(2011, 12, 30), "the whole day does not exist"),
    Case("Africa/Casablanca", date(2026, 2, 15), "Ramadan: 03:00 becomes 02:00"),
    Case("Africa/Casablanca", date(2026, 3, 22), "after Ramadan: 02:00 becomes 03:00"),
)
