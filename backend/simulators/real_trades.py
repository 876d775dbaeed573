"""The ministry's real trades of apartments, as data.go.kr answers them.

    GET /1613000/RTMSDataSvcAptTradeDev/getRTMSDataSvcAptTradeDev    step `trades`
        serviceKey, LAWD_CD (region), DEAL_YMD (month), pageNo, numOfRows

A wrong key gets the gateway's own document with code 30. Kinds beyond the generic ones: `used_up` (code 22), `bad_key`
(code 30), `broken` (code 99 in the service's header), `no_data` (code 03), `shape` (items without their name), `short` (more
trades announced than sent), `entities` (a document type whose entities grow), `bad_xml`, `huge` (more than anybody sends),
`wrong_month` (trades of another month). The key is never logged.

The world: `add` trades as the ministry's own elements plus `region`; `set` by the number that `add` gave (0, 1, …); `remove`.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any
from xml.sax.saxutils import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from simulators.faults import Control, control_routes, misbehave

PATH = "/1613000/RTMSDataSvcAptTradeDev/getRTMSDataSvcAptTradeDev"
KEY = "sim+key/of==the-ministry"
KINDS = frozenset(
    {"used_up", "bad_key", "broken", "no_data", "shape", "short", "entities", "bad_xml", "huge", "wrong_month"}
)
#: What a careless reader takes for a month without trades.
_BOMB = (
    '<?xml version="1.0"?><!DOCTYPE response [<!ENTITY a "0"><!ENTITY b "&a;&a;&a;">]>'
    "<response><header><resultCode>&b;</resultCode></header><body><totalCount>&a;</totalCount></body></response>"
)
#: Elements of an item, with what stands there where a trade says nothing: the ministry sends a space for an empty one.
_ELEMENTS = {
    "aptDong": " ", "aptNm": "데모마을", "aptSeq": "41590-1", "bonbun": "0101", "bubun": "0000", "buildYear": "2018",
    "buyerGbn": "개인", "cdealDay": " ", "cdealType": " ", "dealAmount": "82,500", "dealDay": "9", "dealMonth": "11",
    "dealYear": "2026", "dealingGbn": "중개거래", "estateAgentSggNm": "경기 화성시", "excluUseAr": "84.83",
    "floor": "12", "jibun": "101", "landCd": "1", "landLeaseholdGbn": "N", "rgstDate": " ", "roadNm": "데모로",
    "sggCd": "41590", "slerGbn": "개인", "umdCd": "12800", "umdNm": "오산동",
}  # fmt: skip


class Trades:
    """The trades of all regions and months."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """None."""
        self.trades: list[dict[str, str]] = []

    def change(self, document: dict[str, Any]) -> None:
        """`add`, `set` and `remove` trades."""
        for values in document.get("add", []):
            self.trades.append({"region": "41590", **_ELEMENTS, **values})
        for number, values in document.get("set", {}).items():
            self.trades[int(number)].update(values)
        for number in sorted(map(int, document.get("remove", [])), reverse=True):
            del self.trades[number]

    def of(self, region: str, month: str) -> list[dict[str, str]]:
        """The trades of a region in a month (YYYYMM)."""
        return [
            trade
            for trade in self.trades
            if trade["region"] == region and f"{trade['dealYear']}{int(trade['dealMonth']):02d}" == month
        ]


class _Ministry:
    def __init__(self, control: Control, world: Trades) -> None:
        self.control, self.world = control, world

    async def trades(self, request: Request) -> Response:
        asked = {name: request.query_params.get(name, "") for name in ("LAWD_CD", "DEAL_YMD", "pageNo", "numOfRows")}
        fault = self.control.take(request, "trades", **asked)
        kind = fault.kind if fault else ""
        refused = await misbehave(fault) or _refused(kind)
        if refused is not None:
            return refused
        if request.query_params.get("serviceKey") != KEY:
            return _gateway("30", "SERVICE_KEY_IS_NOT_REGISTERED_ERROR")
        if not all(value.isdigit() for value in asked.values()):
            return _gateway("10", "INVALID_REQUEST_PARAMETER_ERROR")
        return self._page(asked, kind)

    def _page(self, asked: dict[str, str], kind: str) -> Response:
        rows, number = int(asked["numOfRows"]), int(asked["pageNo"])
        trades = self.world.of(asked["LAWD_CD"], asked["DEAL_YMD"])
        shown = trades[(number - 1) * rows : number * rows]
        if kind == "wrong_month":
            shown = [{**trade, "dealMonth": str(int(trade["dealMonth"]) % 12 + 1)} for trade in shown]
        total = len(trades) + (kind == "short")
        items = "".join(_item(trade, kind) for trade in shown)
        return _xml(
            "<response><header><resultCode>000</resultCode><resultMsg>OK</resultMsg></header><body>"
            f"<items>{items}</items><numOfRows>{rows}</numOfRows><pageNo>{number}</pageNo>"
            f"<totalCount>{total}</totalCount></body></response>"
        )


def _item(trade: dict[str, str], kind: str) -> str:
    names = [name for name in _ELEMENTS if not (kind == "shape" and name == "aptNm")]
    return f"<item>{''.join(f'<{name}>{escape(trade[name])}</{name}>' for name in names)}</item>"


def _refused(kind: str) -> Response | None:
    answers: dict[str, Callable[[], Response]] = {
        "used_up": lambda: _gateway("22", "LIMITED_NUMBER_OF_SERVICE_REQUESTS_EXCEEDS_ERROR"),
        "bad_key": lambda: _gateway("30", "SERVICE_KEY_IS_NOT_REGISTERED_ERROR"),
        "broken": lambda: _header("99", "UNKNOWN_ERROR"),
        "no_data": lambda: _header("03", "NODATA_ERROR"),
        "entities": lambda: _xml(_BOMB),
        "bad_xml": lambda: _xml("<response><header>"),
        "huge": lambda: StreamingResponse(_endless(), media_type="application/xml"),
    }
    return answers[kind]() if kind in answers else None


def _endless() -> Iterator[str]:
    yield "<response>"
    for _ in range(64):
        yield " " * (1024 * 1024)


def _gateway(code: str, message: str) -> Response:
    return _xml(
        "<OpenAPI_ServiceResponse><cmmMsgHeader><errMsg>SERVICE ERROR</errMsg>"
        f"<returnAuthMsg>{message}</returnAuthMsg><returnReasonCode>{code}</returnReasonCode>"
        "</cmmMsgHeader></OpenAPI_ServiceResponse>"
    )


def _header(code: str, message: str) -> Response:
    return _xml(
        f"<response><header><resultCode>{code}</resultCode><resultMsg>{message}</resultMsg></header></response>"
    )


def _xml(body: str) -> Response:
    return Response(body, media_type="application/xml")


def create_app(*, clock: Callable[[], float] = time.time, lively: bool = False) -> Starlette:
    """The simulator as an ASGI app. `lively` changes nothing: trades that happened stay."""
    control = Control(KINDS, clock)
    world = Trades()
    ministry = _Ministry(control, world)
    app = Starlette(routes=[Route(PATH, ministry.trades), *control_routes(control, world)])
    app.state.control, app.state.world = control, world
    return app
