"""The old hour / minute / day_of_week form to a cron rule and back.

`day_of_week`: 0 = Sunday to 6, a number or text; `*` or nothing = daily; "1,3,5" or a list; `MONTHLY_1`,
`MONTHLY_15` = that day of each month; `QUARTERLY_1`, `QUARTERLY_15` = that day of January, April, July, October.
"""

from typing import Any

from livebeat.errors import SpecError
from livebeat.rules import Cron

_SPECIAL = {
    "MONTHLY_1": "1 *",
    "MONTHLY_15": "15 *",
    "QUARTERLY_1": "1 1,4,7,10",
    "QUARTERLY_15": "15 1,4,7,10",
}
_SPECIAL_OF = {days: name for name, days in _SPECIAL.items()}


def old_form_to_cron(hour: Any, minute: Any, day_of_week: Any = None, timezone: str | None = None) -> Cron:
    """The rule of the old form.

    Raises:
        SpecError: a number is out of range, or the day is none of the forms above.
    """
    at_hour, at_minute = _number("hour", hour, 23), _number("minute", minute, 59)
    days = _days(day_of_week)
    if days in _SPECIAL:
        return Cron(f"{at_minute} {at_hour} {_SPECIAL[days]} *", timezone)
    return Cron(f"{at_minute} {at_hour} * * {days}", timezone)


def cron_to_old_form(cron: Cron) -> dict[str, Any] | None:
    """`{"hour", "minute", "day_of_week"}` of a rule, or None where the old form can't say it."""
    parts = cron.expression.split()
    if len(parts) != 5 or cron != Cron(cron.expression, cron.timezone):
        return None  # it has seconds, or its own way across a clock change
    minute, hour, day, month, weekday = parts
    if not (minute.isdigit() and hour.isdigit()):
        return None
    times = {"hour": int(hour), "minute": int(minute)}
    if (day, month) == ("*", "*"):
        return {**times, "day_of_week": weekday}
    special = _SPECIAL_OF.get(f"{day} {month}")
    return {**times, "day_of_week": special} if special and weekday == "*" else None


def _number(field: str, value: Any, most: int) -> int:
    text = str(value).strip()
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or len(text) > 4 or int(text) > most:
        raise SpecError(
            field,
            f"{value!r} is not usable; write a whole number from 0 to {most}",
            f"{value!r}을(를) 사용할 수 없습니다. 0부터 {most}까지의 정수를 적으세요",
        )
    return int(text)


def _days(value: Any) -> str:
    if value is None:
        return "*"
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    texts = [str(part).strip() for part in parts]
    if len(texts) == 1 and texts[0] in {"*", *_SPECIAL}:
        return texts[0]
    if not texts or any(isinstance(p, bool) or t not in set("0123456") for p, t in zip(parts, texts, strict=True)):
        raise SpecError(
            "day_of_week",
            f'{value!r} is not usable; write 0 (Sunday) to 6, a list such as "1,3,5", "*", or one of '
            + ", ".join(_SPECIAL),
            f'{value!r}을(를) 사용할 수 없습니다. 0(일요일)~6, "1,3,5" 같은 목록, "*" 또는 {", ".join(_SPECIAL)} 중 하나를 적으세요',
        )
    return ",".join(texts)
