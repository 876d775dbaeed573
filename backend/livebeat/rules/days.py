"""Days of the calendar that a rule leaves out: listed ones, and the public holidays of a country."""

import warnings
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from livebeat.errors import SpecError

_YEARS = (1900, 9_000)
#: The names of a country and of its parts that `holidays` knows have so many characters at most.
_LENGTH = 100


@dataclass(frozen=True, init=False)
class Holidays:
    """`Holidays("KR")`, `Holidays("DE", "BY", add=["2026-12-24"])`: days off of a country or of a part of it.

    Codes and categories are those of the `holidays` library; `add` and `remove` (days or ranges, as `dates` of
    `Excluding`) are for what it doesn't know yet.

    Raises:
        SpecError: the library knows no such country, part or category, or a day is no day.
    """

    country: str
    subdivision: str | None
    categories: tuple[str, ...]
    add: tuple[str, ...]
    remove: tuple[str, ...]

    def __init__(
        self,
        country: str,
        subdivision: str | None = None,
        categories: Iterable[str] = ("public",),
        add: Iterable[str | date] = (),
        remove: Iterable[str | date] = (),
    ) -> None:
        chosen = tuple(categories) if not isinstance(categories, str) else (categories,)
        if not isinstance(country, str) or not isinstance(subdivision, str | None) or not _are_texts(chosen):
            raise SpecError("holidays", "country, subdivision and categories must be text", _KO_TEXT)
        object.__setattr__(self, "country", country.strip().upper())
        object.__setattr__(self, "subdivision", subdivision or None)
        object.__setattr__(self, "categories", chosen)
        object.__setattr__(self, "add", checked_days("holidays", add))
        object.__setattr__(self, "remove", checked_days("holidays", remove))
        _of_year(self.country, self.subdivision, self.categories, _ANY_YEAR)

    def __contains__(self, day: date) -> bool:
        if self.add and is_listed(self.add, day):
            return True
        found = day in _of_year(self.country, self.subdivision, self.categories, day.year)
        return found and not (self.remove and is_listed(self.remove, day))

    def to_json(self) -> dict[str, Any]:
        """A JSON object; `parse` gives equal holidays."""
        data: dict[str, Any] = {"country": self.country}
        if self.subdivision:
            data["subdivision"] = self.subdivision
        if self.categories != ("public",):
            data["categories"] = list(self.categories)
        days = {"add": list(self.add), "remove": list(self.remove)}
        return {**data, **{name: listed for name, listed in days.items() if listed}}

    @classmethod
    def parse(cls, data: Any) -> "Holidays":
        """The holidays of their JSON object.

        Raises:
            SpecError: a member is missing, unknown or unusable.
        """
        members = {"country", "subdivision", "categories", "add", "remove"}
        if not isinstance(data, dict) or "country" not in data or not data.keys() <= members:
            raise SpecError(
                "holidays",
                'must be an object such as {"country": "KR"}, with subdivision, categories, add, remove where needed',
                '{"country": "KR"}와 같은 객체여야 합니다. 필요하면 subdivision, categories, add, remove를 더하세요',
            )
        return cls(**data)


_KO_TEXT = "country, subdivision, categories는 문자열이어야 합니다"
_ANY_YEAR = 2026


@lru_cache(maxsize=4096)
def _of_year(country: str, subdivision: str | None, categories: tuple[str, ...], year: int) -> frozenset[date]:
    entity = _calendar(country)
    if not categories or not set(categories) <= set(entity.supported_categories):
        known = ", ".join(sorted(entity.supported_categories))
        raise _unknown("categories", ", ".join(categories), f"some of {known}", f"{known} 중에서")
    try:
        with warnings.catch_warnings():  # about years that its tables don't reach
            warnings.simplefilter("ignore")
            return frozenset(entity(subdiv=subdivision, years=year, categories=categories))
    except NotImplementedError:
        known = ", ".join(sorted(entity.subdivisions)) or "none"
        raise _unknown("subdivision", subdivision, f"one of {known}", f"{known} 중 하나를") from None


@lru_cache
def _calendar(country: str) -> Any:
    import holidays  # its tables take half a second: only who uses them waits

    if country not in holidays.list_supported_countries():
        raise _unknown("country", country, "a two-letter code such as KR, US or DE", "KR, US, DE와 같은 두 글자 코드를")
    return getattr(holidays, country)


def _unknown(what: str, value: Any, en: str, ko: str) -> SpecError:
    return SpecError(
        "holidays", f"{what} {value!r} is unknown; write {en}", f"{what} {value!r}을(를) 알 수 없습니다. {ko} 적으세요"
    )


def checked_days(field: str, days: Any) -> tuple[str, ...]:
    """Days and ranges of days as text: `2026-12-25`, `2026-12-24/2026-12-31`.

    Raises:
        SpecError: something else is among them.
    """
    found = [days] if isinstance(days, str) or not isinstance(days, Iterable) else list(days)
    return tuple(_text(field, day) for day in found)


def is_listed(days: tuple[str, ...], day: date) -> bool:
    """Whether the day is one of those that `checked_days` gave, or lies in a range of them."""
    return listed_until(days, day) is not None


def listed_until(days: tuple[str, ...], day: date) -> date | None:
    """The last day of the listed ones that `day` is among, without a break; None where it isn't."""
    firsts, lasts = _ranges(days)
    index = bisect_right(firsts, day) - 1
    return lasts[index] if index >= 0 and day <= lasts[index] else None


def _text(field: str, day: Any) -> str:
    if isinstance(day, date) and not isinstance(day, datetime):
        return day.isoformat()
    try:
        first, last = _range(day)
    except (AttributeError, ValueError):
        first, last = date.max, date.min
    if first > last:
        raise SpecError(
            field,
            f"must hold days such as 2026-12-25 or ranges such as 2026-12-24/2026-12-31, not {day!r}",
            f"2026-12-25와 같은 날짜나 2026-12-24/2026-12-31과 같은 기간을 적으세요 (현재 {day!r})",
        )
    return first.isoformat() if "/" not in day else f"{first.isoformat()}/{last.isoformat()}"


def _range(text: str) -> tuple[date, date]:
    first, _, last = text.partition("/")
    found = date.fromisoformat(first.strip()), date.fromisoformat((last or first).strip())
    if not all(_YEARS[0] <= day.year <= _YEARS[1] for day in found):
        raise ValueError(text)
    return found


@lru_cache(maxsize=1024)
def _ranges(days: tuple[str, ...]) -> tuple[list[date], list[date]]:
    """The first and the last days of the listed ranges, in order, overlapping ones joined."""
    firsts: list[date] = []
    lasts: list[date] = []
    for first, last in sorted(map(_range, days)):
        if lasts and first <= lasts[-1]:
            lasts[-1] = max(lasts[-1], last)
        else:
            firsts.append(first)
            lasts.append(last)
    return firsts, lasts


def _are_texts(values: tuple[Any, ...]) -> bool:
    return all(isinstance(value, str) and len(value) <= _LENGTH for value in values)
