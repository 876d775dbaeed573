"""The FastAPI application: routes, guard, errors, static files, and Django below everything else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from app.api import problems
from app.api.guard import Guard
from app.api.pages import STATIC_FOLDER
from app.api.routes import front, health, realestate, runs, schedules, stats
from app.api.routes.flower import FlowerClient, flower_router
from app.core.settings import Settings

#: Addresses that are ours whole: what isn't found here is not looked for in Django.
_OURS = ("/api/", "/flower/")


class LastMount(Mount):
    """Django at `/`, which would otherwise answer for every path of ours that has no route."""

    def matches(self, scope: Scope) -> tuple[Match, dict[str, Any]]:
        if scope["type"] == "http" and scope["path"].startswith(_OURS):
            return Match.NONE, {}
        match, child = super().matches(scope)
        return match, dict(child)


def create(settings: Settings, django: ASGIApp) -> FastAPI:
    """The application of one process. `django`: Django's ASGI application."""
    flower = FlowerClient(settings.flower_socket)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await flower.close()

    app = FastAPI(
        title="Livebeat",
        version=version("livebeat"),
        description="Celery 스케줄을 재시작 없이 관리합니다. / Celery schedules that change while they run.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    problems.install(app)
    app.add_middleware(Guard, hosts=settings.hosts)
    api = APIRouter(prefix="/api")
    for routes in (schedules, runs, realestate, stats, health):
        api.include_router(routes.router)
    app.include_router(api)
    app.include_router(health.old_router)
    app.include_router(front.router)
    app.include_router(flower_router(flower))
    app.mount("/static", _static_files(), name="static")
    app.router.routes.append(LastMount("/", app=django, name="django"))
    return app


def _static_files() -> StaticFiles:
    """Our own files, Swagger UI's and the admin's, each from its package."""
    packages: list[str | tuple[str, str]] = [("fastapi_offline", "static"), ("django.contrib.admin", "static")]
    return StaticFiles(directory=STATIC_FOLDER, packages=packages)
