"""Django's sign-in as a way into the API, and a limit on its attempts.

Staff count as operators, superusers as admins; nobody else's session opens anything. A password is only looked at
after its attempt was counted, so parallel guesses count as many as they are.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

import redis
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import CsrfViewMiddleware

from app.access.attempts import count_attempt, take_back
from app.access.scopes import Principal, Scope
from app.core.celery_app import celery_app
from livebeat.connection import link

logger = logging.getLogger(__name__)

_LOGIN = "login"
_COUNTED = "livebeat_attempt_counted"


def principal_of_session(session_key: str) -> Principal | None:
    """Whose session this is; None where it is nobody's, over, or not of the staff."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    user = get_user(request)
    if not isinstance(user, AbstractBaseUser) or not user.is_active or not getattr(user, "is_staff", False):
        return None
    scope = Scope.ADMIN if getattr(user, "is_superuser", False) else Scope.OPERATOR
    return Principal(user.get_username(), scope, "session")


def csrf_token_fits(cookie: str, token: str) -> bool:
    """Whether a request carries the token that belongs to its CSRF cookie."""
    request = HttpRequest()
    request.method = "POST"
    request.COOKIES[settings.CSRF_COOKIE_NAME] = cookie
    request.META[settings.CSRF_HEADER_NAME] = token
    check = CsrfViewMiddleware(lambda _: HttpResponse())
    check.process_request(request)
    return check.process_view(request, lambda _: HttpResponse(), (), {}) is None


class LimitedSignIn:
    """Django middleware: at most ten failed sign-ins in five minutes for each address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on; an attempt that succeeded doesn't count."""
        response = self._get_response(request)
        if response.status_code == 302 and hasattr(request, _COUNTED):
            with suppress(redis.RedisError):
                take_back(link(celery_app).client, "sign-in", _address(request))
        return response

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        """Count an attempt before Django looks at its password."""
        match = request.resolver_match
        if request.method != "POST" or match is None or match.url_name != _LOGIN:
            return None
        try:
            seconds = count_attempt(link(celery_app).client, "sign-in", _address(request))
        except redis.RedisError:
            return _refusal(request, 503, _NOT_NOW, 2)
        if seconds:
            return _refusal(request, 429, _TOO_MANY.format(seconds=seconds), seconds)
        setattr(request, _COUNTED, True)
        return None


_TOO_MANY = (
    "로그인 시도가 너무 많습니다. {seconds}초 후 다시 시도하세요. / Too many attempts; try again in {seconds} seconds."
)
_NOT_NOW = "지금은 로그인할 수 없습니다(Redis 연결 실패). / Nobody can sign in now: Redis is not available."


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def _refusal(request: HttpRequest, status: int, text: str, retry_after: int) -> HttpResponse:
    logger.warning("refused a sign-in from %s with %d", _address(request), status)
    return HttpResponse(
        text, status=status, content_type="text/plain; charset=utf-8", headers={"Retry-After": str(retry_after)}
    )
