"""What people read over REST: complexes, listings and their history, changes, trades, CSV, the briefing's preview."""

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from app.domains.realestate import crawls
from app.domains.realestate.models import (
    Article,
    ArticleChange,
    ArticleSnapshot,
    Complex,
    OddAnswer,
    Transaction,
)
from livebeat import clock

pytest_plugins = ["support.api"]

BASE = "/api/realestate"
AT = datetime(2026, 11, 2, 6, tzinfo=UTC)


def listing(number: str, complex_id: str = "109208", **values: Any) -> Article:
    Complex.objects.get_or_create(complex_id=complex_id, defaults={"complex_name": f"단지 {complex_id}"})
    given = {"trade_type": "매매", "price": "3억", "price_amount": 30_000, "area2": 84.9, **values}
    return Article.objects.create(article_no=number, complex_id=complex_id, **given)


def change(number: str, complex_id: str = "109208", **values: Any) -> ArticleChange:
    given = {"change_type": "NEW", "detected_at": AT, **values}
    return ArticleChange.objects.create(article_no=number, complex_id=complex_id, **given)


def numbers(api: httpx2.Client, path: str = "listings", name: str = "article_no", **query: Any) -> list[Any]:
    answer = api.get(f"{BASE}/{path}", params=query)
    assert answer.status_code == 200, answer.text
    return [row[name] for row in answer.json()["items"]]


def test_a_complex_is_added_by_number_and_known_ones_stay(api: httpx2.Client) -> None:
    answer = api.post(f"{BASE}/complexes", json={"complex_id": "109208"})
    assert (answer.status_code, answer.json()["complex_name"]) == (201, "109208")
    Complex.objects.update(complex_name="시범반도", is_watched=False)
    again = api.post(f"{BASE}/complexes", json={"complex_id": "109208", "complex_name": "x"})
    assert (again.status_code, again.json()["complex_name"], again.json()["is_watched"]) == (200, "시범반도", True)
    assert api.get(f"{BASE}/complexes/109208").json() == again.json()
    for bad in ("x1", "", "1" * 21, "١٢"):
        assert api.post(f"{BASE}/complexes", json={"complex_id": bad}).status_code == 422
    assert api.get(f"{BASE}/complexes/7").status_code == 404


def test_no_longer_watched_loses_nothing_but_its_crawls(api: httpx2.Client) -> None:
    listing("1")
    change("1")
    stopped = api.patch(f"{BASE}/complexes/109208", json={"is_watched": False})
    assert stopped.json()["is_watched"] is False
    assert (Article.objects.count(), ArticleChange.objects.count()) == (1, 1)
    assert crawls.begin("11111111-1111-4111-8111-111111111111", "r", "manual") == []
    assert numbers(api, "complexes", "complex_id", watched=True) == []
    assert api.get("/api/scheduler/complexes").json()["total"] == 0
    assert api.patch(f"{BASE}/complexes/109208", json={"is_watched": True}).json()["is_watched"]
    unknown = api.patch(f"{BASE}/complexes/8", json={"is_watched": True}, headers={"accept-language": "en"})
    assert (unknown.status_code, unknown.json()["detail"]) == (404, "No complex has the number '8'.")


def test_a_list_is_imported_whole_as_json_or_csv(api: httpx2.Client) -> None:
    Complex.objects.create(complex_id="1", complex_name="가", is_watched=False)
    Complex.objects.create(complex_id="2", complex_name="나")
    records = [{"complex_id": "1"}, {"complex_id": 2}, {"complex_id": "3", "complex_name": "다"}]
    dry = api.post(f"{BASE}/complexes/import", params={"dry_run": True}, json=records).json()
    assert dry == {"dry_run": True, "added": ["3"], "resumed": ["1"], "kept": ["2"]}
    assert set(Complex.objects.values_list("complex_id", "is_watched")) == {("1", False), ("2", True)}
    text = '\ufeffcomplex_name,complex_id\r\n가,1\r\n나,2\r\n"다, 마을",3\r\n'
    done = api.post(f"{BASE}/complexes/import", content=text.encode(), headers={"content-type": "text/csv"}).json()
    assert done == {**dry, "dry_run": False}
    assert set(Complex.objects.values_list("complex_id", "is_watched")) == {("1", True), ("2", True), ("3", True)}
    assert Complex.objects.get(complex_id="3").complex_name == "다, 마을"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ('[{"complex_id": "9"}, {"complex_id": "x"}]', "application/json"),
        ('[{"complex_id": "9", "more": 1}]', "application/json"),
        ('[{"complex_id": true}]', "application/json"),
        ("[]", "application/json"),
        ("{}", "application/json"),
        ("[" * 5000, "application/json"),
        ("complex_id\n9\n=cmd\n", "text/csv"),
        ("name\nx\n", "text/csv"),
        ("", "text/csv"),
        ('complex_id\n"9\n', "text/csv"),
        ("complex_id\n" + "9\n" * 1001, "text/csv"),
    ],
)
def test_a_list_with_something_unusable_changes_nothing(api: httpx2.Client, content: str, kind: str) -> None:
    answer = api.post(f"{BASE}/complexes/import", content=content.encode(), headers={"content-type": kind})
    assert answer.status_code == 422, answer.text
    assert answer.json()["detail"]
    assert not Complex.objects.exists()


