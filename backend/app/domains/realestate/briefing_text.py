"""A briefing as posts: Korean lines, grouped by complex, packed whole into as few posts as a channel's limit allows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from app.domains.realestate.models import ArticleChange
from app.domains.realestate.prices import format_amount

_TYPE = ArticleChange.Type
#: What people look for first stands first.
_ORDER = [_TYPE.PRICE_DOWN, _TYPE.PRICE_UP, _TYPE.NEW, _TYPE.RELISTED, _TYPE.REMOVED]
_MOVED = " → "


@dataclass(frozen=True)
class News:
    """One change as a briefing tells it."""

    id: int
    complex_id: str
    complex_name: str
    change_type: str
    trade_type: str | None = None
    area_name: str | None = None
    building_name: str | None = None
    floor_info: str | None = None
    old_price: str | None = None
    new_price: str | None = None
    amount: int | None = None
    percent: float | None = None


@dataclass(frozen=True)
class Form:
    """What a channel makes of text: characters of a post at most, how they count, how foreign text is made plain."""

    limit: int
    size: Callable[[str], int] = len
    escape: Callable[[str], str] = str


@dataclass(frozen=True)
class Post:
    """One post, and the ids of the changes that it tells in full."""

    text: str
    changes: tuple[int, ...] = ()


def posts(news: Iterable[News], *, opening: str, closing: Sequence[str] = (), form: Form) -> list[Post]:
    """The briefing of these changes. Each change is one line of one post, under its complex's name."""
    sheet = _Sheet(form)
    sheet.add(opening)
    ordered = sorted(news, key=lambda item: (item.complex_name, item.complex_id, _rank(item.change_type), item.id))
    for _, group in groupby(ordered, key=lambda item: item.complex_id):
        changes = list(group)
        name = form.escape(" ".join(changes[0].complex_name.split()))
        heading = f"■ {name} ({changes[0].complex_id}): {tally(changes)}"
        for number, change in enumerate(changes):
            sheet.add(_line(change, form.escape), change.id, heading=heading, first=number == 0)
    for line in closing:
        sheet.add(line)
    return sheet.done()


def tally(news: Iterable[News]) -> str:
    """How many of each type: "가격 하락 2, 신규 1"."""
    types = [item.change_type for item in news]
    known = sorted(set(types), key=lambda name: (_rank(name), name))
    return ", ".join(f"{_label(name)} {types.count(name)}" for name in known)


class _Sheet:
    """Posts as they fill up."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self._posts: list[Post] = []
        self._lines: list[str] = []
        self._ids: list[int] = []

    def add(self, line: str, change: int | None = None, *, heading: str = "", first: bool = False) -> None:
        """Put a line into this post, or into the next where it has no room; there its heading comes again."""
        wanted = [heading, line] if heading and first else [line]
        if self._lines and not self._fits(wanted):
            self._close()
            wanted = [heading if first else f"{heading} (계속)", line] if heading else [line]
        self._lines += [self._cut(each) for each in wanted]
        if change is not None:
            self._ids.append(change)

    def done(self) -> list[Post]:
        """All posts."""
        self._close()
        return self._posts

    def _fits(self, lines: Sequence[str]) -> bool:
        return self._form.size("\n".join([*self._lines, *lines])) <= self._form.limit

    def _close(self) -> None:
        if self._lines:
            self._posts.append(Post("\n".join(self._lines), tuple(self._ids)))
        self._lines, self._ids = [], []

    def _cut(self, line: str) -> str:
        """A line that would not even fit beside another; no honest one is that long."""
        most = self._form.limit // 2 - 1
        while self._form.size(line) > most:
            line = line[: most - 1].rstrip("\\") + "…" if len(line) > most else line[:-2] + "…"
        return line


def _rank(change_type: str) -> int:
    return _ORDER.index(_TYPE(change_type)) if change_type in _ORDER else len(_ORDER)


def _label(change_type: str) -> str:
    return str(_TYPE(change_type).label) if change_type in _TYPE.values else change_type


def _line(change: News, escape: Callable[[str], str]) -> str:
    where = " ".join(filter(None, (change.trade_type, change.area_name, change.building_name, change.floor_info)))
    price = change.new_price or change.old_price or ""
    if change.old_price and change.new_price and change.old_price != change.new_price:
        price = f"{change.old_price}{_MOVED}{change.new_price}"
    told = " ".join(" ".join(filter(None, (where, price))).split())  # a line break in a listing's text is a space
    return f"· [{_label(change.change_type)}] {escape(told)}{_difference(change)}"


def _difference(change: News) -> str:
    """(+1억 5,000만, +4.35%)"""
    if change.amount is None:
        return ""
    text = format_amount(abs(change.amount))
    amount = f"{'-' if change.amount < 0 else '+'}{text}{'' if text.endswith('억') else '만'}"
    return f" ({amount})" if change.percent is None else f" ({amount}, {change.percent:+g}%)"
