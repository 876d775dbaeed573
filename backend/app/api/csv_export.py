"""A list of any length as a CSV download, streamed page by page."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db import close_old_connections
from starlette.responses import StreamingResponse

from app.domains.realestate.spreadsheet import heading, lines

Rows = list[dict[str, Any]]
More = Callable[[int | None], Rows]


def as_csv(name: str, fields: Sequence[str], more: More) -> StreamingResponse:
    """A download `name`.csv of every row: `more(id)` are the rows after the one with this id, none at the end."""
    headers = {"content-disposition": f'attachment; filename="{name}.csv"', "cache-control": "no-store"}
    content = _pages(fields, more(None), more)  # the first page now: a database that is away is a 503, not half a file
    return StreamingResponse(content, media_type="text/csv; charset=utf-8", headers=headers)


def _pages(fields: Sequence[str], rows: Rows, more: More) -> Iterator[str]:
    yield heading(fields)
    while rows:
        yield lines(fields, rows)
        rows = _tended(more, rows[-1]["id"])


def _tended(more: More, after: int) -> Rows:
    """One page. Each may be read on another thread, whose database connection must be looked after there."""
    close_old_connections()
    try:
        return more(after)
    finally:
        close_old_connections()
