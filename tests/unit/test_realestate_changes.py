"""What counts as a change between two crawls."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domains.realestate.changes import Known, Seen, appeared_or_repriced, readable, removed

LAST = datetime(2026, 11, 1, tzinfo=UTC)


def known(
    no: str, price: str = "3억", *, active: bool = True, seen_at: datetime | None = LAST, rent: int | None = None
) -> Known:
    return Known(no, "매매", price, rent, active, seen_at)


def seen(no: str, price: str = "3억", trade: str = "매매") -> Seen:
    return Seen(no, trade, price, readable(price))


def by_number(*articles: Known) -> dict[str, Known]:
    return {article.article_no: article for article in articles}


def test_a_first_crawl_reports_nothing_new() -> None:
    assert appeared_or_repriced({}, [seen("1"), seen("2")], first_crawl=True) == []
    assert [c.type for c in appeared_or_repriced({}, [seen("1")], first_crawl=False)] == ["NEW"]


def test_a_listing_that_comes_back_is_relisted_with_what_its_price_did() -> None:
    gone = by_number(known("1", active=False))
    (dearer,) = appeared_or_repriced(gone, [seen("1", "4억")], first_crawl=False)
    assert (dearer.type, dearer.old_price, dearer.new_price, dearer.amount) == ("RELISTED", "3억", "4억", 10_000)
    (same,) = appeared_or_repriced(gone, [seen("1")], first_crawl=False)
    assert (same.type, same.amount, same.percent) == ("RELISTED", None, None)
    (other,) = appeared_or_repriced(gone, [seen("1", "4억", "전세")], first_crawl=False)
    assert (other.type, other.amount) == ("RELISTED", None)


@pytest.mark.parametrize(
    ("before", "after", "trade"),
    [
        ("3억", "3억", "매매"),
        ("3억", "30,000", "매매"),
        ("3억", "협의", "매매"),
        ("협의", "3억", "매매"),
        ("3억", "4억", "전세"),
    ],
)
def test_what_is_no_price_change(before: str, after: str, trade: str) -> None:
    assert appeared_or_repriced(by_number(known("1", before)), [seen("1", after, trade)], first_crawl=False) == []


def test_the_deposit_decides_and_then_the_rent() -> None:
    def change(before: str, after: str) -> tuple[str, int | None]:
        (found,) = appeared_or_repriced(by_number(known("1", before)), [seen("1", after)], first_crawl=False)
        return found.type, found.amount

    assert change("5,000/140", "5,000/130") == ("PRICE_DOWN", -10)
    assert change("5,000/140", "6,000/100") == ("PRICE_UP", 1_000)


def test_a_change_from_nothing_has_no_percentage() -> None:
    (change,) = appeared_or_repriced(by_number(known("1", "0/50")), [seen("1", "100/50")], first_crawl=False)
    assert (change.type, change.percent) == ("PRICE_UP", None)


def test_a_missing_listing_is_removed_at_once_from_a_steady_list() -> None:
    gone, waits = removed(by_number(known("1"), known("2")), {"1"}, steady=True, previous_crawl_at=LAST)
    assert [change.article_no for change in gone] == ["2"]
    assert waits == 0


def test_an_unsteady_list_removes_only_what_was_missing_before() -> None:
    before = LAST - timedelta(days=1)
    articles = by_number(known("1"), known("2"), known("3", seen_at=before), known("4", seen_at=None))
    gone, waits = removed(articles, {"1"}, steady=False, previous_crawl_at=LAST)
    assert {change.article_no for change in gone} == {"3", "4"}
    assert waits == 1


def test_more_than_half_at_once_waits_for_a_second_crawl_unless_there_are_few() -> None:
    ten = by_number(*(known(str(n)) for n in range(10)))
    assert removed(ten, {"0", "1", "2", "3"}, steady=True, previous_crawl_at=LAST) == ([], 6)
    assert len(removed(ten, {"0", "1", "2", "3", "4"}, steady=True, previous_crawl_at=LAST)[0]) == 5
    three = by_number(*(known(str(n)) for n in range(3)))
    assert len(removed(three, set(), steady=True, previous_crawl_at=None)[0]) == 3


def test_inactive_listings_are_not_removed_again() -> None:
    assert removed(by_number(known("1", active=False)), set(), steady=True, previous_crawl_at=LAST) == ([], 0)
