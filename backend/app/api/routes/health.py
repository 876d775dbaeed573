"""`/api/health/live` and `/ready` for supervisors; `/health` as the old API had it."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response

from app.api.access import OPEN, needs
from app.api.readiness import readiness
from app.api.routing import OrmRoute

router = APIRouter(prefix="/health", tags=["health"], route_class=OrmRoute)
old_router = APIRouter(tags=["health"])


@router.get("/live")
@needs(OPEN)
async def live() -> dict[str, str]:
    """This process answers, whatever else is down."""
    return {"status": "alive"}


@router.get("/ready", responses={503: {"description": "Something is missing; `checks` says what."}})
@needs(OPEN)
def ready(response: Response) -> dict[str, Any]:
    """200 once everything works, else 503, with each dependency by name."""
    checks = readiness()
    ok = all(check.ok for check in checks.values())
    response.status_code = 200 if ok else 503
    response.headers["Cache-Control"] = "no-store"
    return {
        "status": "ready" if ok else "not ready",
        "checks": {name: asdict(check) for name, check in checks.items()},
    }


@old_router.get("/health")
@needs(OPEN)
async def health() -> dict[str, str]:
    """The old check: says only that this process answers."""
    return {"status": "healthy"}
