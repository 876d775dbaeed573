"""Faults on demand, the request log, and the `/_sim/*` routes that every simulator shares.

    PUT    /_sim/faults     one fault or a list; replaces those that are set
    DELETE /_sim/faults     back to good behaviour
    GET    /_sim/requests   what was asked, when, by whom (`?step=` filters); never a token
    DELETE /_sim/requests   forget it
    PUT    /_sim/world      {"set": {id: {field: value}}, "remove": [id], "add": [{...}]}; velog also "users": [{...}]
    DELETE /_sim/world      the world as it was at the start

A fault: `step` (a step's name or "*"), `kind`, `times` (how many requests; default 1, null = all), `after` (let so
many through first), `delay` and `retry_after` in seconds. Kinds that any step knows are in `GENERIC`; each
simulator names its own in its docstring and hands them to `control_routes`, and any other kind is refused.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

GENERIC = frozenset(
    {"status_500", "status_503", "rate_limit", "timeout", "slow", "html", "bad_json", "redirect_404", "cut"}
)
RATE_LIMIT_BODY = {"success": False, "code": "TOO_MANY_REQUESTS", "message": "Rate limit exceeded"}
REMEMBERED_REQUESTS = 10_000


@dataclass
class Fault:
    """One way to misbehave; `times` and `after` count down as requests meet it."""

    kind: str
    step: str = "*"
    times: int | None = 1
    after: int = 0
    delay: float | None = None
    retry_after: float | None = None

    def meets(self, step: str) -> bool:
        """Whether this request gets the fault; counts it if so."""
        if self.step not in {"*", step} or self.times == 0:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class World(Protocol):
    """What `/_sim/world` needs of a simulator's world."""

    def change(self, document: dict[str, Any]) -> None: ...

    def reset(self) -> None: ...


class Control:
    """The faults that are set and the requests that were seen."""

    def __init__(self, kinds: frozenset[str], clock: Callable[[], float]) -> None:
        self.kinds = GENERIC | kinds
        self.clock = clock
        self.faults: list[Fault] = []
        self.requests: deque[dict[str, Any]] = deque(maxlen=REMEMBERED_REQUESTS)

    def parse(self, document: Any) -> list[Fault]:
        """Faults from JSON. Raises ValueError with a sentence for the caller."""
        known = {field.name for field in fields(Fault)}
        faults = []
        for item in document if isinstance(document, list) else [document]:
            if not isinstance(item, dict) or not set(item) <= known or "kind" not in item:
                raise ValueError(f"a fault is an object with 'kind' and any of {sorted(known)}")
            if item["kind"] not in self.kinds:
                raise ValueError(f"unknown kind {item['kind']!r}; known: {sorted(self.kinds)}")
            faults.append(Fault(**item))
        return faults

    def take(self, request: Request, step: str, **details: Any) -> Fault | None:
        """Log the request and return the fault that it meets, if any."""
        fault = next((fault for fault in self.faults if fault.meets(step)), None)
        self.requests.append(
            {
                "at": self.clock(),
                "step": step,
                "method": request.method,
                "path": request.url.path,
                "user_agent": request.headers.get("user-agent", ""),
                "fault": fault.kind if fault else None,
                **details,
            }
        )
        return fault


async def _cut_short() -> AsyncIterator[bytes]:
    yield b'{"data":'
    raise ConnectionAbortedError("the fault 'cut' ends the answer here")


async def misbehave(fault: Fault | None) -> Response | None:
    """The answer of a generic fault, or None where the normal answer (perhaps a late one) is to follow."""
    if fault is None or fault.kind not in GENERIC:
        return None
    if fault.kind in {"timeout", "slow"}:
        await asyncio.sleep(fault.delay if fault.delay is not None else 30.0)
        return Response(status_code=504) if fault.kind == "timeout" else None
    retry_after = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    answers: dict[str, Callable[[], Response]] = {
        "status_500": lambda: JSONResponse({"errors": [{"message": "Internal server error"}]}, 500),
        "status_503": lambda: Response("upstream connect error", 503, retry_after, "text/plain"),
        "rate_limit": lambda: JSONResponse(RATE_LIMIT_BODY, 429, retry_after),
        "html": lambda: HTMLResponse("<!doctype html><title>Just a moment</title>"),
        "bad_json": lambda: Response('{"data": {', media_type="application/json"),
        "redirect_404": lambda: RedirectResponse("/404", 302),
        "cut": lambda: StreamingResponse(_cut_short(), media_type="application/json"),
    }
    return answers[fault.kind]()


def control_routes(control: Control, world: World) -> list[Route]:
    """The `/_sim/*` routes over this simulator's control and world."""

    async def faults(request: Request) -> Response:
        if request.method == "PUT":
            try:
                control.faults = control.parse(await request.json())
            except ValueError as error:
                return JSONResponse({"detail": str(error)}, 422)
        elif request.method == "DELETE":
            control.faults = []
        return JSONResponse([vars(fault) for fault in control.faults])

    async def requests(request: Request) -> Response:
        if request.method == "DELETE":
            control.requests.clear()
        step = request.query_params.get("step")
        return JSONResponse([entry for entry in control.requests if step in {None, entry["step"]}])

    async def change(request: Request) -> Response:
        if request.method == "DELETE":
            world.reset()
            return JSONResponse({"ok": True})
        try:
            world.change(await request.json())
        except (ValueError, KeyError, TypeError) as error:
            return JSONResponse({"detail": f"{type(error).__name__}: {error}"}, 422)
        return JSONResponse({"ok": True})

    return [
        Route("/_sim/faults", faults, methods=["GET", "PUT", "DELETE"]),
        Route("/_sim/requests", requests, methods=["GET", "DELETE"]),
        Route("/_sim/world", change, methods=["PUT", "DELETE"]),
    ]
