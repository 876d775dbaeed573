"""Calls to an upstream, with limits on everything and a named error for every failure.

What came back and what it is called here (errors of `app.core.errors`):

    no answer, cut short, 5xx                             UpstreamUnavailableError
    429, 503 with Retry-After                             RateLimitedError           all workers rest
    more bytes than any honest answer, bad compression    ShapeChangedError
    anything else                                         a Reply: what it means is the caller's to say

and where JSON is expected:

    not JSON                                              UpstreamUnavailableError   tried again, a few times
    TOO_MANY_REQUESTS                                     RateLimitedError           waited out if short, else raised
    redirect to /404, a 4xx that isn't JSON               UpstreamRejectedError
    any other redirect                                    ShapeChangedError
    JSON with a status below 500                          an Answer: what it means is the caller's to say

A client keeps no cookies, follows no redirect, says honestly who it is, and puts no secret into an error, a log line
or a `repr`. Addresses may hold secrets as well, so the transport's own exception, which keeps the request, is never the
cause or the context of one of ours; and credentials in headers go in by an `httpx2.Auth`, so that not even a traceback's
local variables hold them.
"""

import json
import re
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import httpx2
import stamina
from pydantic import BaseModel, ValidationError

from app.clients.rate import SharedRate, rate_limited
from app.core.errors import (
    RateLimitedError,
    ShapeChangedError,
    UpstreamError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from livebeat import clock

USER_AGENT = "Livebeat/0.1 (data product operator's own crawler)"
MAX_BODY_BYTES = 8 * 1024 * 1024
_SECONDS = re.compile(r"\d{1,9}(\.\d{1,3})?")

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Patience:
    """How long a call may take, in seconds: to connect, between bytes, for one answer, and in waits when asked to.

    `attempts` counts the first try; between tries it waits `backoff` seconds, doubling, with as much jitter. `rest` is
    what everybody gives a service that asks to slow down and doesn't say for how long: long beside the second by which
    most limits are counted, short beside `hold`, so that nobody else's call fails by it.
    """

    connect: float = 5.0
    read: float = 15.0
    total: float = 30.0
    hold: float = 30.0
    rest: float = 5.0
    attempts: int = 3
    backoff: float = 0.5


@dataclass(frozen=True)
class Reply:
    """An answer that doesn't ask to slow down."""

    status: int
    headers: httpx2.Headers = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """An answer that was JSON and came with a status below 500."""

    status: int
    data: Any = field(repr=False)
    headers: httpx2.Headers = field(repr=False)


def retry_after_seconds(value: str | None, now: datetime) -> float | None:
    """Retry-After in seconds from `now`: a number or an HTTP date (RFC 9110, 10.2.3); None where it says nothing."""
    if value is None:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _refuse_constant(name: str) -> None:
    """NaN and Infinity are Python's extension of JSON; no column would take them."""
    raise ValueError(f"{name} is not JSON")


def validated(service: str, step: str, model: type[Model], data: Any) -> Model:
    """`data` as `model`. Raises ShapeChangedError that names the first field that is wrong, never its content."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise ShapeChangedError(service, f"{step}: {place}: {first['msg']}{more}") from None


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """This process's, made once: reading the certificates anew for each user costs more than the user's requests."""
    return httpx2.create_ssl_context()


class Upstream:
    """One service over HTTP. Safe to share between threads; made per user or per run, so that nothing leaks across.

    `call` does all that a service which speaks JSON needs. For others there is `exchange`, one request, before which the
    caller takes a turn of `rate`.
    """

    def __init__(
        self,
        service: str,
        *,
        per_second: float,
        redis_url: str,
        patience: Patience | None = None,
        accept: str = "application/json",
    ) -> None:
        self.service = service
        self.patience = patience or Patience()
        self.rate = SharedRate(service, per_second=per_second, redis_url=redis_url)
        self._http = httpx2.Client(
            verify=_tls(),
            headers={"user-agent": USER_AGENT, "accept": accept},
            timeout=httpx2.Timeout(self.patience.read, connect=self.patience.connect),
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )

    def close(self) -> None:
        """Close connections."""
        self._http.close()

    def call(
        self,
        method: str,
        url: str,
        *,
        step: str,
        auth: httpx2.Auth | None = None,
        params: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> Answer:
        """Send one idempotent request, as often as `patience` allows, and return its JSON.

        `step` names the request in errors. Waits because of Retry-After add up to `patience.hold` seconds at most.

        Raises:
            UpstreamUnavailableError, RateLimitedError, UpstreamRejectedError, ShapeChangedError: see the module.
            ServerUnavailableError: Redis, which holds the shared limit, does not answer.
        """
        left = self.patience.hold

        def worth_another_try(error: Exception) -> bool:
            if isinstance(error, RateLimitedError):
                return error.retry_after is not None and error.retry_after <= left
            return isinstance(error, UpstreamUnavailableError)

        for attempt in self.attempts(worth_another_try):
            with attempt:
                left -= self.rate.acquire(max(left, 0.0))
                reply = self._send(method, url, step, MAX_BODY_BYTES, auth=auth, params=params, json=body)
                return self._answer(reply, step)
        raise AssertionError("unreachable: the last attempt raises")

    def exchange(self, method: str, url: str, *, step: str, most: int, **request: Any) -> Reply:
        """Send one request once. `most`: how many bytes an answer may have.

        Raises:
            UpstreamUnavailableError, RateLimitedError, ShapeChangedError: see the module.
            ServerUnavailableError: Redis, which holds the shared limit, does not answer.
        """
        reply = self._send(method, url, step, most, **request)
        self._refuse_breakdown(reply, step)
        return reply

    def attempts(self, on: Callable[[Exception], bool]) -> Iterator[stamina.Attempt]:
        """As many tries as `patience` allows, after errors that are worth another one."""
        backoff = self.patience.backoff
        attempts = self.patience.attempts
        context = stamina.retry_context(
            on, attempts=attempts, timeout=None, wait_initial=backoff, wait_max=8 * backoff, wait_jitter=backoff
        )
        return iter(context)

    def _send(self, method: str, url: str, step: str, most: int, **request: Any) -> Reply:
        failure: UpstreamError
        try:
            with self._http.stream(method, url, **request) as response:
                self._refuse_pressure(response, step)
                return Reply(response.status_code, response.headers, self._body(response, step, most))
        except httpx2.TransportError as error:
            kind = type(error).__name__
            failure = UpstreamUnavailableError(
                self.service,
                f"no usable answer to {step} ({kind})",
                reason_ko=f"{step} 요청에 쓸 수 있는 응답이 없습니다 ({kind})",
            )
        except (httpx2.DecodingError, httpx2.InvalidURL) as error:
            failure = ShapeChangedError(self.service, f"{step}: {type(error).__name__}")
        # Raised out here: the transport's exception holds the request, and the request holds the credentials.
        raise failure

    def _body(self, response: httpx2.Response, step: str, most: int) -> bytes:
        """The whole body, unless it is too large or drips in for too long."""
        deadline = clock.monotonic() + self.patience.total
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > most:
                raise ShapeChangedError(self.service, f"{step} was answered with more than {most} bytes")
            if clock.monotonic() > deadline:
                raise UpstreamUnavailableError(
                    self.service,
                    f"the answer to {step} took longer than {self.patience.total:g} s",
                    reason_ko=f"{step} 응답이 {self.patience.total:g}초를 넘겼습니다",
                )
        return bytes(body)

    def _refuse_pressure(self, response: httpx2.Response, step: str) -> None:
        asked = retry_after_seconds(response.headers.get("retry-after"), clock.now())
        if response.status_code == 429 or (response.status_code == 503 and asked is not None):
            raise self._slowed(asked, step)

    def _slowed(self, asked: float | None, step: str) -> RateLimitedError:
        """The service asks to slow down, for so many seconds if it says so: nobody sends meanwhile."""
        self.rate.hold(self.patience.rest if asked is None else asked)
        wait = "" if asked is None else f", and asked for {asked:g} s"
        wait_ko = "" if asked is None else f" ({asked:g}초 뒤 재시도 요청)"
        return rate_limited(self.service, f"it refused {step}{wait}", f"{step} 요청이 거절되었습니다{wait_ko}", asked)

    def _refuse_breakdown(self, reply: Reply, step: str) -> None:
        if reply.status >= 500:
            raise UpstreamUnavailableError(
                self.service,
                f"{step} was answered with status {reply.status}",
                reason_ko=f"{step} 요청의 응답 상태가 {reply.status}입니다",
                status=reply.status,
            )

    def _answer(self, reply: Reply, step: str) -> Answer:
        try:
            data = json.loads(reply.body, parse_constant=_refuse_constant)
            is_json = True
        except (ValueError, RecursionError):
            data, is_json = None, False
        if isinstance(data, dict) and data.get("code") == "TOO_MANY_REQUESTS":
            raise self._slowed(retry_after_seconds(reply.headers.get("retry-after"), clock.now()), step)
        self._refuse_breakdown(reply, step)
        if 300 <= reply.status < 400:
            self._refuse_redirect(reply, step)
        if not is_json:
            self._refuse_text(reply, step)
        return Answer(reply.status, data, reply.headers)

    def _refuse_redirect(self, reply: Reply, step: str) -> None:
        target = urlsplit(reply.headers.get("location", "")).path
        if target.rstrip("/").endswith("/404"):
            raise UpstreamRejectedError(
                self.service,
                f"{step} was redirected to its page 404; it doesn't serve this client",
                reason_ko=f"{step} 요청이 404 페이지로 이동되었습니다. 이 클라이언트를 허용하지 않습니다",
                status=reply.status,
            )
        raise ShapeChangedError(
            self.service,
            f"{step} was redirected to another place (status {reply.status})",
            reason_ko=f"{step} 요청이 다른 주소로 이동되었습니다 (상태 {reply.status})",
        )

    def _refuse_text(self, reply: Reply, step: str) -> None:
        kind = reply.headers.get("content-type", "no content type").partition(";")[0][:60]
        reason = f"{step} was answered with status {reply.status} and {kind}, not JSON"
        reason_ko = f"{step} 응답이 JSON이 아닙니다 (상태 {reply.status}, {kind})"
        refused = UpstreamRejectedError if reply.status >= 400 else UpstreamUnavailableError
        raise refused(self.service, reason, reason_ko=reason_ko, status=reply.status)


class UpstreamClient:
    """A client of one service: a context manager that closes its connections."""

    _upstream: Upstream

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._upstream.close()