def test_csv_that_is_not_utf8_is_refused(api: httpx2.Client) -> None:
    content = "complex_id,complex_name\n9,가\n".encode("cp949")
    answer = api.post(f"{BASE}/complexes/import", content=content, headers={"content-type": "text/csv"})
    assert "UTF-8" in answer.json()["detail"]


def test_listings_filtered(api: httpx2.Client) -> None:
    listing("1", trade_type="전세", price="9,800", price_amount=9_800)
    listing("2", is_active=False, area2=59.9)
    listing("3", complex_id="7", price="11억 5,000", price_amount=115_000)
    listing("4", price="협의", price_amount=None)
    change("2", detected_at=AT)
    change("3", "7", detected_at=AT - timedelta(days=1))
    assert numbers(api) == ["4", "3", "2", "1"]
    assert numbers(api, complex_id="7") == ["3"]
    assert numbers(api, trade_type="전세") == ["1"]
    assert numbers(api, active=False) == ["2"]
    assert numbers(api, price_min=9_801) == ["3", "2"]
    assert numbers(api, price_min=9_800, price_max=30_000) == ["2", "1"]
    assert numbers(api, area_max=60) == ["2"]
    assert numbers(api, area_min=60.5, complex_id="109208") == ["4", "1"]
    assert numbers(api, changed_since=AT.isoformat()) == ["2"]


def test_listings_in_pages(api: httpx2.Client) -> None:
    for number in range(5):
        listing(str(number))
    first = api.get(f"{BASE}/listings", params={"limit": 2}).json()
    second = api.get(f"{BASE}/listings", params={"limit": 3, "cursor": first["next"]}).json()
    assert [row["article_no"] for row in [*first["items"], *second["items"]]] == ["4", "3", "2", "1", "0"]
    assert second["next"] is None


def test_one_listing_with_its_history(api: httpx2.Client) -> None:
    listing("1", price="11억", price_amount=110_000)
    for day, price in enumerate(["12억", "12억", "11억 5,000", "11억"]):
        at = AT + timedelta(days=day)
        ArticleSnapshot.objects.create(complex_id="109208", article_no="1", price=price, snapshot_date=at)
    change("1", change_type="PRICE_DOWN", old_price="12억", new_price="11억 5,000", price_change_amount=-5_000)
    found = api.get(f"{BASE}/listings/1").json()
    assert [item["price"] for item in found["price_history"]] == ["12억", "11억 5,000", "11억"]
    assert found["price_history"][0]["last_seen_at"].startswith("2026-11-03")
    assert [item["amount"] for item in found["price_history"]] == [120_000, 115_000, 110_000]
    assert [item["price_change_amount"] for item in found["changes"]] == [-5_000]
    assert api.get(f"{BASE}/listings/999").status_code == 404


def test_changes_are_filtered_and_marked_read(api: httpx2.Client) -> None:
    listing("1")
    listing("2", complex_id="7")
    ids = [change("1").pk, change("1", change_type="RELISTED").pk, change("2", "7", is_read=None).pk]
    assert numbers(api, "changes", "id") == ids[::-1]
    assert numbers(api, "changes", "id", change_type="RELISTED") == [ids[1]]
    assert api.post(f"{BASE}/changes/read", json={"ids": [ids[0], 999]}).json() == {"marked": 1}
    assert numbers(api, "changes", "id", unread=True) == [ids[2], ids[1]]
    assert numbers(api, "changes", "id", unread=False) == [ids[0]]
    assert api.post(f"{BASE}/changes/read", json={"up_to": ids[2], "complex_id": "7"}).json() == {"marked": 1}
    assert numbers(api, "changes", "id", unread=True, since=AT.isoformat()) == [ids[1]]
    for form in ({}, {"ids": [1], "up_to": 1}, {"ids": ["1"]}, {"ids": [1] * 1001}):
        assert api.post(f"{BASE}/changes/read", json=form).status_code == 422


