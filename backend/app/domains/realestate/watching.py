"""Which complexes are watched: added by number, one or many at a time; no longer watched without losing anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from app.domains.realestate.models import Complex
from app.domains.realestate.services import is_complex_id

LONGEST_NAME = 200


@dataclass(frozen=True)
class Wanted:
    """A complex to be watched. Without a name it is called by its number until its first crawl."""

    complex_id: str
    complex_name: str = ""


@dataclass(frozen=True)
class Watched:
    """What came of it: numbers that are new, watched again, and watched already; a known complex keeps its name."""

    added: tuple[str, ...]
    resumed: tuple[str, ...]
    kept: tuple[str, ...]


def watch(wanted: Sequence[Wanted], *, dry_run: bool = False) -> Watched:
    """Watch these complexes, all of them or, where one can't be, none. A dry run writes nothing.

    Raises:
        ValueError: a complex_id that isn't one, or a name that is too long.
    """
    for each in wanted:
        if not is_complex_id(each.complex_id):
            raise ValueError(f"complex_id must be digits, not {each.complex_id[:50]!r}")
        if len(each.complex_name) > LONGEST_NAME:
            raise ValueError(f"complex_name must have at most {LONGEST_NAME} characters")
    names: dict[str, str] = {}
    for each in wanted:
        names[each.complex_id] = names.get(each.complex_id) or each.complex_name.strip() or each.complex_id
    with transaction.atomic():
        known = dict(Complex.objects.filter(complex_id__in=names).values_list("complex_id", "is_watched"))
        result = Watched(
            added=tuple(number for number in names if number not in known),
            resumed=tuple(number for number in names if known.get(number) is False),
            kept=tuple(number for number in names if known.get(number) is True),
        )
        if not dry_run:
            rows = [Complex(complex_id=number, complex_name=names[number]) for number in result.added]
            Complex.objects.bulk_create(rows, ignore_conflicts=True)
            _set_watched(result.resumed, True)
    return result


def set_watched(complex_id: str, watched: bool) -> bool:
    """Watch a known complex, or stop watching it; everything that was saved stays. False where it isn't known."""
    return _set_watched((complex_id,), watched) == 1


def _set_watched(numbers: Sequence[str], watched: bool) -> int:
    found: Any = Complex.objects.filter(complex_id__in=numbers)
    return int(found.update(is_watched=watched, updated_at=timezone.now()))
