"""The FastAPI application: routes, guard, errors, static files, and Django below everything else."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.routing import Match
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from app.access.scopes import Scope as AccessScope
from app.api import problems
from app.api.access import OPEN, DeclaredMount, Need
from app.api.admission import Admission
from app.api.door import Door
from app.api.exposure import is_loopback
from app.api.guard import Guard
from app.api.openapi import described
from app.api.pages import STATIC_FOLDER
from app.api.routes import (
    actions,
    backfills,
    front,
    health,
    jobs,
    listings,
    outlook,
    realestate,
    runs,
    schedules,
    seedfile,
    stats,
    stats_old,
    stats_work,
    status,
    tasks,
    triggers,
)
from app.api.routes.flower import FlowerClient, flower_router
from app.core.settings import Settings

#: Addresses that are ours whole: what isn't found here is not looked for in Django.
_OURS = ("/api/", "/flower/")


class DjangoMount(DeclaredMount):
    """Django at `/`, which would otherwise answer for every path of ours that has no route. `under`: only there."""

    def __init__(self, app: ASGIApp, name: str, need: Need, under: str = "") -> None:
        super().__init__("/", app, name, need)
        self._under = under

    def matches(self, scope: Scope) -> tuple[Match, dict[str, Any]]:
        path = scope["path"] if scope["type"] == "http" else ""
        if path.startswith(_OURS) or not f"{path}/".startswith(f"{self._under}/"):
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
        openapi_url=None,  # our own route, which declares what it needs
        redoc_url=None,
        lifespan=lifespan,
    )
    problems.install(app)
    admission = Admission(loopback=is_loopback(settings.api_host), bootstrap=settings.livebeat_bootstrap_key)
    app.add_middleware(Door, admission=admission)
    app.add_middleware(Guard, hosts=settings.hosts)  # the last one added is the first one passed
    api = APIRouter(prefix="/api")
    # What ends in a word of its own comes before the name that takes the rest of a path.
    for routes in (
        actions,
        backfills,
        schedules,
        outlook,
        seedfile,
        triggers,
        tasks,
        status,
        jobs,
        runs,
        listings,
        realestate,
        stats,
        stats_work,
        stats_old,
        health,
    ):
        api.include_router(routes.router)
    app.include_router(api)
    app.include_router(health.old_router)
    app.include_router(front.router)
    app.include_router(flower_router(flower))
    app.router.routes.append(DeclaredMount("/static", _static_files(), "static", OPEN))
    app.router.routes.append(DjangoMount(django, "admin", OPEN, under="/admin"))  # has a sign-in of its own
    app.router.routes.append(DjangoMount(django, "django", AccessScope.VIEWER))
    app.openapi = lambda: described(app)  # type: ignore[method-assign]  # FastAPI's documented way
    return app


def _static_files() -> StaticFiles:
    """Our own files, Swagger UI's and the admin's, each from its package."""
    packages: list[str | tuple[str, str]] = [("fastapi_offline", "static"), ("django.contrib.admin", "static")]
    return StaticFiles(directory=STATIC_FOLDER, packages=packages)
