"""Importing real trades against the ministry's simulator: rows, repeats, calls a day, and why an import fails."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
import redis
from pydantic import SecretStr

from app.clients.http import Patience
from app.clients.real_trades import RealTradesClient
from app.core.errors import (
    NotConfiguredError,
    PlatformError,
    RateLimitedError,
    ShapeChangedError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from app.core.settings import Settings
from app.domains.realestate import trades
from app.domains.realestate.models import Complex, Transaction
from simulators import real_trades
from support.serving import Simulator

pytest_plugins = ["support.ministry"]
pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PATIENCE = Patience(connect=1.0, read=1.0, total=10.0, hold=3.0, attempts=2, backoff=0.001)
Import = Callable[..., dict[str, Any]]


@pytest.fixture
def imported(keyed: Settings) -> Import:
    """Imports the two newest months of region 41590."""

    def run(regions: list[str] | None = None, months: int = 1, **more: Any) -> dict[str, Any]:
        given = {"settings": keyed, "patience": PATIENCE, "now": NOW, **more}
        return trades.import_trades(regions or ["41590"], months, **given)

    return run


def test_a_trade_with_everything_that_is_kept(imported: Import, ministry: Simulator) -> None:
    ministry.change(add=[{"dealAmount": "115,000", "aptDong": "1503", "floor": "-1"}])
    result = imported()
    row = Transaction.objects.get()
    assert (row.trade_date, row.deal_price, row.formatted_price, row.floor) == ("20261109", 115_000, "11억 5,000", -1)
    assert (row.exclusive_area, row.region_code, row.legal_dong, row.jibun) == (84.83, "41590", "오산동", "101")
    assert (row.apartment_name, row.building_name, row.build_year) == ("데모마을", "1503", 2018)
    assert (row.complex_id, row.cancelled_on, row.trade_type) == (None, None, "매매")
    assert (result["trades"], result["new"], result["unmatched"], result["months"]) == (1, 1, 1, ["202611"])
    assert json.loads(json.dumps(result)) == result


def test_importing_again_changes_nothing(imported: Import, ministry: Simulator) -> None:
    ministry.change(
        add=[{}, {}, {"floor": "3"}, {"aptNm": "다른마을"}, {"excluUseAr": "59.9"}, {"dealAmount": "9,800"}]
    )
    assert imported()["new"] == 5  # the first two are one trade
    before = list(Transaction.objects.order_by("pk").values())
    again = imported()
    assert (again["trades"], again["new"], again["updated"]) == (5, 0, 0)
    assert list(Transaction.objects.order_by("pk").values()) == before


def test_a_trade_that_was_called_off_is_marked(imported: Import, ministry: Simulator) -> None:
    ministry.change(add=[{}, {"floor": "3"}])
    imported()
    ministry.change(set={"0": {"cdealType": "O", "cdealDay": "26.11.15"}})
    result = imported()
    assert (result["updated"], result["cancelled"]) == (1, 1)
    assert dict(Transaction.objects.values_list("floor", "cancelled_on")) == {12: "20261115", 3: None}


@pytest.mark.parametrize("order", [1, -1])
def test_a_trade_that_was_signed_again_stands(imported: Import, ministry: Simulator, order: int) -> None:
    ministry.change(add=[{"cdealType": "O", "cdealDay": "26.11.15"}, {}][::order])
    imported()
    assert Transaction.objects.get().cancelled_on is None


def test_a_month_of_several_pages_and_several_months(imported: Import, ministry: Simulator) -> None:
    ministry.change(add=[{"floor": str(n)} for n in range(1001)] + [{"dealMonth": "9"}, {"region": "11680"}])
    heard: list[tuple[int, int]] = []
    result = imported(["41590", "11680", "41590"], months=3, tell=lambda *said: heard.append(said))
    assert (result["new"], Transaction.objects.count()) == (1003, 1003)
    assert result["months"] == ["202611", "202610", "202609"]
    assert result["regions"] == ["41590", "11680"]
    assert heard == [(n, 6) for n in range(1, 7)]
    assert len(ministry.requests()) == 7


def test_an_honest_nothing_is_no_error(imported: Import, ministry: Simulator) -> None:
    assert imported()["trades"] == 0
    ministry.fault("no_data")
    assert imported()["trades"] == 0


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("status_500", UpstreamUnavailableError),
        ("status_503", UpstreamUnavailableError),
        ("timeout", UpstreamUnavailableError),
        ("cut", UpstreamUnavailableError),
        ("html", UpstreamUnavailableError),
        ("bad_xml", UpstreamUnavailableError),
        ("broken", UpstreamUnavailableError),
        ("rate_limit", RateLimitedError),
        ("used_up", RateLimitedError),
        ("bad_key", UpstreamRejectedError),
        ("redirect_404", UpstreamRejectedError),
        ("shape", ShapeChangedError),
        ("short", ShapeChangedError),
        ("entities", ShapeChangedError),
        ("huge", ShapeChangedError),
        ("wrong_month", ShapeChangedError),
    ],
)
def test_each_failure_has_its_name_and_a_second_import_heals_it(
    imported: Import, ministry: Simulator, keyed: Settings, kind: str, error: type[PlatformError]
) -> None:
    ministry.change(add=[{}])
    ministry.fault(kind, times=None, delay=1.5)
    with pytest.raises(PlatformError) as caught:
        imported()
    assert type(caught.value) is error
    for text in (str(caught.value), caught.value.text("ko")):
        assert real_trades.KEY not in text
        assert quote(real_trades.KEY, safe="") not in text
    assert not Transaction.objects.exists()
    ministry.faults()
    with redis.Redis.from_url(keyed.client_url) as client:
        client.flushall()  # another day
    assert imported()["new"] == 1


def test_what_was_imported_before_a_failure_stays(imported: Import, ministry: Simulator) -> None:
    ministry.change(add=[{}])
    ministry.fault("shape", times=None, after=1)
    ministry.change(add=[{"dealMonth": "10"}])
    with pytest.raises(ShapeChangedError, match="41590 202610 page 1: item 1: aptNm is missing"):
        imported(months=2)
    assert Transaction.objects.count() == 1


def test_the_days_calls_are_shared_and_not_exceeded(imported: Import, ministry: Simulator, keyed: Settings) -> None:
    few = keyed.model_copy(update={"molit_calls_per_day": 3})
    imported(months=2, settings=few)
    with pytest.raises(RateLimitedError, match="today's 3 calls") as caught:
        imported(months=2, settings=few)
    assert len(ministry.requests()) == 3
    assert 0 < (caught.value.retry_after or 0) <= 24 * 3600
    with redis.Redis.from_url(few.client_url) as client:
        (key,) = client.keys("app:budget:molit:*")
        assert 0 < client.ttl(key) <= 24 * 3600


def test_once_the_ministry_says_so_nobody_asks_again_today(imported: Import, ministry: Simulator) -> None:
    ministry.fault("used_up")
    for _ in range(2):
        with pytest.raises(RateLimitedError):
            imported()
    assert len(ministry.requests()) == 1


@pytest.mark.parametrize("retry_after", [None, 60])
def test_a_ministry_that_asks_to_slow_down_is_left_alone(
    imported: Import, ministry: Simulator, retry_after: float | None
) -> None:
    ministry.fault("rate_limit", retry_after=retry_after)
    for _ in range(2):
        with pytest.raises(RateLimitedError):
            imported()
    assert len(ministry.requests()) == 1


@pytest.mark.parametrize("spelling", [str, lambda key: quote(key, safe="")])
def test_either_spelling_of_the_key_is_taken(
    ministry: Simulator, keyed: Settings, spelling: Callable[[str], str]
) -> None:
    settings = keyed.model_copy(update={"molit_api_key": SecretStr(spelling(real_trades.KEY))})
    with RealTradesClient(settings=settings, patience=PATIENCE) as client:
        assert client.trades("41590", "202611") == []


def test_without_a_key_it_says_so(imported: Import, keyed: Settings) -> None:
    with pytest.raises(NotConfiguredError, match="MOLIT_API_KEY"):
        imported(settings=keyed.model_copy(update={"molit_api_key": None}))


@pytest.mark.parametrize(
    ("regions", "months"), [(["4159"], 1), (["4159x"], 1), (["41590"], 0), (["41590"], 121), (["41590"] * 2, 121)]
)
def test_questions_that_cannot_be_asked(imported: Import, regions: list[str], months: int) -> None:
    with pytest.raises(ValueError, match=r"must be|first five digits"):
        imported(regions, months)


@pytest.mark.parametrize(
    ("known", "fits"),
    [
        ({"complex_name": "데모 마을 아파트", "completion_date": "20180129"}, True),
        ({"complex_name": "데모마을", "jibun_address": "경기도 화성시 오산동 101"}, True),
        ({"complex_name": "데모마을"}, False),  # a name alone is no proof
        ({"complex_name": "데모마을", "completion_date": "19990101"}, False),
        ({"complex_name": "데모마을", "completion_date": "20180129", "address": "서울시 강남구 대치동"}, False),
        ({"complex_name": "데모마을2단지", "completion_date": "20180129"}, False),
    ],
)
def test_a_trade_finds_its_complex_by_name_and_place(
    imported: Import, ministry: Simulator, known: dict[str, str], fits: bool
) -> None:
    Complex.objects.create(complex_id="109208", **known)
    ministry.change(add=[{}])
    assert imported()["unmatched"] == (0 if fits else 1)
    assert Transaction.objects.get().complex_id == ("109208" if fits else None)


def test_two_complexes_that_fit_are_none(imported: Import, ministry: Simulator) -> None:
    for number in ("1", "2"):
        Complex.objects.create(complex_id=number, complex_name="데모마을", completion_date="2018")
    ministry.change(add=[{}])
    assert imported()["unmatched"] == 1


def test_a_choice_made_by_hand_stays_and_holds_for_the_apartments_next_trades(
    imported: Import, ministry: Simulator
) -> None:
    ministry.change(add=[{}])
    imported()
    Complex.objects.create(complex_id="7", complex_name="가람마을")
    Transaction.objects.update(complex_id="7")
    Complex.objects.create(complex_id="8", complex_name="데모마을", completion_date="2018")
    ministry.change(add=[{"floor": "2"}])
    imported()
    assert set(Transaction.objects.values_list("complex_id", flat=True)) == {"7"}


def test_the_old_crawlers_rows_are_taken_over_not_doubled(imported: Import, ministry: Simulator) -> None:
    complex_row = Complex.objects.create(complex_id="7", complex_name="데모마을", completion_date="20180129")
    old = Transaction.objects.create(
        complex=complex_row, trade_date="20261109", deal_price=82_500, floor=12, exclusive_area=84.83
    )
    ministry.change(add=[{}])
    assert imported()["updated"] == 1
    row = Transaction.objects.get()
    assert (row.pk, row.apartment_name, bool(row.trade_key)) == (old.pk, "데모마을", True)
