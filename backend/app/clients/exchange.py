"""One request to a service whose answers needn't be JSON: bounded in bytes and time, every failure named.

The addresses here hold secrets (a webhook's path, a key in the query), so no error keeps the request, and the
transport's own exception, which does, is never the cause or the context of one.
"""

from dataclasses import dataclass, field
from typing import Any

import httpx2

from app.clients.http import Patience, retry_after_seconds
from app.clients.rate import rate_limited
from app.core.errors import ShapeChangedError, UpstreamError, UpstreamUnavailableError
from livebeat import clock


@dataclass(frozen=True)
class Reply:
    """An answer with a status below 500 that doesn't ask to slow down; what it means is the caller's to say."""

    status: int
    body: bytes = field(repr=False)


def exchange(
    http: httpx2.Client,
    method: str,
    url: str,
    *,
    service: str,
    step: str,
    patience: Patience,
    most: int,
    **request: Any,
) -> Reply:
    """Send one request once. `most`: how many bytes an answer may have.

    Raises:
        UpstreamUnavailableError: no answer, one that breaks off or takes too long, a server error.
        RateLimitedError: asked to slow down.
        ShapeChangedError: more bytes than any honest answer.
    """
    failure: UpstreamError
    try:
        with http.stream(method, url, **request) as response:
            _refuse_pressure(response, service, step)
            return Reply(response.status_code, _body(response, service, step, patience, most))
    except (httpx2.TransportError, httpx2.DecodingError, httpx2.InvalidURL) as error:
        kind = type(error).__name__
        failure = UpstreamUnavailableError(
            service,
            f"no usable answer to {step} ({kind})",
            reason_ko=f"{step} 요청에 쓸 수 있는 응답이 없습니다 ({kind})",
        )
    raise failure


def _refuse_pressure(response: httpx2.Response, service: str, step: str) -> None:
    status = response.status_code
    asked = retry_after_seconds(response.headers.get("retry-after"), clock.now())
    if status == 429 or (status == 503 and asked is not None):
        wait, wait_ko = ("", "") if asked is None else (f" for {asked:g} s", f" ({asked:g}초)")
        raise rate_limited(service, f"{step} has to wait{wait}", f"{step} 요청은 기다려야 합니다{wait_ko}", asked)
    if status >= 500:
        raise UpstreamUnavailableError(
            service,
            f"{step} was answered with status {status}",
            reason_ko=f"{step} 요청의 응답 상태가 {status}입니다",
            status=status,
        )


def _body(response: httpx2.Response, service: str, step: str, patience: Patience, most: int) -> bytes:
    deadline = clock.monotonic() + patience.total
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > most:
            raise ShapeChangedError(service, f"{step} was answered with more than {most} bytes")
        if clock.monotonic() > deadline:
            raise UpstreamUnavailableError(
                service,
                f"the answer to {step} took longer than {patience.total:g} s",
                reason_ko=f"{step} 응답이 {patience.total:g}초를 넘겼습니다",
            )
    return bytes(body)
