"""What a reader of the site would call a change, told again from the rules' words and not from the product's code.

It knows numbers, not price texts, and remembers of each listing how often it was missed instead of when it was seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass

#: (kind, article, difference in 만원): what the product is to report.
Told = tuple[str, str, int | None]


@dataclass(frozen=True)
class Offer:
    """A listing as the site shows it: kind of trade, price or deposit, rent; `price` None where its text says nothing."""

    trade: str
    price: int | None
    rent: int | None = None


@dataclass
class _Listing:
    offer: Offer
    up: bool = True
    missed: int = 0


class Model:
    """One complex whose listings are watched."""

    def __init__(self) -> None:
        self._listings: dict[str, _Listing] = {}
        self._crawls = 0

    @property
    def up(self) -> set[str]:
        """The listings that count as being there."""
        return {number for number, listing in self._listings.items() if listing.up}

    def crawl(self, site: Mapping[str, Offer], *, whole: bool) -> list[Told]:
        """A crawl that found `site`; not `whole` where the list moved while it was read. Returns what is news."""
        were_up = self.up
        told = [news for number, offer in site.items() if (news := self._see(number, offer))]
        missing = were_up - site.keys()
        doubtful = not whole or (len(were_up) >= 10 and len(missing) > len(were_up) / 2)
        for number in missing:
            listing = self._listings[number]
            listing.missed += 1
            if not doubtful or listing.missed == 2:
                listing.up = False
                told.append(("REMOVED", number, None))
        self._crawls += 1
        return told

    def _see(self, number: str, offer: Offer) -> Told | None:
        before = self._listings.get(number)
        self._listings[number] = _Listing(offer)
        if before is None:
            return ("NEW", number, None) if self._crawls else None
        moved = _difference(before.offer, offer)
        if not before.up:
            return "RELISTED", number, moved or None
        return ("PRICE_UP" if moved > 0 else "PRICE_DOWN", number, moved) if moved else None


def _difference(before: Offer, after: Offer) -> int:
    """How much more it asks: of the price, or of the rent where the price stayed; 0 where that can't be said."""
    if before.trade != after.trade or before.price is None or after.price is None:
        return 0
    by_rent = (after.rent or 0) - (before.rent or 0) if before.rent is not None and after.rent is not None else 0
    return after.price - before.price or by_rent
