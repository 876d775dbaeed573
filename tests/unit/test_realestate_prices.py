"""Korean prices, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domains.realestate.prices import LARGEST, Price, PriceTextError, format_amount, parse_amount, parse_price


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("11억 5,000", Price(115_000)),
        ("10억 500", Price(100_500)),
        ("10억 5", Price(100_005)),
        ("3억", Price(30_000)),
        ("9,800", Price(9_800)),
        ("9800", Price(9_800)),
        ("500", Price(500)),
        ("1억5,000", Price(15_000)),
        (" 2억  3,500 ", Price(23_500)),
        ("5,000/140", Price(5_000, 140)),
        ("1억/100", Price(10_000, 100)),
        ("1억 2,000 / 1,050", Price(12_000, 1_050)),
        ("0/50", Price(0, 50)),
    ],
)
def test_prices_are_read(text: str, price: Price) -> None:
    assert parse_price(text) == price


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "억", "가격 협의", "11억 15,000", "12,34", "1,23,456", "-500", "1.5억", "1억 2억", "5,000/", "/140",
        "5,000/140/3", "11억 5,000만원", "１억", "9" * 30, "200000억", "NaN",
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(PriceTextError) as caught:
        parse_price(text)
    assert "가격" in caught.value.text("ko")


@given(st.integers(0, LARGEST))
def test_an_amount_survives_writing_and_reading(amount: int) -> None:
    assert parse_amount(format_amount(amount)) == amount


@given(st.integers(0, LARGEST), st.none() | st.integers(0, LARGEST))
def test_a_price_survives_writing_and_reading(amount: int, rent: int | None) -> None:
    assert parse_price(str(Price(amount, rent))) == Price(amount, rent)


@given(st.integers(0, LARGEST), st.integers(0, LARGEST))
def test_a_larger_text_is_a_larger_number(one: int, other: int) -> None:
    assert (parse_amount(format_amount(one)) < parse_amount(format_amount(other))) == (one < other)


@given(st.text(max_size=30))
def test_no_text_does_anything_but_parse_or_be_refused(text: str) -> None:
    try:
        price = parse_price(text)
    except PriceTextError:
        return
    assert 0 <= price.amount <= LARGEST


def test_a_negative_amount_is_not_written() -> None:
    with pytest.raises(ValueError, match="negative"):
        format_amount(-1)
