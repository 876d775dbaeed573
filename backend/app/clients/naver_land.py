"""The real-estate site: a complex's overview and all its listings, by plain HTTP with a bearer token from a file.

The token is read anew for each client, since it lives for three hours. All workers share one limit on requests, and one
on how soon a complex is begun after another. No browser is imitated and nothing is evaded: a site that doesn't want this
client gets its way, and the run fails with that reason.
"""

import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import httpx2
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from app.clients.form import form_of
from app.clients.http import Patience, Upstream, UpstreamClient, validated
from app.clients.rate import SharedRate
from app.clients.text import CleanText
from app.core.errors import (
    AccessRefusedError,
    NotConfiguredError,
    ShapeChangedError,
    TokenExpiredError,
    UpstreamRejectedError,
)
from app.core.settings import Settings, get_settings
from app.core.settings_headers import headers_of

SERVICE = "naver_land"
TOKEN_SETTING = "NAVER_LAND_TOKEN_FILE"  # noqa: S105  the name of the setting
MAX_PAGES = 100
_COMPLEX_NUMBER = re.compile(r"\d{1,20}", re.ASCII)
_TOKEN = re.compile(r"[!-~]{1,4096}", re.ASCII)
#: The list's filters, all open, as the site's own page sends them; listings of one flat are grouped.
_FILTERS = {
    "realEstateType": "APT:ABYG:JGC:PRE", "tradeType": "", "tag": "::::::::", "rentPriceMin": "0",
    "rentPriceMax": "900000000", "priceMin": "0", "priceMax": "900000000", "areaMin": "0", "areaMax": "900000000",
    "showArticle": "false", "sameAddressGroup": "true", "priceType": "RETAIL", "directions": "", "buildingNos": "",
    "areaNos": "", "type": "list", "order": "rank",
}  # fmt: skip


#: What the tables' columns can hold.
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Manwon = Annotated[int, Field(ge=0, le=2**53)]
Real = Annotated[float, Field(allow_inf_nan=False)]


