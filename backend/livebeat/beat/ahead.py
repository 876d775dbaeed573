"""Dispatches prepared before they are due, in the leading beat's idle time.

The script compares what it changes with what the message was built from, so nothing here can be stale and do harm:
what was edited meanwhile is read again.
"""

from datetime import datetime
from itertools import islice
from typing import cast

from livebeat import clock
from livebeat.beat.prepare import Item, Preparation
from livebeat.connection import Link

#: Seconds before its slot that a schedule is prepared.
HORIZON = 10.0
#: Schedules prepared at most; about 5 KB each.
MOST = 12_000
#: Prepared between two looks at what is due.
SLICE = 32
_LOOK_PERIOD = 0.5
#: Index members that a look walks over; about a millisecond of the server's time.
_PAGE = 256


class Ahead:
    """What one beat has prepared."""

    def __init__(self, link: Link, preparation: Preparation) -> None:
        self._link, self._preparation = link, preparation
        self._items: dict[str, tuple[float, Item | None]] = {}
        self._missing: dict[str, float] = {}
        self._next_look = 0.0
        self._rank = 0

    def take(self, key: str, score: float, now: float) -> Item | None:
        """The item of this slot, if there is one that still holds at `now`."""
        prepared = self._items.pop(key, None)
        if prepared is None or prepared[0] != score or prepared[1] is None or now >= prepared[1].until:
            return None
        return prepared[1]

    def forget(self, key: str) -> None:
        """A schedule was changed; the next look finds it again."""
        self._items.pop(key, None)

    def forget_all(self) -> None:
        """Everything is to be built in another way; the next look finds it again."""
        self._items.clear()
        self._next_look = 0.0

    def work(self, now: datetime) -> tuple[list[Item], bool]:
        """Prepare a little of what comes; returns what has to be put right at once, and whether there is more to do."""
        if clock.monotonic() >= self._next_look:
            self._look(clock.to_epoch(now))
        members = list(islice(self._missing.items(), SLICE))
        for key, score in members:
            del self._missing[key]
            self._items[key] = (score, None)
        repairs = []
        for read in self._preparation.read(members):
            item = self._preparation.item(read, now, ahead=True)
            if item is not None and not item.log:
                repairs.append(item)
            else:
                self._items[read.key] = (read.score, item)
        return repairs, bool(self._missing)

    def _look(self, now: float) -> None:
        self._next_look = clock.monotonic() + _LOOK_PERIOD
        coming = cast(
            "list[tuple[str, float]]",
            self._link.client.zrange(
                self._link.keys.schedule,
                f"({now}",
                str(now + HORIZON),
                byscore=True,
                offset=0,
                num=MOST,
                withscores=True,
            ),
        )
        known = self._items
        self._items = {key: known[key] for key, score in coming if key in known and known[key][0] == score}
        self._missing = {key: score for key, score in [*coming, *self._hints()] if key not in self._items}

    def _hints(self) -> list[tuple[str, float]]:
        """Entries that RedBeat's code gave a score: it may be later than the slot. The index is walked, a page a look."""
        self._rank, *found = self._link.script("walk", [self._link.keys.schedule], [self._rank, _PAGE])
        return [(key, float(score)) for key, score in zip(found[::2], found[1::2], strict=True)]
