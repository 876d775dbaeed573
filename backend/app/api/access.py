"""What each route needs, said where the route is made, and who is calling.

    @router.post("/schedule")
    @needs(Scope.OPERATOR)
    def create_schedule(…)

A request is judged by the route that will serve it, never by the look of its path. A route that says nothing needs an
admin; a test fails for it as well.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from fastapi import FastAPI, Request
from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp
from starlette.types import Scope as AsgiScope

from app.access.scopes import Principal, Scope

E = TypeVar("E", bound=Callable[..., Any])

_DECLARED = "livebeat_needs"
OPEN: Literal["open"] = "open"
Need = Scope | Literal["open"]
#: Of a route that declares nothing.
UNDECLARED = Scope.ADMIN
#: Of an address that has no route: only those who may read are told that there is nothing.
NO_ROUTE = Scope.VIEWER


def needs(need: Need) -> Callable[[E], E]:
    """Declare what an endpoint needs: a scope, or `OPEN` for everybody."""

    def declared(endpoint: E) -> E:
        setattr(endpoint, _DECLARED, need)
        return endpoint

    return declared


class DeclaredMount(Mount):
    """A mounted application and what all of it needs."""

    def __init__(self, path: str, app: ASGIApp, name: str, need: Need) -> None:
        super().__init__(path, app=app, name=name)
        setattr(self, _DECLARED, need)


def declared_need(route: BaseRoute) -> Need | None:
    """What a route or mount declares; None where it declares nothing."""
    found: Need | None = getattr(getattr(route, "endpoint", route), _DECLARED, None)
    return found


def need_of(scope: AsgiScope) -> Need:
    """What a request needs: its route is looked for as the router will, first whole match, else first of the path."""
    partly: BaseRoute | None = None
    app: FastAPI = scope["app"]
    for context in iter_route_contexts(app.routes):
        match, _ = context.matches(scope)
        if match is Match.FULL:
            return declared_need(context.original_route) or UNDECLARED
        if match is Match.PARTIAL and partly is None:
            partly = context.original_route
    return NO_ROUTE if partly is None else declared_need(partly) or UNDECLARED


def principal_of(request: Request) -> Principal | None:
    """Whom the door let in; None on a route that is open to everybody."""
    found: Principal | None = getattr(request.state, "principal", None)
    return found


def caller_of(request: Request) -> str:
    """The name under which a change is recorded: the key's, the user's, or else the caller's address."""
    principal = principal_of(request)
    if principal is not None:
        return principal.name
    return request.client.host if request.client else ""
