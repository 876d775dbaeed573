"""`/api/realestate/complexes`: which complexes are watched.

A complex that is no longer watched keeps its listings, snapshots and changes; it is only left out of the crawl of all.
"""

import csv
import io
import json
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import Field

from app.access.scopes import Scope
from app.api.access import needs
from app.api.language import Reader
from app.api.problems import ProblemError
from app.api.routing import OrmRoute
from app.api.validation import Body
from app.domains.realestate import queries
from app.domains.realestate.services import is_complex_id
from app.domains.realestate.watching import LONGEST_NAME, Wanted, set_watched, watch
from livebeat.errors import Language

router = APIRouter(prefix="/realestate", tags=["realestate"], route_class=OrmRoute)

_LARGEST_ID = 2**63 - 1
#: Complexes of one imported list.
MOST_IMPORTED = 1000


class ComplexForm(Body):
    """A complex by its number on the site; its name comes with the first crawl."""

    complex_id: str = Field(pattern=r"^[0-9]{1,20}$")
    complex_name: str = Field(default="", max_length=LONGEST_NAME, pattern="^[^\\x00]*$")


class WatchForm(Body):
    """Whether a complex is watched."""

    is_watched: bool


async def _sent(request: Request) -> tuple[bool, bytes]:
    """Whether the body is CSV, and the body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "text/csv", await request.body()


@router.get("/complexes")
@needs(Scope.VIEWER)
def complexes(
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[int, Query(ge=0, le=_LARGEST_ID)] = 0,
    watched: bool | None = None,
) -> dict[str, Any]:
    """A page of the known complexes, prices in 만원; `next` is the cursor of the following page, null on the last."""
    found = queries.complexes(after=cursor, limit=limit + 1, watched=watched)
    following = found[limit - 1]["id"] if len(found) > limit else None
    return {"items": found[:limit], "next": following}


@router.post("/complexes", status_code=201)
@needs(Scope.OPERATOR)
def add(form: ComplexForm, response: Response) -> dict[str, Any]:
    """Watch a complex: 201 if it is new, 200 if it was known; a known one keeps its name."""
    done = watch([Wanted(form.complex_id, form.complex_name)])
    response.status_code = 201 if done.added else 200
    return _found(form.complex_id)


@router.post("/complexes/import")
@needs(Scope.OPERATOR)
def import_list(
    reader: Reader, sent: Annotated[tuple[bool, bytes], Depends(_sent)], dry_run: bool = False
) -> dict[str, Any]:
    """Watch a list of complexes, all of them or none: at most 1,000, as JSON or as CSV (UTF-8).

    JSON: `[{"complex_id": "109208", "complex_name": "…"}]`. CSV: a header line with `complex_id` and, if it likes,
    `complex_name`. With `dry_run=true` nothing is changed. Returns the numbers that were `added`, `resumed` (known, and
    watched again) and `kept`.
    """
    is_csv, body = sent
    done = watch(_wanted(_of_csv(body) if is_csv else _of_json(body), reader), dry_run=dry_run)
    return {"dry_run": dry_run, "added": done.added, "resumed": done.resumed, "kept": done.kept}


@router.get("/complexes/{complex_id}")
@needs(Scope.VIEWER)
def one(complex_id: str) -> dict[str, Any]:
    """One complex."""
    return _found(complex_id)


@router.patch("/complexes/{complex_id}")
@needs(Scope.OPERATOR)
def change(complex_id: str, form: WatchForm) -> dict[str, Any]:
    """Stop watching a complex, or watch it again; everything that was saved stays."""
    if not is_complex_id(complex_id) or not set_watched(complex_id, form.is_watched):
        raise _unknown(complex_id)
    return _found(complex_id)


def _found(complex_id: str) -> dict[str, Any]:
    rows = queries.complexes(complex_id=complex_id) if is_complex_id(complex_id) else []
    if not rows:
        raise _unknown(complex_id)
    return rows[0]


def _unknown(complex_id: str) -> ProblemError:
    shown = complex_id[:50]
    return ProblemError(
        404, "no-such-complex", f"단지 '{shown}'을(를) 찾을 수 없습니다.", f"No complex has the number '{shown}'."
    )


def _of_csv(body: bytes) -> list[Any]:
    try:
        text = body.decode("utf-8-sig")
        rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        if "complex_id" not in (rows.fieldnames or ()):
            raise _unreadable("첫 줄에 complex_id 열이 있어야 합니다", "the first line must name a column complex_id")
        known = ("complex_id", "complex_name")
        return [{name: (row.get(name) or "").strip() for name in known} for row in rows]
    except (UnicodeDecodeError, csv.Error):
        raise _unreadable("UTF-8 CSV여야 합니다", "it must be CSV in UTF-8") from None


def _of_json(body: bytes) -> list[Any]:
    try:
        records = json.loads(body)
    except (ValueError, RecursionError):
        records = None
    if not isinstance(records, list):
        raise _unreadable("JSON 목록이어야 합니다", "it must be a JSON list, or CSV sent as Content-Type: text/csv")
    return records


def _unreadable(ko: str, en: str) -> ProblemError:
    return ProblemError(422, "invalid", f"목록을 읽을 수 없습니다: {ko}.", f"The list can't be read: {en}.")


def _wanted(records: list[Any], reader: Language) -> list[Wanted]:
    """The list's complexes. Raises ProblemError (422), which names the first lines that can't be used."""
    if not 0 < len(records) <= MOST_IMPORTED:
        raise _unreadable(f"단지는 1~{MOST_IMPORTED}개여야 합니다", f"it must have 1 to {MOST_IMPORTED} complexes")
    wanted, errors = [], []
    for number, record in enumerate(records, start=1):
        usable = _usable(record)
        if usable is None:
            errors.append({"field": str(number), "message": _SENTENCE[reader]})
        else:
            wanted.append(usable)
    if errors:
        first = errors[0]["field"]
        raise ProblemError(
            422,
            "invalid",
            f"{first}번째 단지: {_SENTENCE['ko']}. 아무것도 변경하지 않았습니다.",
            f"Complex {first} of the list {_SENTENCE['en']}. Nothing was changed.",
            errors=errors[:20],
        )
    return wanted


_SENTENCE: dict[Language, str] = {
    "ko": "complex_id는 숫자, complex_name은 200자 이하여야 합니다",
    "en": "needs a complex_id of digits, and a complex_name of at most 200 characters",
}


def _usable(record: Any) -> Wanted | None:
    if not isinstance(record, dict) or not record.keys() <= {"complex_id", "complex_name"}:
        return None
    number, name = record.get("complex_id"), record.get("complex_name") or ""
    number = str(number) if isinstance(number, str) or type(number) is int else ""
    usable = is_complex_id(number) and isinstance(name, str) and len(name) <= LONGEST_NAME and name.isprintable()
    return Wanted(number, str(name)) if usable else None
