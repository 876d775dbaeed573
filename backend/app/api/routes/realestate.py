"""`/api/realestate`: what the crawls have saved."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from app.access.scopes import Scope
from app.api.access import needs
from app.api.routing import OrmRoute
from app.domains.realestate import queries

router = APIRouter(prefix="/realestate", tags=["realestate"], route_class=OrmRoute)

_LARGEST_ID = 2**63 - 1


@router.get("/complexes")
@needs(Scope.VIEWER)
def complexes(
    limit: Annotated[int, Query(ge=1, le=500)] = 100, cursor: Annotated[int, Query(ge=0, le=_LARGEST_ID)] = 0
) -> dict[str, Any]:
    """A page of the watched complexes, prices in 만원; `next` is the cursor of the following page, null on the last."""
    found = queries.complexes(after=cursor, limit=limit + 1)
    following = found[limit - 1]["id"] if len(found) > limit else None
    return {"items": found[:limit], "next": following}
