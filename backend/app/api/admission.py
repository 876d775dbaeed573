"""Who may pass: by API key, by Django's sign-in, or, on loopback before the first key was made, everybody.

Synchronous, on a thread with a database connection of its own. When in doubt, nobody: a database that can't be asked
keeps everybody out, but where it said a moment ago that there are no keys.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import redis
from django.conf import settings as django_settings
from django.db import DatabaseError, InterfaceError, close_old_connections
from pydantic import SecretStr
from starlette.requests import HTTPConnection

from app.access.attempts import count_attempt
from app.access.scopes import Principal, Scope
from app.access.services import authenticate, ensure_bootstrap_key, keys_exist
from app.access.sign_in import csrf_token_fits, principal_of_session
from app.api.engine import redis_link
from app.api.exposure import is_loopback

logger = logging.getLogger(__name__)

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_CHALLENGE = 'Bearer realm="livebeat"'


@dataclass(frozen=True)
class Refused:
    """Why not, in both languages."""

    status: int
    kind: str
    ko: str
    en: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Admission:
    """The judge of one process. `loopback`: the API listens where only this machine can reach it."""

    def __init__(self, *, loopback: bool, bootstrap: SecretStr | None = None) -> None:
        self._loopback = loopback
        self._bootstrap = bootstrap
        self._was_open = False

    def judge(self, caller: HTTPConnection, method: str, need: Scope) -> Principal | Refused:
        """Let somebody in, or say why not. Never raises for a database or a Redis that is away."""
        close_old_connections()
        try:
            return self._judge(caller, method, need)
        except (DatabaseError, InterfaceError) as error:
            return _not_now("The database", "데이터베이스", error)
        except redis.RedisError as error:
            return _not_now("Redis", "Redis", error)
        finally:
            close_old_connections()

    def _judge(self, caller: HTTPConnection, method: str, need: Scope) -> Principal | Refused:
        address = caller.client.host if caller.client else ""
        if self._is_open(address):
            return Principal(address, Scope.ADMIN, "nothing")
        key = _key_in(caller)
        if key:
            found = authenticate(key)
            if found is None:
                seconds = count_attempt(redis_link().client, "key", address)
                return _too_many(seconds) if seconds else _UNKNOWN_KEY
        else:
            session = caller.cookies.get(django_settings.SESSION_COOKIE_NAME)
            found = principal_of_session(session) if session else None
            if found is None:
                return _NOBODY
            if method not in _SAFE and not _is_from_our_pages(caller):
                return _FOREIGN
        return found if found.may(need) else _too_little(found, need)

    def _is_open(self, address: str) -> bool:
        """Whether everybody may do everything: as long as no key was made, and only from this machine to itself."""
        if not self._loopback or not is_loopback(address):
            self._settle()
            return False
        try:
            self._settle()
            self._was_open = not keys_exist()
        except (DatabaseError, InterfaceError):
            if not self._was_open:
                raise
        return self._was_open

    def _settle(self) -> None:
        """Make the bootstrap key, as soon as the database can be asked."""
        if self._bootstrap is not None:
            ensure_bootstrap_key(self._bootstrap.get_secret_value())
            self._bootstrap = None


def _key_in(caller: HTTPConnection) -> str:
    scheme, _, text = caller.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else caller.headers.get("x-api-key", "").strip()


def _is_from_our_pages(caller: HTTPConnection) -> bool:
    """A cookie comes along by itself, so a change needs a sign that a page of ours made it.

    The guard has refused every foreign `Origin` already.
    """
    if "origin" in caller.headers or caller.headers.get("sec-fetch-site") == "same-origin":
        return True
    cookie = caller.cookies.get(django_settings.CSRF_COOKIE_NAME, "")
    token = caller.headers.get("x-csrftoken", "")
    return bool(cookie and token) and csrf_token_fits(cookie, token)


_NOBODY = Refused(
    401,
    "not-signed-in",
    "인증이 필요합니다. 로그인하거나 API 키를 보내세요 (Authorization: Bearer <키>).",
    "Sign in, or send an API key (Authorization: Bearer <key>).",
    {"WWW-Authenticate": _CHALLENGE},
)
_UNKNOWN_KEY = Refused(
    401,
    "unknown-key",
    "API 키를 사용할 수 없습니다. 알 수 없거나 만료되었거나 폐기된 키입니다.",
    "The API key is unknown, expired or revoked.",
    {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'},
)
_FOREIGN = Refused(
    403,
    "csrf",
    "로그인 세션으로 변경하려면 CSRF 토큰(X-CSRFToken)이 필요합니다.",
    "A change by a signed-in session needs its CSRF token (X-CSRFToken).",
)


def _too_little(found: Principal, need: Scope) -> Refused:
    return Refused(
        403,
        "scope-too-small",
        f"이 작업에는 {need.value} 권한이 필요합니다 (현재: {found.scope.value}).",
        f"This needs the scope {need.value}; yours is {found.scope.value}.",
        {"WWW-Authenticate": f'{_CHALLENGE}, error="insufficient_scope", scope="{need.value}"'},
    )


def _too_many(seconds: int) -> Refused:
    return Refused(
        429,
        "too-many-attempts",
        f"실패한 인증 시도가 너무 많습니다. {seconds}초 후 다시 시도하세요.",
        f"Too many failed attempts; try again in {seconds} seconds.",
        {"Retry-After": str(seconds)},
    )


def _not_now(what: str, ko: str, error: Exception) -> Refused:
    logger.warning("nobody can be let in, %s is not available: %s", what, " ".join(str(error).split()))
    return Refused(
        503,
        "unavailable",
        f"{ko}에 연결할 수 없습니다. 잠시 후 다시 시도하세요.",
        f"{what} is not available. Try again in a moment.",
        {"Retry-After": "2"},
    )
