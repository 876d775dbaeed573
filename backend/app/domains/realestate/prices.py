"""Korean prices, both ways. Everything is in 만원 (10,000 won); 1억 is 10,000 of them.

"11억 5,000" is 115,000 · "10억 500" is 100,500 · "3억" is 30,000 · "9,800" is 9,800 · "5,000/140" is a deposit of
5,000 with 140 a month. Spaces around the parts don't matter, and neither do missing thousands' commas; anything else
is refused, because a price that was half understood looks like a sudden change.
"""

import re
from dataclasses import dataclass

from livebeat.errors import LivebeatError

MAN_PER_EOK = 10_000
#: 10조 won: above it a number isn't the price of a home, and the columns end not far beyond.
LARGEST = 1_000_000_000
_NUMBER = r"(?:\d{1,3}(?:,\d{3})+|\d{1,9})"
_AMOUNT = re.compile(rf"(?:(?P<eok>{_NUMBER})\s*억)?\s*(?P<man>{_NUMBER})?", re.ASCII)


class PriceTextError(LivebeatError, ValueError):
    """`text` is no price."""

    en = "Not a price: {text!r}. Prices look like 11억 5,000 or 5,000/140."
    ko = "가격을 읽을 수 없습니다: {text!r}. '11억 5,000' 또는 '5,000/140' 형식이어야 합니다."


@dataclass(frozen=True)
class Price:
    """A price or deposit, and the monthly rent where there is one; both in 만원."""

    amount: int
    monthly_rent: int | None = None

    def __str__(self) -> str:
        text = format_amount(self.amount)
        return text if self.monthly_rent is None else f"{text}/{format_amount(self.monthly_rent)}"


def parse_price(text: str) -> Price:
    """A listing's price text.

    Raises:
        PriceTextError: not a price.
    """
    deposit, slash, rent = text.partition("/")
    try:
        return Price(parse_amount(deposit), parse_amount(rent) if slash else None)
    except PriceTextError:
        raise PriceTextError(text=text[:100]) from None


def parse_amount(text: str) -> int:
    """One amount in 만원.

    Raises:
        PriceTextError: not an amount, above `LARGEST`, or what follows 억 reaches another 억.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None or not text.strip():
        raise PriceTextError(text=text[:100])
    eok, man = (int((match[name] or "0").replace(",", "")) for name in ("eok", "man"))
    amount = eok * MAN_PER_EOK + man
    if amount > LARGEST or (match["eok"] and man >= MAN_PER_EOK):
        raise PriceTextError(text=text[:100])
    return amount


def format_amount(amount: int) -> str:
    """`amount` 만원 as the site writes it. Raises ValueError below zero."""
    if amount < 0:
        raise ValueError("a price is not negative")
    eok, man = divmod(amount, MAN_PER_EOK)
    if not eok:
        return f"{man:,}"
    return f"{eok:,}억 {man:,}" if man else f"{eok:,}억"
