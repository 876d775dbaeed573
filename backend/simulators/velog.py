"""velog's two GraphQL servers on one address: `POST /v3/graphql` and `POST /v2cdn/graphql`.

v3 answers `currentUser` and `posts`, v2cdn answers `getStats`; a query for the other server's field is refused. The
steps that faults name are those three. Kinds beyond the generic ones: `shape` (valid JSON of another form), `empty`
(no posts), `loop` (the cursor is ignored), `expired_token`, `unrelated_cookie`, `one_cookie` (a refresh that sets
the access token only), `not_found` (getStats).
"""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators import tokens, world
from simulators.faults import Control, Fault, control_routes, misbehave
from simulators.graphql import QueryError, Selection, project, root_field

KINDS = frozenset({"shape", "empty", "loop", "expired_token", "unrelated_cookie", "one_cookie", "not_found"})
PAGE_CAP = 50
DEFAULT_LIMIT = 10
REFUSED_LIMIT = 100
REFRESH_BELOW_SECONDS = 30 * 60
RENEW_REFRESH_BELOW_SECONDS = 23 * 24 * 3600
_SERVERS = {"v3": {"currentUser", "posts"}, "v2cdn": {"getStats"}}


class GraphQLError(Exception):
    """An error as v3 sends it: an HTTP status and `extensions.name`."""

    def __init__(self, status: int, name: str, message: str) -> None:
        self.status, self.name, self.message = status, name, message
        super().__init__(message)


class VelogWorld:
    """Users and posts; views grow with time where the world is `lively`."""

    def __init__(self, clock: Callable[[], float], *, lively: bool) -> None:
        self.clock, self.lively = clock, lively
        self.reset()

    def reset(self) -> None:
        """The world as it was at the start."""
        self.users = {user.id: user for user in world.users()}
        self.posts = {post.id: post for post in world.posts()}

    def change(self, document: dict[str, Any]) -> None:
        """`set` fields of posts, `remove` posts, `add` posts (`user_id` and any field of `world.Post`), and `users`."""
        for values in document.get("users", []):
            user = world.VelogUser(**{"email": None, "thumbnail": None, "group_id": 1, **values})
            self.users[user.id] = user
        for post_id, values in document.get("set", {}).items():
            for name, value in values.items():
                if not hasattr(self.posts[post_id], name):
                    raise KeyError(name)
                setattr(self.posts[post_id], name, _instant(value) if name == "released_at" else value)
        for post_id in document.get("remove", []):
            del self.posts[post_id]
        for values in document.get("add", []):
            fields = {"id": str(uuid.uuid4()), "title": "new", "url_slug": "new", "likes": 0, "views": 0, **values}
            fields["released_at"] = _instant(fields["released_at"])
            post = world.Post(**{"views_per_day": 0, **fields})
            self.posts[post.id] = post

    def total(self, post: world.Post) -> int:
        """Views of a post until now."""
        if not self.lively or post.released_at is None:
            return post.views
        days = (self.clock() - world.ANCHOR.timestamp()) / 86_400
        return post.views + max(0, int(days * post.views_per_day))

    def page(self, username: str, viewer: str | None, cursor: str, limit: int) -> list[world.Post]:
        """A user's posts, newest first (never released ones lead), after the cursor if it is still of use."""
        owner = next((user for user in self.users.values() if user.username == username), None)
        if owner is None:
            raise GraphQLError(404, "NotFound", "User not found")
        seen = [
            post
            for post in self.posts.values()
            if post.user_id == owner.id and not post.is_temp and (not post.is_private or viewer == owner.id)
        ]
        after = self.posts.get(cursor)
        if after is not None and after.released_at is not None:
            mark = after.released_at
            seen = [post for post in seen if post.released_at is not None and post.released_at < mark]
        seen.sort(key=lambda post: (post.released_at is None, post.released_at or world.ANCHOR), reverse=True)
        return seen[:limit]


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _iso(instant: datetime | None) -> str | None:
    if instant is None:
        return None
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _cookies(request: Request) -> dict[str, str]:
    pairs = (part.strip().partition("=") for part in request.headers.get("cookie", "").split(";"))
    return {name: value for name, _, value in pairs if name}


class _Session:
    """Who asks, by the cookies of one request, and the cookies that the answer sets."""

    def __init__(self, request: Request, now: float) -> None:
        sent = _cookies(request)
        self.sent = bool(sent)
        self.user_id: str | None = None
        self.set_cookies: dict[str, tuple[str, int]] = {}
        access = tokens.read(sent.get("access_token", ""), now)
        refresh = tokens.read(sent.get("refresh_token", ""), now)
        payload = access or refresh
        self.user_id = payload["user_id"] if payload else None
        if refresh and (access is None or access["exp"] - now < REFRESH_BELOW_SECONDS):
            self._renew(refresh, sent["refresh_token"], now)

    def _renew(self, refresh: dict[str, Any], sent: str, now: float) -> None:
        user_id = refresh["user_id"]
        if refresh["exp"] - now < RENEW_REFRESH_BELOW_SECONDS:
            sent = world.velog_token(user_id, now, "refresh_token")
        access = world.velog_token(user_id, now, "access_token")
        self.set_cookies = {
            "access_token": (access, world.ACCESS_TOKEN_SECONDS),
            "refresh_token": (sent, world.REFRESH_TOKEN_SECONDS),
        }

    def clear(self) -> None:
        """Nobody: both cookies are emptied, as v3 does with tokens that it doesn't accept."""
        self.user_id = None
        self.set_cookies = {"access_token": ("", 0), "refresh_token": ("", 0)}


