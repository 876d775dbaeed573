"""CSV for spreadsheets: UTF-8 with a byte order mark, and no cell that runs as a formula."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

BYTE_ORDER_MARK = "\ufeff"
#: A text that begins so is a formula, a command or a new cell to one spreadsheet or another.
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def heading(fields: Sequence[str]) -> str:
    """The first line, with the byte order mark."""
    return BYTE_ORDER_MARK + _csv([fields])


def lines(fields: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    """These rows."""
    return _csv([safe_cell(row[field]) for field in fields] for row in rows)


def safe_cell(value: Any) -> Any:
    """`value` as a cell: a text that a spreadsheet would run gets an apostrophe in front; numbers stay numbers."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str) and value.lstrip(" ").startswith(_DANGEROUS):
        return f"'{value}"
    return value


def _csv(rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
