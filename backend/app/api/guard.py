"""What every request passes before a route sees it: loopback is reachable from any page in the user's browser.

Host allow-list (a foreign name that resolves to us is refused), no state changed on another site's behalf, bodies up
to 256 KiB, security headers on every answer, and schedule names taken from the raw path, where `%2F` is not a slash.
"""

import logging
import re
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.language import preferred
from app.api.problems import problem

logger = logging.getLogger(__name__)

MAX_BODY = 256 * 1024
#: Below this, a path is matched as it was sent, still percent-encoded; the `name` convertor decodes it once.
RAW_PREFIX = b"/api/scheduler/schedule/"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:/@\s]+)(?::\d{1,5})?", re.IGNORECASE)
_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)
#: Swagger UI sets style attributes; a page of Flower has a script in it. Neither is ours to change.
_POLICIES = {
    "/docs": _POLICY + "; style-src 'self' 'unsafe-inline'",
    "/flower": _POLICY + "; style-src 'self' 'unsafe-inline'; script-src 'self' 'unsafe-inline'",
}

Refusal = tuple[int, str, str, str]


class Guard:
    """The ASGI middleware. `hosts`: the names under which we answer, without ports."""

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # nothing here speaks it
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(scope["path"], send)
        headers = Headers(scope=scope)
        refusal = self._refusal(scope["method"], headers)
        body = None if refusal else await _limited(headers, receive)
        if body is None:
            status, kind, ko, en = refusal or _TOO_LARGE
            logger.warning("refused %s %s: %s", scope["method"], scope["path"], en)
            detail = en if preferred(headers.get("accept-language", "")) == "en" else ko
            await problem(status, kind, detail, scope["path"])(scope, receive, send)
            return
        await self._app(_raw_names(scope), body, send)

    def _refusal(self, method: str, headers: Headers) -> Refusal | None:
        host = headers.get("host", "")
        if not self._knows(host):
            return (
                400,
                "unknown-host",
                f"알 수 없는 호스트입니다: {host!r}. ALLOWED_HOSTS에 추가하세요.",
                f"Unknown host {host!r}; add it to ALLOWED_HOSTS if it is yours.",
            )
        if method not in _SAFE and _is_foreign(headers, host):
            return (403, "cross-site", "다른 사이트에서 보낸 요청입니다.", "The request comes from another site.")
        return None

    def _knows(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        return match is not None and match[1].lower() in self._hosts


_TOO_LARGE: Refusal = (
    413,
    "too-large",
    f"요청 본문은 {MAX_BODY // 1024} KiB 이하여야 합니다.",
    f"A request body may have at most {MAX_BODY // 1024} KiB.",
)


def _is_foreign(headers: Headers, host: str) -> bool:
    """Whether a browser says that another site's page made the request. Without a browser (curl) nothing is said."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        return urlsplit(origin).netloc.lower() != host.lower()
    except ValueError:
        return True


async def _limited(headers: Headers, receive: Receive) -> Receive | None:
    """The request's body, or None where it is too large. One of unknown length is read here, up to the limit."""
    length = headers.get("content-length")
    if length is not None:
        return receive if length.isascii() and length.isdigit() and int(length) <= MAX_BODY else None
    if "transfer-encoding" not in headers:
        return receive
    messages: list[Message] = []
    size = 0
    while not messages or messages[-1].get("more_body", False):
        messages.append(await receive())
        size += len(messages[-1].get("body", b""))
        if size > MAX_BODY:
            return None
    return _replayed(messages, receive)


def _replayed(messages: list[Message], receive: Receive) -> Callable[[], Awaitable[Message]]:
    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    return again


def _raw_names(scope: Scope) -> Scope:
    raw = scope.get("raw_path") or b""
    if not raw.startswith(RAW_PREFIX) or len(raw) == len(RAW_PREFIX):
        return scope
    return {**scope, "path": raw.decode("latin-1")}


def _with_headers(path: str, send: Send) -> Send:
    top = "/" + path.lstrip("/").split("/", 1)[0]

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Content-Security-Policy"] = _POLICIES.get(top, _POLICY)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["X-Frame-Options"] = "DENY"
            headers.setdefault("Referrer-Policy", "same-origin")
            headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        await send(message)

    return with_headers
