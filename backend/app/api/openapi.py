"""The OpenAPI document, with what each operation needs, taken from what its route declares."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from app.api.access import OPEN, UNDECLARED, declared_need

#: A member of each operation: `open`, `viewer`, `operator` or `admin`.
EXTENSION = "x-livebeat-needs"
_SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "session": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "Sign-in at /admin/."},
}
_REFUSALS = {
    "401": "No API key or sign-in, or not a valid one.",
    "403": "The scope is too small, or the request comes from another site.",
    "429": "Too many failed attempts from this address.",
}
_PROBLEM = {"application/problem+json": {"schema": {"type": "object"}}}


def described(app: FastAPI) -> dict[str, Any]:
    """The document of `app`, made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        document.setdefault("components", {})["securitySchemes"] = _SCHEMES
        _describe_needs(app, document["paths"])
        app.openapi_schema = document
    return app.openapi_schema


def _describe_needs(app: FastAPI, paths: dict[str, Any]) -> None:
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute):
            continue
        need = declared_need(route) or UNDECLARED
        for method in context.methods or ():
            operation = paths.get(context.path_format or "", {}).get(method.lower())
            if operation is None:
                continue
            operation[EXTENSION] = str(need)
            operation["security"] = [] if need == OPEN else [{name: []} for name in _SCHEMES]
            if need != OPEN:
                for status, text in _REFUSALS.items():
                    operation["responses"].setdefault(status, {"description": text, "content": _PROBLEM})
