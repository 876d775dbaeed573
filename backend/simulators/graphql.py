"""As much of GraphQL as the velog simulator needs: one operation, one root field, a selection to cut answers to.

Not a validator in general, but a field that the schema lacks is refused, as the real servers do.
"""

import re
from typing import Any

_TOKEN = re.compile(r"[_A-Za-z]\w*|[{}():$!,\[\]]|\"[^\"]*\"|\d+|\.\.\.")

Selection = dict[str, Any]


class QueryError(ValueError):
    """The query can't be understood, or asks for a field that isn't there."""


def _selection(pieces: list[str], at: int) -> tuple[Selection, int]:
    """The fields between the brace at `at` and its partner; each maps to its own selection."""
    chosen: Selection = {}
    last = ""
    at += 1
    while at < len(pieces):
        piece = pieces[at]
        if piece == "}":
            return chosen, at + 1
        if piece == "{":
            if not last:
                raise QueryError("Syntax Error: Expected Name, found {")
            chosen[last], at = _selection(pieces, at)
            continue
        if piece == "(":
            at = pieces.index(")", at) + 1
            continue
        last = piece
        chosen[piece] = {}
        at += 1
    raise QueryError("Syntax Error: Expected }, found <EOF>")


def root_field(query: str) -> tuple[str, Selection]:
    """The one root field of the one operation in `query`, with what it selects."""
    pieces = _TOKEN.findall(query)
    try:
        depth, start = 0, 0
        for at, piece in enumerate(pieces):
            depth += {"(": 1, ")": -1}.get(piece, 0)
            if piece == "{" and depth == 0:
                start = at
                break
        fields, _ = _selection(pieces, start)
    except (ValueError, IndexError) as error:
        raise QueryError(str(error) or "Syntax Error") from error
    if len(fields) != 1:
        raise QueryError("Syntax Error: exactly one root field is simulated")
    return next(iter(fields.items()))


def project(selection: Selection, value: Any, type_name: str) -> Any:
    """`value` cut to the selected fields; lists item by item, null as null."""
    if value is None or not selection:
        return value
    if isinstance(value, list):
        return [project(selection, item, type_name) for item in value]
    for name in selection:
        if name not in value:
            raise QueryError(f'Cannot query field "{name}" on type "{type_name}".')
    return {name: project(inner, value[name], name.capitalize()) for name, inner in selection.items()}