class _Velog:
    def __init__(self, control: Control, data: VelogWorld) -> None:
        self.control, self.data = control, data

    async def answer(self, request: Request) -> Response:
        server = request.path_params["server"]
        try:
            body = await request.json()
            field, selection = root_field(body["query"])
        except (ValueError, KeyError, TypeError) as error:
            return _v3_error(GraphQLError(400, "BadRequest", str(error)))
        variables = body.get("variables") or {}
        fault = self.control.take(request, field, server=server, variables=variables)
        faulty = await misbehave(fault)
        if faulty is not None:
            return faulty
        if field not in _SERVERS.get(server, set()):
            return _v3_error(GraphQLError(400, "BadRequest", f'Cannot query field "{field}" on type "Query".'))
        if fault and fault.kind == "shape":
            return JSONResponse({"data": {field: {"edges": [{"node": {"_id": 1}}], "total": "many"}}})
        try:
            if server == "v2cdn":
                return self._stats(request, variables, selection, fault)
            return self._v3(request, field, variables, selection, fault)
        except (GraphQLError, QueryError) as error:
            return _v3_error(error if isinstance(error, GraphQLError) else GraphQLError(400, "BadRequest", str(error)))

    def _v3(
        self, request: Request, field: str, variables: dict[str, Any], selection: Selection, fault: Fault | None
    ) -> Response:
        session = _Session(request, self.data.clock())
        if (fault and fault.kind == "expired_token") or (session.sent and session.user_id not in self.data.users):
            session.clear()
            if fault and field == "posts":
                raise GraphQLError(401, "Unauthorized", "Not logged in")
        answers: dict[str, Callable[[], Any]] = {
            "currentUser": lambda: self._current_user(session),
            "posts": lambda: self._posts(session, variables.get("input") or {}, fault),
        }
        type_name = {"currentUser": "User", "posts": "Post"}[field]
        response = JSONResponse({"data": {field: project(selection, answers[field](), type_name)}})
        if fault and fault.kind == "one_cookie":
            session.set_cookies = {"access_token": (world.velog_token("nobody", 0, "access_token"), 60)}
        for name, (content, age) in session.set_cookies.items():
            response.set_cookie(name, content, max_age=age, httponly=True, domain=".velog.io")
        if fault and fault.kind == "unrelated_cookie":
            response.set_cookie("_ga", "GA1.2.3")
        return response

    def _current_user(self, session: _Session) -> dict[str, Any] | None:
        user = self.data.users.get(session.user_id or "")
        if user is None:
            return None
        return {
            "id": user.id,
            "username": user.username,
            "email": user.email,
            "profile": {"thumbnail": user.thumbnail},
        }

    def _posts(self, session: _Session, given: dict[str, Any], fault: Fault | None) -> list[dict[str, Any]]:
        limit = given.get("limit") or DEFAULT_LIMIT
        if limit > REFUSED_LIMIT:
            raise GraphQLError(400, "BadRequest", "Max limit is 100")
        if fault and fault.kind == "empty":
            return []
        cursor = "" if fault and fault.kind == "loop" else given.get("cursor") or ""
        page = self.data.page(given.get("username") or "", session.user_id, cursor, min(PAGE_CAP, limit))
        return [
            {
                "id": post.id,
                "title": post.title,
                "url_slug": post.url_slug,
                "likes": post.likes,
                "released_at": _iso(post.released_at),
            }
            for post in page
        ]

    def _stats(
        self, request: Request, variables: dict[str, Any], selection: Selection, fault: Fault | None
    ) -> Response:
        session = _Session(request, self.data.clock())
        post = self.data.posts.get(str(variables.get("post_id")))
        if post is None or (fault and fault.kind == "not_found"):
            return _apollo_error("Post not found", "NOT_FOUND")
        if session.user_id != post.user_id or (fault and fault.kind == "expired_token"):
            return _apollo_error("This post is not yours", "NO_PERMISSION")
        value = {"total": self.data.total(post), "count_by_day": []}
        return JSONResponse({"data": {"getStats": project(selection, value, "Stats")}})


def _v3_error(error: GraphQLError) -> Response:
    extensions = {"name": error.name, "message": error.message}
    return JSONResponse({"errors": [{"message": error.message, "extensions": extensions}]}, error.status)


def _apollo_error(message: str, code: str) -> Response:
    error = {"message": message, "locations": [], "path": ["getStats"], "extensions": {"code": code}}
    return JSONResponse({"errors": [error], "data": {"getStats": None}})


def create_app(*, clock: Callable[[], float] = time.time, lively: bool = False) -> Starlette:
    """The simulator as an ASGI app. `lively` lets views grow by the day; without it the world stands still."""
    control = Control(KINDS, clock)
    data = VelogWorld(clock, lively=lively)
    velog = _Velog(control, data)
    app = Starlette(routes=[Route("/{server}/graphql", velog.answer, methods=["POST"]), *control_routes(control, data)])
    app.state.control, app.state.world = control, data
    return app
