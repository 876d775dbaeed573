"""`/flower/`: Celery Flower, read-only, behind our own address. Flower itself listens on a private unix socket alone.

Passed on: GET and HEAD of its pages and files, and the one POST by which its task table reads. Everything that could
change something is refused here, whatever Flower would say to it.
"""

from collections.abc import Iterable
from pathlib import Path

import httpx2
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse
from starlette.background import BackgroundTask

from app.access.scopes import Scope
from app.api.access import needs
from app.api.language import Reader
from app.api.pages import page
from app.api.problems import ProblemError

_TABLE = "tasks/datatable"
_TIMEOUT = httpx2.Timeout(30, connect=2)
_SENT_ON = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-language",
        "content-length",
        "content-type",
        "host",
        "if-modified-since",
        "if-none-match",
        "range",
        "user-agent",
        "x-requested-with",
    }
)
#: They belong to one connection, not to the message (RFC 9110, 7.6.1); cookies of Flower's are of no use to us.
_KEPT_BACK = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "server",
        "date",
        "set-cookie",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class FlowerClient:
    """The connection to Flower's socket, made with the first request."""

    def __init__(self, socket: Path | None) -> None:
        self._socket = socket
        self._client: httpx2.AsyncClient | None = None

    async def send(self, request: Request, body: bytes) -> httpx2.Response | None:
        """Flower's answer to the same request, its body still to be read; None where Flower is not there."""
        if self._socket is None:
            return None
        if self._client is None:
            transport = httpx2.AsyncHTTPTransport(uds=str(self._socket))
            self._client = httpx2.AsyncClient(transport=transport, timeout=_TIMEOUT, trust_env=False)
        query = request.scope["query_string"]
        target = request.scope["raw_path"] + (b"?" + query if query else b"")
        url = httpx2.URL("http://flower").copy_with(raw_path=target)
        headers = [(name, value) for name, value in request.headers.items() if name in _SENT_ON]
        try:
            return await self._client.send(
                self._client.build_request(request.method, url, headers=headers, content=body), stream=True
            )
        except httpx2.TransportError:
            return None

    async def close(self) -> None:
        """Close what is open."""
        if self._client is not None:
            await self._client.aclose()


def flower_router(client: FlowerClient) -> APIRouter:
    """The routes that pass requests on to `client`."""
    router = APIRouter(prefix="/flower", include_in_schema=False)

    @router.get("")
    @needs(Scope.VIEWER)
    async def start() -> RedirectResponse:
        return RedirectResponse("/flower/", 307)

    @router.api_route("/{path:path}", methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
    @needs(Scope.VIEWER)
    async def proxy(path: str, request: Request, reader: Reader) -> Response:
        if request.method not in {"GET", "HEAD"} and (request.method != "POST" or path != _TABLE):
            raise ProblemError(
                403,
                "flower-is-read-only",
                "Flower는 읽기 전용입니다.",
                "Flower is read-only here.",
                path=f"/flower/{path}",
            )
        answer = await client.send(request, await request.body())
        if answer is None:
            return page("flower_down.html", reader, 503)
        response = StreamingResponse(answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose))
        response.raw_headers = list(_passed_on(answer.headers.raw))
        return response

    return router


def _passed_on(headers: Iterable[tuple[bytes, bytes]]) -> Iterable[tuple[bytes, bytes]]:
    return ((name.lower(), value) for name, value in headers if name.lower().decode("latin-1") not in _KEPT_BACK)
