"""The form of an answer without its content, so that a person can see what changed and nobody's data is kept.

Every digit becomes 0, every other letter an a, but for the price words 억 만 조 원; names of fields stay where they look
like names. Of a list the first two items are shown, of an object forty fields, and the whole is at most 4,000 characters.
"""

import json
import re
from typing import Any

LONGEST = 4000
_ITEMS, _FIELDS, _TEXT, _DEPTH = 2, 40, 40, 8
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z_]{0,39}[0-9]{0,2}", re.ASCII)
_KEPT = frozenset("억만조원")


def form_of(data: Any) -> str:
    """`data` (decoded JSON) as JSON of the same form."""
    return json.dumps(_form(data, _DEPTH), ensure_ascii=False)[:LONGEST]


def _form(data: Any, depth: int) -> Any:
    if isinstance(data, str):
        return _masked(data)
    if isinstance(data, bool) or data is None:
        return data
    if isinstance(data, int | float):
        return 0
    if depth == 0:
        return "…"
    if isinstance(data, list):
        shown = [_form(item, depth - 1) for item in data[:_ITEMS]]
        return shown if len(data) <= _ITEMS else [*shown, f"… {len(data)}"]
    fields = list(data.items())[:_FIELDS]
    return {name if _FIELD_NAME.fullmatch(name) else _masked(name): _form(value, depth - 1) for name, value in fields}


def _masked(text: str) -> str:
    shown = "".join(_mask(character) for character in text[:_TEXT])
    return shown if len(text) <= _TEXT else f"{shown}…"


def _mask(character: str) -> str:
    if character.isnumeric():
        return "0"
    punctuation = character.isascii() and character.isprintable() and not character.isalpha()
    return character if punctuation or character in _KEPT else "a"
