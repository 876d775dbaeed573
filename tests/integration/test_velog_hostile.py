"""Answers that no honest server sends: the client ends each with a named error, soon, in bounded memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from app.clients.http import MAX_BODY_BYTES, Patience, Upstream
from app.core.errors import (
    ShapeChangedError,
    UpstreamError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from support.serving import Simulator, serving


async def drip() -> AsyncIterator[bytes]:
    for _ in range(100):
        yield b" "
        await asyncio.sleep(0.02)


async def flood() -> AsyncIterator[bytes]:
    for _ in range(MAX_BODY_BYTES // 65_536 + 2):
        yield b" " * 65_536


ANSWERS = {
    "nested": lambda: Response(b"[" * 200_000, media_type="application/json"),
    "nan": lambda: Response(b'{"data": NaN}', media_type="application/json"),
    "digits": lambda: Response(b"[" + b"9" * 10_000 + b"]", media_type="application/json"),
    "not-utf8": lambda: Response(b'{"data": "\xff"}', media_type="application/json"),
    "empty": lambda: Response(b""),
    "gzip": lambda: Response(b"not gzip", headers={"content-encoding": "gzip"}),
    "drip": lambda: StreamingResponse(drip(), media_type="application/json"),
    "flood": lambda: StreamingResponse(flood(), media_type="application/json"),
    "elsewhere": lambda: RedirectResponse("http://169.254.169.254/latest"),
    "forbidden": lambda: Response("<h1>Forbidden</h1>", 403, media_type="text/html"),
}
EXPECTED = {
    "flood": ShapeChangedError,
    "gzip": ShapeChangedError,
    "elsewhere": ShapeChangedError,
    "forbidden": UpstreamRejectedError,
}


async def answer(request: Request) -> Response:
    return ANSWERS[request.path_params["kind"]]()


@pytest.fixture(scope="module")
def hostile() -> Iterator[Simulator]:
    with serving(Starlette(routes=[Route("/{kind}", answer)])) as server:
        yield server


@pytest.mark.parametrize("kind", ANSWERS)
def test_it_ends_with_a_named_error(hostile: Simulator, redis_url: str, kind: str) -> None:
    patience = Patience(read=0.5, total=0.3, attempts=1)
    upstream = Upstream("velog", per_second=1000, redis_url=redis_url, patience=patience)
    with pytest.raises(UpstreamError) as caught:
        upstream.call("GET", f"{hostile.url}/{kind}", step="it")
    upstream.close()
    assert type(caught.value) is EXPECTED.get(kind, UpstreamUnavailableError)
    assert "169.254" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "ftp://127.0.0.1/", "nonsense", "http://[::"])
def test_an_address_that_leads_nowhere(redis_url: str, url: str) -> None:
    upstream = Upstream("velog", per_second=1000, redis_url=redis_url, patience=Patience(attempts=1))
    with pytest.raises(UpstreamError):
        upstream.call("GET", url, step="it")
    upstream.close()
