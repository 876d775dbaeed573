"""From what was sent to docs/time.md: a table for each day, told in the readings of its clocks."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from replay.cases import RULES, Case
from replay.players import Sent

_MINUTE = timedelta(minutes=1)
#: Rows of instants, or instants that moved, that are told one by one.
_SHOWN = 3

Replayed = Sequence[tuple[Case, Sent, Sent]]


def tables(replayed: Replayed) -> str:
    """One table a day: how often each rule ran from noon to noon, and where RedBeat did otherwise than Livebeat."""
    return "\n\n".join(f"**{case.title}**\n\n{_table(case, stock, ours)}" for case, stock, ours in replayed)


def _table(case: Case, stock: Sent, ours: Sent) -> str:
    lines = ["| rule | Livebeat | RedBeat | what RedBeat does otherwise |", "| --- | ---: | ---: | --- |"]
    for name in RULES:
        theirs, own = minutes(stock[name]), minutes(ours[name])
        lines.append(f"| `{name}` | {len(own):,} | {len(theirs):,} | {otherwise(case, theirs, own)} |")
    return "\n".join(lines)


def minutes(sent: Iterable[datetime]) -> list[datetime]:
    """The minute nearest to each: RedBeat is some milliseconds late, or a second early."""
    half = _MINUTE / 2
    return [(at + half).replace(second=0, microsecond=0) for at in sent]


def otherwise(case: Case, theirs: Sequence[datetime], own: Sequence[datetime]) -> str:
    """What of ours is missing in theirs or comes later, and what is there besides; `–` where nothing is."""
    missing, added = sorted(set(own) - set(theirs)), sorted(set(theirs) - set(own))
    if len(missing) == len(added) <= _SHOWN:
        return ", ".join(_moved(case, *both) for both in zip(missing, added, strict=True)) or "–"
    told = (("misses", missing), ("adds", added))
    return "; ".join(f"{word} {len(found):,}: {', '.join(_rows_told(case, found))}" for word, found in told if found)


def _moved(case: Case, own: datetime, theirs: datetime) -> str:
    minutes_late = (theirs - own) // _MINUTE
    late = f"{minutes_late} min late" if minutes_late > 0 else f"{-minutes_late} min early"
    return f"{_told(case, own)} comes at {_told(case, theirs)}, {late}"


def _rows_told(case: Case, found: Sequence[datetime]) -> Iterator[str]:
    """Instants at equal distances as first to last."""
    rows = list(_rows(found))
    for row in rows[:_SHOWN]:
        yield _told(case, row[0]) + (f" to {_told(case, row[-1])}" if len(row) > 1 else "")
    if len(rows) > _SHOWN:
        yield "and more"


def _told(case: Case, at: datetime) -> str:
    """A local reading with its offset from UTC; a date where it is not the case's."""
    local = at.astimezone(case.tz)
    offset = f"{local:%z}"
    day = "" if local.date() == case.day else f"{local:%m-%d} "
    return f"{day}{local:%H:%M} ({offset[:3]}:{offset[3:]})"


def _rows(found: Sequence[datetime]) -> Iterator[list[datetime]]:
    row: list[datetime] = []
    for at in found:
        if len(row) > 1 and at - row[-1] != row[-1] - row[-2]:
            yield row
            row = []
        row.append(at)
    if row:
        yield row


def put(page: Path, what: str, body: str) -> None:
    """Put the body between the page's markers.

    Raises:
        LookupError: the page has no place for it.
    """
    opening, closing = f"<!-- {what} -->", f"<!-- /{what} -->"
    head, opened, rest = page.read_text(encoding="utf-8").partition(opening)
    _, closed, tail = rest.partition(closing)
    if not opened or not closed:
        raise LookupError(f"{page} has no {opening} … {closing}")
    page.write_text(f"{head}{opening}\n\n{body}\n\n{closing}{tail}", encoding="utf-8")
