"""The ministry's real trades of apartments (국토교통부 실거래가), by region and month: XML with a key from data.go.kr.

What it answers with status 200 and what that is called here:

    resultCode 000 or 00                     the page
    resultCode 03                            no trades in that month
    code 22                                  RateLimitedError: the key's calls of today are used up
    codes 10, 11, 12, 20, 30, 31, 32, 33     UpstreamRejectedError: the key or the question
    any other code, no XML                   UpstreamUnavailableError: tried again, a few times
    XML of another form, entities in it      ShapeChangedError

Each call counts against the day's calls (`app.clients.budget`) before it is made. The key stands in no error or log line.
"""

import re
from dataclasses import dataclass
from datetime import date
from urllib.parse import unquote
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from app.clients.budget import DailyBudget
from app.clients.http import Patience, Upstream, UpstreamClient
from app.clients.rate import rate_limited
from app.core.errors import (
    NotConfiguredError,
    RateLimitedError,
    ShapeChangedError,
    UpstreamError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from app.core.settings import Settings, get_settings

SERVICE = "molit"
SETTING = "MOLIT_API_KEY"
ROWS_OF_A_PAGE = 1000
MAX_PAGES = 50
_MOST_BYTES = 16 * 1024 * 1024
_PER_SECOND = 2.0
_OK, _NOTHING, _USED_UP = ("000", "00"), ("003", "03"), "22"
_REFUSED = frozenset({"10", "11", "12", "20", "30", "31", "32", "33"})
_CODE = re.compile(r"[0-9]{1,3}", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,3}(,?[0-9]{3})*", re.ASCII)
_AREA = re.compile(r"[0-9]{1,5}(\.[0-9]{1,8})?", re.ASCII)
_DAY = re.compile(r"(?:20)?(\d\d)\.?(\d\d)\.?(\d\d)", re.ASCII)


@dataclass(frozen=True)
class Trade:
    """One sale. `day` and `cancelled_on` are YYYYMMDD, `amount` is in 만원, `area` the exclusive one in m²."""

    apartment: str
    legal_dong: str
    jibun: str
    building: str
    area: float
    floor: int | None
    amount: int
    day: str
    build_year: int | None
    cancelled_on: str | None


class RealTradesClient(UpstreamClient):
    """A client for one run; a context manager."""

    def __init__(self, *, settings: Settings | None = None, patience: Patience | None = None) -> None:
        settings = settings or get_settings()
        if settings.molit_api_key is None:
            raise NotConfiguredError(setting=SETTING, needed_for="the import of real trades")
        # data.go.kr shows the key in two spellings; the encoded one would be encoded a second time.
        self._key = unquote(settings.molit_api_key.get_secret_value())
        self._url = f"{settings.molit_url.rstrip('/')}/getRTMSDataSvcAptTradeDev"
        self._budget = DailyBudget(SERVICE, calls=settings.molit_calls_per_day, redis_url=settings.client_url)
        self._upstream = Upstream(
            SERVICE,
            per_second=_PER_SECOND,
            redis_url=settings.client_url,
            patience=patience,
            accept="application/xml",
        )

    def trades(self, region: str, month: str) -> list[Trade]:
        """Every sale of a month (YYYYMM) in a region (the first five digits of its legal-dong code).

        Raises:
            UpstreamError: see the module; a part of a month is never passed off as the whole.
        """
        found: list[Trade] = []
        for number in range(1, MAX_PAGES + 1):
            trades, total = self._page(region, month, number)
            found += trades
            if len(found) == total:
                return found
            if not trades or len(found) > total:
                break
        raise ShapeChangedError(
            SERVICE,
            f"{region} {month}: {len(found)} trades came, {total} were announced",
            reason_ko=f"{region} {month}: 거래 {total}건 중 {len(found)}건만 받았습니다",
        )

    def _page(self, region: str, month: str, number: int) -> tuple[list[Trade], int]:
        step = f"{region} {month} page {number}"

        def worth_another_try(error: Exception) -> bool:
            return isinstance(error, UpstreamUnavailableError) and not isinstance(error, RateLimitedError)

        for attempt in self._upstream.attempts(worth_another_try):
            with attempt:
                return self._once(region, month, number, step)
        raise AssertionError("unreachable: the last attempt raises")

    def _once(self, region: str, month: str, number: int, step: str) -> tuple[list[Trade], int]:
        self._upstream.rate.acquire(self._upstream.patience.hold)
        self._budget.spend()
        question = {
            "serviceKey": self._key,
            "LAWD_CD": region,
            "DEAL_YMD": month,
            "pageNo": str(number),
            "numOfRows": str(ROWS_OF_A_PAGE),
        }
        reply = self._upstream.exchange("GET", self._url, step=step, most=_MOST_BYTES, params=question)
        if reply.status in {401, 403}:
            raise _key_refused(step, f"status {reply.status}")
        if reply.status >= 300:
            raise UpstreamRejectedError(
                SERVICE,
                f"{step} was answered with status {reply.status}",
                reason_ko=f"{step} 요청의 응답 상태가 {reply.status}입니다",
                status=reply.status,
            )
        root = parsed(reply.body, step)
        failure = self._failure(root, step)
        if failure is not None:
            raise failure
        if _code(root) in _NOTHING:
            return [], 0
        total = _text(root, "body/totalCount")
        items = root.findall("body/items/item")
        if not _WHOLE.fullmatch(total):
            raise ShapeChangedError(SERVICE, f"{step}: totalCount is no number")
        return [_trade(item, f"{step}: item {place}", month) for place, item in enumerate(items, start=1)], int(total)

    def _failure(self, root: Element, step: str) -> UpstreamError | None:
        code = _code(root)
        if code in {*_OK, *_NOTHING}:
            return None
        if not _CODE.fullmatch(code):
            return ShapeChangedError(SERVICE, f"{step}: neither a result code nor an error code")
        if code == _USED_UP:
            self._budget.exhaust()
            return rate_limited(
                SERVICE,
                f"{step}: the key's calls of today are used up (code 22)",
                f"{step}: 오늘의 호출 한도를 모두 사용했습니다 (코드 22)",
                None,
            )
        if code in _REFUSED:
            return _key_refused(step, f"code {code}")
        said, said_ko = f"{step}: error code {code}", f"{step}: 오류 코드 {code}"
        return UpstreamUnavailableError(SERVICE, said, reason_ko=said_ko)


def parsed(body: bytes, step: str) -> Element:
    """`body` as XML without a document type: no entity is ever defined, so none can grow or read a file.

    Raises:
        ShapeChangedError: it has a document type.
        UpstreamUnavailableError: it isn't XML.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate()
    doctype = False

    def refuse(*_: object) -> None:
        nonlocal doctype
        doctype = True
        raise ValueError("a document type")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(body, True)
        return builder.close()
    except (expat.ExpatError, ValueError, AssertionError):
        pass
    if doctype:
        raise ShapeChangedError(SERVICE, f"{step}: the answer defines a document type, which no honest answer does")
    raise UpstreamUnavailableError(
        SERVICE, f"{step}: the answer is not XML", reason_ko=f"{step}: 응답이 XML이 아닙니다"
    )


def _code(root: Element) -> str:
    """The result code, of the service or of the gateway before it; empty where there is none."""
    return _text(root, "header/resultCode") or _text(root, "cmmMsgHeader/returnReasonCode")


def _text(parent: Element, path: str) -> str:
    """An element's text; blank ones come as a single space."""
    return (parent.findtext(path) or "").replace("\x00", "").strip()


def _key_refused(step: str, said: str) -> UpstreamRejectedError:
    return UpstreamRejectedError(
        SERVICE,
        f"{step}: the key or the question is not accepted ({said}); look at {SETTING} and its approval on data.go.kr",
        reason_ko=f"{step}: 인증키 또는 요청이 거절되었습니다 ({said}). {SETTING}와 data.go.kr의 활용 신청을 확인하세요",
    )


def _trade(item: Element, place: str, month: str) -> Trade:
    def need(name: str, form: re.Pattern[str]) -> str:
        text = _text(item, name)
        if not form.fullmatch(text):
            raise ShapeChangedError(SERVICE, f"{place}: {name} is not as known")
        return text

    apartment = _text(item, "aptNm")
    if not apartment:
        raise ShapeChangedError(SERVICE, f"{place}: aptNm is missing")
    year, number, of_month = (need(name, _WHOLE) for name in ("dealYear", "dealMonth", "dealDay"))
    day = _date(year, number, of_month, place)
    if not day.startswith(month):
        raise ShapeChangedError(SERVICE, f"{place}: its date lies outside the month that was asked for")
    return Trade(
        apartment=apartment[:200],
        legal_dong=_text(item, "umdNm")[:100],
        jibun=_text(item, "jibun")[:50],
        building=_text(item, "aptDong")[:100],
        area=float(need("excluUseAr", _AREA)),
        floor=int(need("floor", _WHOLE)) if _text(item, "floor") else None,
        amount=int(need("dealAmount", _AMOUNT).replace(",", "")),
        day=day,
        build_year=int(need("buildYear", _WHOLE)) if _text(item, "buildYear") else None,
        cancelled_on=_cancelled(item, place),
    )


def _cancelled(item: Element, place: str) -> str | None:
    """When the deal was called off (YY.MM.DD in the answer); None where it stands."""
    kind, said = _text(item, "cdealType"), _text(item, "cdealDay")
    if not kind and not said:
        return None
    match = _DAY.fullmatch(said)
    if match is None:
        raise ShapeChangedError(SERVICE, f"{place}: cdealDay is not as known")
    year, month, day = match.groups()
    return _date(f"20{year}", month, day, place)


def _date(year: str, month: str, day: str, place: str) -> str:
    try:
        return f"{date(int(year), int(month), int(day)):%Y%m%d}"
    except ValueError:
        raise ShapeChangedError(SERVICE, f"{place}: there is no such day") from None
