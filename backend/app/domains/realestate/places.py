"""Which complex a trade's apartment is: chosen before by hand or by us, else the one complex whose name and place fit.

A name alone is no proof — there is a 현대 in every town — so the year and the address must not contradict it, and one
of them must speak for it. Where that leaves none, or two, the trade stays without a complex.
"""

import re

from app.clients.real_trades import Trade
from app.domains.realestate.models import Complex, Transaction

_NO_PART_OF_A_NAME = re.compile(r"아파트|[^0-9a-z가-힣]")
#: The site's year is that of the approval, the ministry's that of the building.
_YEARS_APART = 1


class Places:
    """The complexes that trades of one region may belong to, as they are known now."""

    def __init__(self, region: str) -> None:
        told = Transaction.objects.filter(region_code=region).exclude(complex=None).order_by()
        apartments = told.values_list("legal_dong", "jibun", "apartment_name", "complex_id").distinct()
        self._chosen = {(dong, jibun, name): str(number) for dong, jibun, name, number in apartments}
        self._named: dict[str, list[Complex]] = {}
        for row in Complex.objects.order_by("pk"):
            self._named.setdefault(plain_name(row.complex_name), []).append(row)

    def complex_of(self, trade: Trade) -> str | None:
        """The number of the complex that the trade belongs to, or None."""
        chosen = self._chosen.get((trade.legal_dong, trade.jibun, trade.apartment))
        if chosen is not None:
            return chosen
        fitting = [row for row in self._named.get(plain_name(trade.apartment), []) if _fits(row, trade)]
        return fitting[0].complex_id if len(fitting) == 1 else None


def plain_name(name: str) -> str:
    """A name without spaces, signs, capitals and the word 아파트."""
    return _NO_PART_OF_A_NAME.sub("", name.lower())


def _fits(row: Complex, trade: Trade) -> bool:
    evidence = [said for said in (_year_fits(row, trade), _place_fits(row, trade)) if said is not None]
    return bool(evidence) and all(evidence)


def _year_fits(row: Complex, trade: Trade) -> bool | None:
    year = (row.completion_date or "")[:4]
    if trade.build_year is None or not (year.isascii() and year.isdigit()):
        return None
    return abs(int(year) - trade.build_year) <= _YEARS_APART


def _place_fits(row: Complex, trade: Trade) -> bool | None:
    address = row.jibun_address or row.address
    if not address or not trade.legal_dong:
        return None
    return trade.legal_dong.split()[-1] in address.split()
