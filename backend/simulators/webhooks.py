"""Discord's and Slack's incoming webhooks, which take a message for a channel.

    POST /api/webhooks/{id}/{token}        step `discord`: 204, or the message with `?wait=true`
    POST /services/{team}/{bot}/{token}    step `slack`: the text `ok`
    GET  /_sim/posts                       the messages that arrived: `channel`, `text`

Discord refuses more than 2,000 characters, Slack cuts after 40,000; both refuse an empty message. Kinds beyond the
generic ones: `gone` (the webhook was deleted), `lost` (the message arrives, its answer doesn't), `page` (200 with a web
page, as from a proxy in between).
"""

import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from simulators.faults import Control, control_routes, misbehave

KINDS = frozenset({"gone", "lost", "page"})
DISCORD_LIMIT = 2000
SLACK_LIMIT = 40_000


class Posts:
    """The messages that arrived."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """None so far."""
        self.arrived: list[dict[str, str]] = []

    def change(self, document: dict[str, Any]) -> None:
        """Nothing here can be set."""
        raise ValueError("there is no world to change")


class _Webhooks:
    def __init__(self, control: Control, posts: Posts) -> None:
        self.control, self.posts = control, posts

    async def discord(self, request: Request) -> Response:
        fault = self.control.take(request, "discord", path="/api/webhooks/…")
        refused = await misbehave(fault) or _broken(fault.kind if fault else "")
        if refused is not None:
            return refused
        content = _member(await request.json(), "content")
        if not content or len(content) > DISCORD_LIMIT:
            return JSONResponse({"code": 50035, "message": "Invalid Form Body"}, 400)
        return self._arrived("discord", content, fault.kind if fault else "") or self._discord_answer(request, content)

    def _discord_answer(self, request: Request, content: str) -> Response:
        if request.query_params.get("wait") != "true":
            return Response(status_code=204)
        return JSONResponse({"id": str(len(self.posts.arrived)), "type": 0, "content": content})

    async def slack(self, request: Request) -> Response:
        fault = self.control.take(request, "slack", path="/services/…")
        refused = await misbehave(fault) or _broken(fault.kind if fault else "")
        if refused is not None:
            return refused
        text = _member(await request.json(), "text")
        if not text:
            return PlainTextResponse("no_text", 400)
        return self._arrived("slack", text[:SLACK_LIMIT], fault.kind if fault else "") or PlainTextResponse("ok")

    async def shown(self, _: Request) -> Response:
        return JSONResponse(self.posts.arrived)

    def _arrived(self, channel: str, text: str, kind: str) -> Response | None:
        self.posts.arrived.append({"channel": channel, "text": text})
        return Response(status_code=502) if kind == "lost" else None


def _member(document: Any, name: str) -> str:
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, str) else ""


def _broken(kind: str) -> Response | None:
    if kind == "gone":
        return JSONResponse({"message": "Unknown Webhook", "code": 10015}, 404)
    return HTMLResponse("<!doctype html><title>Sign in to the network</title>") if kind == "page" else None


def create_app(*, clock: Callable[[], float] = time.time, lively: bool = False) -> Starlette:
    """The simulator as an ASGI app. `lively` changes nothing: it has no world of its own."""
    control = Control(KINDS, clock)
    posts = Posts()
    webhooks = _Webhooks(control, posts)
    app = Starlette(
        routes=[
            Route("/api/webhooks/{id}/{token}", webhooks.discord, methods=["POST"]),
            Route("/services/{team}/{bot}/{token}", webhooks.slack, methods=["POST"]),
            Route("/_sim/posts", webhooks.shown),
            *control_routes(control, posts),
        ]
    )
    app.state.control, app.state.world = control, posts
    return app
