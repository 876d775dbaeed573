"""The real-estate site's two JSON endpoints, as its own page calls them.

    GET /api/complexes/overview/{no}     step `overview`
    GET /api/articles/complex/{no}       step `articles`: 20 a page, `isMoreData`, no total

Both want `authorization: Bearer <token>`; a missing or expired one gets 401. Kinds beyond the generic ones: `shape`
(valid JSON of another form), `empty` (a well-formed empty list), `loop` (page 1 again, with more to come), `moved` (a
page begins three listings early, as when the order changes between two requests), `expired_token`, `bad_price` (a
price text that means nothing).
"""

import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators import tokens, world
from simulators.faults import Control, Fault, control_routes, misbehave

KINDS = frozenset({"shape", "empty", "loop", "moved", "expired_token", "bad_price"})
MOVED_BY = 3
PAGE_SIZE = 20


class LandWorld:
    """Complexes and listings; some listings change price or come and go by the hour where it is `lively`.

    `size`: how many complexes, and how many listings in each, in place of the demo world.
    """

    def __init__(self, clock: Callable[[], float], *, lively: bool, size: tuple[int, int] | None = None) -> None:
        self.clock, self.lively, self.size = clock, lively, size
        self.reset()

    def reset(self) -> None:
        """The world as it was at the start."""
        self.complexes, self.listings = world.many(*self.size) if self.size else (world.complexes(), world.listings())

    def change(self, document: dict[str, Any]) -> None:
        """`set` fields of listings, `remove` listings, `add` listings: complexNo, articleNo, tradeTypeCode, dealOrWarrantPrc."""
        for article_no, values in document.get("set", {}).items():
            self.listings[article_no].update(values)
        for article_no in document.get("remove", []):
            del self.listings[article_no]
        for values in document.get("add", []):
            new = world.listing(
                values["complexNo"], values["articleNo"], values["tradeTypeCode"], values["dealOrWarrantPrc"]
            )
            self.listings[values["articleNo"]] = {**new, **values}

    def of(self, complex_no: str) -> list[dict[str, Any]]:
        """The listings of a complex as the site would show them now."""
        shown = [item for item in self.listings.values() if item["complexNo"] == complex_no]
        if self.lively:
            hour = int(self.clock() // 3600)
            shown = [_alive(item, hour) for item in shown if (int(item["articleNo"]) * 7 + hour) % 48 > 2]
        return [{name: value for name, value in item.items() if name != "complexNo"} for item in shown]


def _alive(item: dict[str, Any], hour: int) -> dict[str, Any]:
    """One sale in five asks 500만원 more or less than before, in turns of six hours."""
    number = int(item["articleNo"])
    if number % 5 or item["tradeTypeCode"] != "A1":
        return item
    eok, _, rest = item["dealOrWarrantPrc"].partition("억")
    asked = int(eok) * 10_000 + int(rest.replace(",", "") or 0) if rest or "억" in item["dealOrWarrantPrc"] else 0
    step = (hour // 6 + number) % 3 - 1
    if not asked or not step:
        return item
    return {
        **item,
        "dealOrWarrantPrc": world.price_text(asked + 500 * step),
        "priceChangeState": "UP" if step > 0 else "DOWN",
    }


class _Land:
    def __init__(self, control: Control, data: LandWorld) -> None:
        self.control, self.data = control, data

    def _refused(self, request: Request, fault: Fault | None) -> Response | None:
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        accepted = kind == "Bearer" and tokens.read(token, self.data.clock())
        if accepted and not (fault and fault.kind == "expired_token"):
            return None
        return JSONResponse({"success": False, "code": "UNAUTHORIZED", "message": "Unauthorized"}, 401)

    async def overview(self, request: Request) -> Response:
        number = request.path_params["no"]
        fault = self.control.take(request, "overview", complex=number)
        refused = await misbehave(fault) or self._refused(request, fault)
        if refused is not None:
            return refused
        if fault and fault.kind == "shape":
            return JSONResponse({"complexDetail": {"no": number}})
        found = self.data.complexes.get(number)
        return JSONResponse(found) if found else _unknown()

    async def articles(self, request: Request) -> Response:
        number = request.path_params["no"]
        page = request.query_params.get("page", "1")
        fault = self.control.take(request, "articles", complex=number, page=page)
        refused = await misbehave(fault) or self._refused(request, fault)
        if refused is not None:
            return refused
        if not page.isdigit() or page == "0":
            return JSONResponse({"success": False, "code": "BAD_REQUEST", "message": "page"}, 400)
        if number not in self.data.complexes:
            return _unknown()
        return JSONResponse(self._page(number, int(page), fault.kind if fault else ""))

    def _page(self, number: str, page: int, kind: str) -> dict[str, Any]:
        if kind == "shape":
            return {"success": True, "result": {"list": [], "totalCount": 0}}
        items = [] if kind == "empty" else self.data.of(number)
        start = 0 if kind == "loop" else (page - 1) * PAGE_SIZE
        first = max(0, start - MOVED_BY) if kind == "moved" else start
        shown = items[first : first + PAGE_SIZE]
        if kind == "bad_price":
            shown = [{**item, "dealOrWarrantPrc": "가격 협의"} for item in shown]
        return {
            "isMoreData": kind == "loop" or len(items) > start + PAGE_SIZE,
            "articleList": shown,
            "mapExposedCount": 0,
            "nonMapExposedIncluded": False,
        }


def _unknown() -> Response:
    return JSONResponse({"success": False, "code": "NOT_FOUND", "message": "Not found"}, 404)


def create_app(
    *, clock: Callable[[], float] = time.time, lively: bool = False, size: tuple[int, int] | None = None
) -> Starlette:
    """The simulator as an ASGI app. `lively` and `size` as in `LandWorld`."""
    control = Control(KINDS, clock)
    data = LandWorld(clock, lively=lively, size=size)
    land = _Land(control, data)
    app = Starlette(
        routes=[
            Route("/api/complexes/overview/{no}", land.overview),
            Route("/api/articles/complex/{no}", land.articles),
            *control_routes(control, data),
        ]
    )
    app.state.control, app.state.world = control, data
    return app
