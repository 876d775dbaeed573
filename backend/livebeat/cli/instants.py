"""Instants on a command line, and on the screen: ISO 8601 in, the app's own clocks out."""

from datetime import datetime, timedelta

from livebeat.errors import LivebeatError
from livebeat.rules.zone import zone

_DATE = len("2026-11-22")


def parsed(text: str, zone_name: str, *, last: bool = False) -> datetime:
    """The instant that was typed: one without an offset is on the clocks of the zone, a date alone begins at midnight.

    `last`: a date alone means its end.

    Raises:
        LivebeatError: it is none.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise LivebeatError(
            reason_en=f"{text!r} is no instant; write 2026-11-22, '2026-11-22 09:00' or 2026-11-22T09:00:00+09:00",
            reason_ko=f"{text!r}은(는) 시각이 아닙니다. 2026-11-22, '2026-11-22 09:00' 또는 2026-11-22T09:00:00+09:00 형식으로 "
            "적으세요",
        ) from None
    if last and len(text) == _DATE:
        instant += timedelta(days=1, microseconds=-1)
    return instant if instant.tzinfo else instant.replace(tzinfo=zone(zone_name))


def shown(instant: datetime, zone_name: str) -> str:
    """The instant on the clocks of the zone, to the second, with their offset."""
    return instant.astimezone(zone(zone_name)).isoformat(sep=" ", timespec="seconds")