class _FromSite(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class ComplexOverview(_FromSite):
    """What we keep of a complex. Prices are in 만원, areas in m², `use_approve_ymd` is YYYYMMDD."""

    complex_no: CleanText
    complex_name: CleanText = Field(min_length=1, max_length=200)
    complex_type_name: CleanText | None = None
    total_house_hold_count: Count | None = None
    total_dong_count: Count | None = None
    use_approve_ymd: CleanText | None = None
    min_area: Real | None = None
    max_area: Real | None = None
    min_price: Manwon | None = None
    max_price: Manwon | None = None
    min_lease_price: Manwon | None = None
    max_lease_price: Manwon | None = None
    latitude: Real | None = None
    longitude: Real | None = None
    address: CleanText | None = None
    road_address: CleanText | None = None
    jibun_address: CleanText | None = None


class LandArticle(_FromSite):
    """A listing. `deal_or_warrant_prc` is the site's own text ("11억 5,000"; monthly rent "5,000/140")."""

    article_no: CleanText = Field(pattern=r"^\d{1,50}$")
    trade_type_name: CleanText = Field(min_length=1, max_length=20)
    deal_or_warrant_prc: CleanText = Field(min_length=1, max_length=100)
    price_change_state: CleanText | None = None
    area_name: CleanText | None = None
    area1: Real | None = None
    area2: Real | None = None
    floor_info: CleanText | None = None
    direction: CleanText | None = None
    building_name: CleanText | None = None
    article_feature_desc: CleanText | None = None
    tag_list: list[CleanText] = Field(default_factory=list)
    realtor_name: CleanText | None = None
    same_addr_cnt: Count | None = None
    same_addr_max_prc: CleanText | None = None
    same_addr_min_prc: CleanText | None = None
    article_confirm_ymd: CleanText | None = None


class _Page(_FromSite):
    is_more_data: bool = Field(strict=True)
    article_list: list[LandArticle]


@dataclass(frozen=True)
class Listing:
    """All listings of a complex.

    `steady` is False where one listing came up on two pages: the order moved while it was read, so some listing may
    have slipped between two pages, and a listing's absence means nothing.
    """

    articles: list[LandArticle]
    steady: bool


@dataclass(frozen=True)
class LastAnswer:
    """The last request's step, and the form of what came back as JSON ('' where nothing did)."""

    step: str
    form: str


class _Bearer(httpx2.Auth):
    """The operator's headers and the token; an Auth, so that no error's traceback holds them."""

    def __init__(self, token: str, headers: Mapping[str, str]) -> None:
        self._headers = {**headers, "authorization": f"Bearer {token}"}

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        request.headers.update(self._headers)
        yield request


def read_token(path: Path | None) -> str:
    """The bearer token in the file.

    Raises:
        NotConfiguredError: no file is named, or it isn't there, or it doesn't hold one token.
    """
    try:
        token = path.read_text(encoding="ascii").strip() if path else ""
    except (OSError, ValueError):
        token = ""
    if not _TOKEN.fullmatch(token):
        raise NotConfiguredError(setting=TOKEN_SETTING, needed_for=SERVICE)
    return token


class NaverLandClient(UpstreamClient):
    """The site with one token. Use as a context manager."""

    def __init__(self, *, settings: Settings | None = None, patience: Patience | None = None) -> None:
        settings = settings or get_settings()
        headers = settings.naver_land_headers
        self._auth = _Bearer(
            read_token(settings.naver_land_token_file), headers_of(headers.get_secret_value()) if headers else {}
        )
        self._url = settings.naver_land_url.rstrip("/")
        self._upstream = Upstream(
            SERVICE,
            per_second=settings.naver_land_requests_per_second,
            redis_url=settings.client_url,
            patience=patience,
        )
        pause = settings.naver_land_seconds_between_complexes
        self._starts = (
            SharedRate(f"{SERVICE}:complex", per_second=1 / pause, redis_url=settings.client_url) if pause else None
        )
        self._step, self._data = "", None

    @property
    def last_answer(self) -> LastAnswer:
        """What was asked last, and the form of its answer: for diagnosis."""
        return LastAnswer(self._step, "" if self._data is None else form_of(self._data))

    def next_complex(self) -> None:
        """Wait until a complex may be begun.

        Raises:
            RateLimitedError: so many are being begun that its turn would be long in coming.
        """
        if self._starts:
            self._starts.acquire(0)

    def overview(self, complex_no: str) -> ComplexOverview:
        """A complex's own data.

        Raises:
            UpstreamRejectedError: no such complex; TokenExpiredError, AccessRefusedError: nothing is to be had at all.
            UpstreamError: the site did not answer as it should.
        """
        data = self._get("overview", f"/api/complexes/overview/{_number(complex_no)}", {"complexNo": complex_no})
        found = validated(SERVICE, "overview", ComplexOverview, data)
        if found.complex_no != complex_no:
            raise ShapeChangedError(
                SERVICE,
                f"overview of {complex_no} describes complex {found.complex_no[:20]}",
                reason_ko=f"단지 {complex_no}의 개요가 다른 단지 {found.complex_no[:20]}의 것입니다",
            )
        return found

    def articles(self, complex_no: str, *, tell: Callable[[int], None] | None = None) -> Listing:
        """All listings of a complex, page by page to the end. `tell` hears after each page how many there are so far.

        Raises:
            UpstreamError: a page failed, or there is no end; a part is never passed off as the whole.
        """
        found: dict[str, LandArticle] = {}
        steady = True
        for number in range(1, MAX_PAGES + 1):
            page = self._page(complex_no, number)
            fresh = [article for article in page.article_list if article.article_no not in found]
            steady = steady and len(fresh) == len(page.article_list)
            found.update((article.article_no, article) for article in page.article_list)
            if tell:
                tell(len(found))
            if not page.is_more_data:
                return Listing(list(found.values()), steady)
            if not fresh:
                break
        raise ShapeChangedError(
            SERVICE,
            f"articles of {complex_no}: the list promises more but has no end (page {number})",
            reason_ko=f"단지 {complex_no}의 매물 목록이 끝나지 않습니다 ({number}쪽)",
        )

    def _page(self, complex_no: str, number: int) -> _Page:
        params = {**_FILTERS, "page": str(number), "complexNo": complex_no}
        data = self._get("articles", f"/api/articles/complex/{_number(complex_no)}", params)
        return validated(SERVICE, "articles", _Page, data)

    def _get(self, step: str, path: str, params: dict[str, str]) -> Any:
        self._step, self._data = step, None
        try:
            answer = self._upstream.call("GET", self._url + path, step=step, auth=self._auth, params=params)
        except UpstreamRejectedError as error:
            raise _refusal(step, error.facts.get("status"), error.facts["reason"]) from None
        self._data = answer.data
        if answer.status >= 400:
            code = answer.data.get("code") if isinstance(answer.data, dict) else None
            raise _refusal(step, answer.status, f"status {answer.status}{f' ({str(code)[:60]})' if code else ''}")
        return answer.data


def _number(complex_no: str) -> str:
    if not _COMPLEX_NUMBER.fullmatch(complex_no):
        raise UpstreamRejectedError(
            SERVICE,
            "a complex's number has digits only",
            reason_ko="단지 번호는 숫자여야 합니다",
            status=404,
        )
    return complex_no


def _refusal(step: str, status: int | None, reason: str) -> UpstreamRejectedError:
    """The error for a 4xx, or for a redirect to the site's page 404."""
    said = f"{step}: {reason}"
    if status == 401:
        return TokenExpiredError(SERVICE, said, setting=TOKEN_SETTING, status=status)
    if status == 403 or (status is not None and 300 <= status < 400):
        return AccessRefusedError(SERVICE, said, status=status)
    if status == 404:
        ko = f"{step}: 그런 단지가 없습니다"
        return UpstreamRejectedError(SERVICE, f"{step}: it knows no such complex", reason_ko=ko, status=status)
    return UpstreamRejectedError(SERVICE, said, status=status)
