"""The platform's API with one route more, `POST /api/fail`, that fails with what it was given in its hands."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute

from app.main import app


async def fail(request: Request) -> None:
    body: Any = await request.json()
    raise RuntimeError(f"failed with password={body['password']}")


def _fastapi(outer: Any) -> FastAPI:
    while not isinstance(outer, FastAPI):
        outer = outer.app
    return outer


_fastapi(app).router.routes.insert(0, APIRoute("/api/fail", fail, methods=["POST"]))
