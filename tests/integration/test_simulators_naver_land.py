"""The real-estate simulator answers as the site's two endpoints do, field by field."""

from typing import Any

import httpx2
import pytest

from livebeat import clock
from simulators import world
from support.serving import Simulator

pytest_plugins = ["support.simulators"]

NUMBER = "109208"
ITEM = {
    "articleNo", "articleName", "articleStatus", "realEstateTypeCode", "tradeTypeCode", "tradeTypeName",
    "verificationTypeCode", "floorInfo", "priceChangeState", "isPriceModification", "dealOrWarrantPrc", "areaName",
    "area1", "area2", "direction", "articleConfirmYmd", "tagList", "buildingName", "sameAddrCnt", "sameAddrMaxPrc",
    "sameAddrMinPrc", "latitude", "longitude", "realtorName", "realtorId", "cpid", "cpName", "cpPcArticleUrl",
}  # fmt: skip
OVERVIEW = {
    "complexNo", "complexName", "complexTypeName", "complexType", "totalHouseHoldCount", "totalDongCount",
    "useApproveYmd", "minArea", "maxArea", "minPrice", "maxPrice", "minLeasePrice", "maxLeasePrice",
    "minPriceByLetter", "latitude", "longitude", "realPrice", "pyeongs", "dongs", "complexExistTabs",
}  # fmt: skip


def get(land: Simulator, path: str, token: str | None = None, **params: Any) -> httpx2.Response:
    bearer = world.land_token(clock.now().timestamp()) if token is None else token
    return land.http.get(path, params=params, headers={"authorization": f"Bearer {bearer}"})


def articles(land: Simulator, page: int) -> dict[str, Any]:
    return dict(get(land, f"/api/articles/complex/{NUMBER}", page=page).json())


def test_the_overview(land: Simulator) -> None:
    answer = get(land, f"/api/complexes/overview/{NUMBER}").json()
    assert set(answer) >= OVERVIEW
    assert answer["minPriceByLetter"] == "10억 4,000"
    assert "address" not in answer


def test_pages_of_listings(land: Simulator) -> None:
    pages = [articles(land, page) for page in (1, 2, 3, 4)]
    assert [len(page["articleList"]) for page in pages] == [20, 20, 6, 0]
    assert [page["isMoreData"] for page in pages] == [True, True, False, False]
    assert set(pages[0]) == {"isMoreData", "articleList", "mapExposedCount", "nonMapExposedIncluded"}
    items = [item for page in pages for item in page["articleList"]]
    assert all(set(item) >= ITEM for item in items)
    assert any("articleFeatureDesc" not in item for item in items)
    assert {item["tradeTypeCode"] for item in items} == {"A1", "B1", "B2"}
    assert all(("/" in item["dealOrWarrantPrc"]) == (item["tradeTypeCode"] == "B2") for item in items)


@pytest.mark.parametrize("token", ["none", "x.y.z", world.land_token(0)])
def test_without_a_good_token_nothing_is_answered(land: Simulator, token: str) -> None:
    for path in (f"/api/complexes/overview/{NUMBER}", f"/api/articles/complex/{NUMBER}"):
        assert get(land, path, token).status_code == 401


def test_an_unknown_complex_is_404_and_a_bad_page_400(land: Simulator) -> None:
    assert get(land, "/api/complexes/overview/1").status_code == 404
    assert get(land, "/api/articles/complex/1").status_code == 404
    assert get(land, f"/api/articles/complex/{NUMBER}", page="x").status_code == 400


def test_the_rate_limit_s_body(land: Simulator) -> None:
    land.fault("rate_limit", retry_after=7)
    answer = get(land, f"/api/complexes/overview/{NUMBER}")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "7"
    assert answer.json() == {"success": False, "code": "TOO_MANY_REQUESTS", "message": "Rate limit exceeded"}


def test_the_world_can_be_changed_and_reset(land: Simulator) -> None:
    before = articles(land, 1)["articleList"]
    first, second = before[0]["articleNo"], before[1]["articleNo"]
    land.change(set={first: {"dealOrWarrantPrc": "1억"}}, remove=[second])
    after = articles(land, 1)["articleList"]
    assert after[0]["dealOrWarrantPrc"] == "1억"
    assert second not in {item["articleNo"] for item in after}
    land.reset()
    assert articles(land, 1)["articleList"] == before
