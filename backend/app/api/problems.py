"""Errors as RFC 9457 problems, in the reader's language. `detail` is a plain sentence, as old clients expect it.

Statuses belong here alone: a domain or engine error is mapped by its class, and what is down is 503, never 500.
"""

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import redis
from celery.exceptions import OperationalError as BrokerError
from django.db import InterfaceError, OperationalError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kombu.exceptions import OperationalError as TransportError
from starlette.exceptions import HTTPException

from app.api.language import language_of
from app.api.validation import field_errors
from app.core.errors import NotConfiguredError, UnknownUserError, UpstreamError
from livebeat.errors import (
    BackfillNotFoundError,
    ConfigurationError,
    Language,
    LivebeatError,
    RevisionConflictError,
    ScheduleExistsError,
    ScheduleNotFoundError,
    SeedFileError,
    SpecError,
    StillRunningError,
)

logger = logging.getLogger(__name__)

#: Where clients of the Node API ask: they read its members.
NODE_API = "/api/stats-refresh"

#: Most specific first.
_OF_ERROR: tuple[tuple[type[LivebeatError], int, str], ...] = (
    (SpecError, 422, "invalid"),
    (ScheduleNotFoundError, 404, "schedule-not-found"),
    (ScheduleExistsError, 400, "schedule-exists"),
    (BackfillNotFoundError, 404, "backfill-not-found"),
    (StillRunningError, 409, "still-running"),
    (RevisionConflictError, 409, "revision-conflict"),
    (SeedFileError, 422, "invalid-seed-file"),
    (UnknownUserError, 404, "user-not-found"),
    (UpstreamError, 502, "upstream"),
    (NotConfiguredError, 503, "not-configured"),
    (ConfigurationError, 503, "not-configured"),
)

_OF_STATUS: dict[int, tuple[str, str]] = {
    400: ("요청을 이해할 수 없습니다.", "The request can't be understood."),
    403: ("허용되지 않은 요청입니다.", "The request is not allowed."),
    404: ("찾을 수 없습니다.", "There is nothing here."),
    405: ("지원하지 않는 메서드입니다.", "This method is not supported here."),
    413: ("요청 본문이 너무 큽니다.", "The request body is too large."),
    500: ("서버 내부 에러가 발생하였습니다.", "Something went wrong on our side; the log says what."),
}


class ProblemError(Exception):
    """A refusal made by the API itself. `more` are further members of the problem."""

    def __init__(self, status: int, kind: str, ko: str, en: str, **more: Any) -> None:
        super().__init__(en)
        self.status, self.kind, self.more = status, kind, more
        self._text: dict[Language, str] = {"ko": ko, "en": en}

    def text(self, language: Language) -> str:
        """The sentence for a reader of `language`."""
        return self._text[language]


def problem(
    status: int, kind: str, detail: str, instance: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """The response of one problem; `kind` names its type."""
    body = {
        "type": f"urn:livebeat:problem:{kind}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
        **({"success": False, "message": detail, "data": {}, "error": kind} if instance == NODE_API else {}),
        **more,
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error of `app` with a problem."""
    app.add_exception_handler(ProblemError, _refused)
    app.add_exception_handler(LivebeatError, _of_ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _of_status)
    for down in (redis.ConnectionError, redis.TimeoutError, BrokerError, TransportError):
        app.add_exception_handler(down, _redis_down)
    for down in (OperationalError, InterfaceError):
        app.add_exception_handler(down, _database_down)
    app.add_exception_handler(Exception, _unexpected)


def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)  # noqa: S101  registered for it
    return problem(error.status, error.kind, error.text(language_of(request)), request.url.path, **error.more)


def _of_ours(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, LivebeatError)  # noqa: S101  registered for it
    language = language_of(request)
    detail = error.text(language)
    for kind_of_error, status, kind in _OF_ERROR:
        if isinstance(error, kind_of_error):
            more: dict[str, Any] = {}
            if isinstance(error, SpecError):
                reason = error.facts.get(f"reason_{language}") or error.facts["reason"]
                more["errors"] = [{"field": error.facts["field"], "message": reason}]
            return problem(status, kind, detail, request.url.path, **more)
    logger.error("no status is set for %s: %s", type(error).__name__, error)
    return problem(500, "unexpected", detail, request.url.path)


def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for it
    errors = field_errors(error.errors(), language_of(request))
    detail = "; ".join(f"{each['field']}: {each['message']}" for each in errors)
    return problem(422, "invalid", detail, request.url.path, errors=errors)


def _of_status(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for it
    ko, en = _OF_STATUS.get(error.status_code, (str(error.detail), str(error.detail)))
    detail = en if language_of(request) == "en" else ko
    kind = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return problem(error.status_code, kind, detail, request.url.path, error.headers)


def _redis_down(request: Request, error: Exception) -> JSONResponse:
    return _down(request, error, "Redis", "Redis에 연결할 수 없습니다. 잠시 후 다시 시도하세요.")


def _database_down(request: Request, error: Exception) -> JSONResponse:
    return _down(request, error, "The database", "데이터베이스에 연결할 수 없습니다. 잠시 후 다시 시도하세요.")


def _down(request: Request, error: Exception, what: str, ko: str) -> JSONResponse:
    logger.warning("%s is not available: %s", what, " ".join(str(error).split()) or type(error).__name__)
    detail = f"{what} is not available. Try again in a moment." if language_of(request) == "en" else ko
    return problem(503, "unavailable", detail, request.url.path, {"Retry-After": "2"})


def _unexpected(request: Request, _error: Exception) -> JSONResponse:
    ko, en = _OF_STATUS[500]  # the server logs the error itself, with its traceback
    return problem(500, "unexpected", en if language_of(request) == "en" else ko, request.url.path)
