"""Answers of the site that no crawl could use, kept for whoever has to find out what it changed.

Only the answer's form is kept, never its content (`app.clients.form`); at most the newest `MOST`, for `KEPT` days.
"""

from datetime import datetime, timedelta
from typing import Any

from app.clients.naver_land import LastAnswer
from app.core.errors import AccessRefusedError, ShapeChangedError
from app.domains.realestate.models import OddAnswer

MOST = 200
KEPT = timedelta(days=30)

_FIELDS = ("id", "created_at", "complex_id", "run_id", "step", "error", "reason", "form")


def keep(error: Exception, answer: LastAnswer, complex_id: str, run_id: str | None, now: datetime) -> None:
    """Keep the answer, if the error says that the site has changed or shuts us out."""
    if not isinstance(error, ShapeChangedError | AccessRefusedError):
        return
    OddAnswer.objects.create(
        created_at=now,
        complex_id=complex_id[:50],
        run_id=run_id,
        step=answer.step,
        error=type(error).__name__,
        reason=str(error)[:500],
        form=answer.form,
    )
    kept = OddAnswer.objects.order_by("-pk").values_list("pk", flat=True)[MOST : MOST + 1]
    OddAnswer.objects.filter(pk__lte=next(iter(kept), 0)).delete()


def forget_old(now: datetime) -> int:
    """Delete what is older than `KEPT`; returns how many."""
    return OddAnswer.objects.filter(created_at__lt=now - KEPT).delete()[0]


def odd_answers(*, before: int | None = None, limit: int = 50, run_id: str | None = None) -> list[dict[str, Any]]:
    """Kept answers, newest first by `id`, below `before`, of one run or of all."""
    rows = OddAnswer.objects.order_by("-pk")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    if run_id is not None:
        rows = rows.filter(run_id=run_id)
    return [dict(row) for row in rows.values(*_FIELDS)[:limit]]