def test_trades_filtered(api: httpx2.Client) -> None:
    listing("1")
    for month, more in (("10", {"complex_id": "109208"}), ("11", {"cancelled_on": "20261120"}), ("11", {})):
        Transaction.objects.create(trade_date=f"2026{month}09", region_code="41590", deal_price=1, **more)
    assert len(numbers(api, "trades", "id", region_code="41590")) == 3
    assert len(numbers(api, "trades", "id", month="202611")) == 2
    assert len(numbers(api, "trades", "id", month="202611", cancelled=False)) == 1
    assert numbers(api, "trades", "complex_id", matched=True) == ["109208"]


def test_odd_answers_are_shown(api: httpx2.Client) -> None:
    OddAnswer.objects.create(created_at=AT, complex_id="7", step="articles", error="ShapeChangedError", reason="r")
    assert numbers(api, "odd-answers", "step") == ["articles"]


@pytest.mark.parametrize(
    "query",
    [
        "listings?price_min=-1", "listings?price_min=x", "listings?area_min=nan", "listings?cursor=-1",
        "listings?limit=501", "listings?changed_since=2026-11-02", "listings?changed_since=2026-11-02T06:00:00",
        "listings?trade_type=%00", "listings?complex_id=%27", "changes?change_type=GONE", "trades?month=2026-11",
        "trades?region_code=4159", "briefing?days=0", "briefing?days=367", "listings?active=maybe",
    ],
)  # fmt: skip
def test_bad_questions_are_422_in_the_readers_language(api: httpx2.Client, query: str) -> None:
    ko, en = (api.get(f"{BASE}/{query}", headers={"accept-language": language}) for language in ("ko", "en"))
    assert (ko.status_code, en.status_code) == (422, 422)
    assert any("가" <= letter <= "힣" for letter in ko.json()["detail"])
    assert en.json()["detail"].isascii()


def test_the_preview_of_the_briefing(api: httpx2.Client) -> None:
    listing("1")
    change("1", detected_at=clock.now(), new_price="3억")
    shown = api.get(f"{BASE}/briefing", params={"days": 1}).json()
    assert (shown["changes"], shown["by_type"]) == (1, {"NEW": 1})
    assert shown["channels"]["slack"]["configured"] is False
    assert "[신규] 3억" in shown["channels"]["slack"]["posts"][0]
    assert ArticleChange.objects.get().is_read is False


def table(answer: httpx2.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    text = answer.content.decode("utf-8")
    assert text.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "＝1", '=HYPERLINK("http://x";"y")']


def test_no_cell_of_a_csv_is_a_formula(api: httpx2.Client) -> None:
    for number, text in enumerate(FORMULAS):
        listing(str(number), feature_desc=text, realtor_name='보통 "이름", 둘')
        change(str(number), building_name=text, price_change_amount=-5_000)
    rows = table(api.get(f"{BASE}/listings.csv"))[::-1]
    assert [row["feature_desc"] for row in rows] == [f"'{text}" for text in FORMULAS]
    assert {row["realtor_name"] for row in rows} == {'보통 "이름", 둘'}
    changes = table(api.get(f"{BASE}/changes.csv"))
    assert {row["price_change_amount"] for row in changes} == {"-5000"}  # a number stays one
    assert all(row["building_name"].startswith("'") for row in changes)


def test_a_csv_holds_every_row_of_the_filter_and_the_file_has_a_name(api: httpx2.Client) -> None:
    Complex.objects.create(complex_id="109208", complex_name="=단지")
    Article.objects.bulk_create(
        Article(article_no=str(n), complex_id="109208", is_active=n % 2 == 0) for n in range(2500)
    )
    answer = api.get(f"{BASE}/listings.csv", params={"active": True})
    assert [row["article_no"] for row in table(answer)] == [str(n) for n in range(2498, -1, -2)]
    assert answer.headers["content-disposition"] == 'attachment; filename="listings.csv"'
    assert [row["complex_name"] for row in table(api.get(f"{BASE}/complexes.csv"))] == ["'=단지"]
    assert table(api.get(f"{BASE}/trades.csv")) == []
