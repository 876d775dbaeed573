"""Where something stands in a JSON text, so that an error can say the line and the column."""

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator
from json.decoder import JSONObject  # type: ignore[attr-defined]
from json.scanner import py_make_scanner  # type: ignore[attr-defined]
from typing import Any

#: The members of an entry that say when.
_RULES = ("schedule", "recurrence")
_Scan = Callable[[str, int], tuple[Any, int]]


class _Placed(dict[str, Any]):
    """A JSON object: `starts` has the offset of each member's value, `repeated` those of a key's second value."""

    starts: dict[str, int]
    repeated: dict[str, int]


class _Decoder(json.JSONDecoder):
    def __init__(self) -> None:
        super().__init__()
        self.parse_object = self._object
        self.scan_once = py_make_scanner(self)

    def _object(
        self, at: tuple[str, int], strict: bool, scan: _Scan, hook: Any, pairs_hook: Any, memo: Any
    ) -> tuple[_Placed, int]:
        found: list[int] = []

        def scan_value(text: str, start: int) -> tuple[Any, int]:
            found.append(start)
            return scan(text, start)

        pairs, end = JSONObject(at, strict, scan_value, None, list, memo)
        placed = _Placed()
        placed.starts, placed.repeated = {}, {}
        for (key, value), start in zip(pairs, found, strict=True):
            (placed.repeated if key in placed.starts else placed.starts).setdefault(key, start)
            placed[key] = value
        return placed, end


class Places:
    """The places of one JSON text.

    Raises:
        ValueError: it is none; a `json.JSONDecodeError` where it can be said why.
        RecursionError: it is nested hundreds of levels deep.
    """

    def __init__(self, text: str) -> None:
        self._root = _Decoder().decode(text)
        self._lines = [0, *(offset + 1 for offset, character in enumerate(text) if character == "\n")]

    def of(self, name: str, field: str) -> tuple[int, int]:
        """Line and column of the value of `field` of the entry `name`, or of its rule; else of the entry."""
        entry = self._root[name]
        if isinstance(entry, _Placed):
            parts = [entry, *_objects([entry.get(part) for part in _RULES])]
            starts = [part.starts[field] for part in parts if field in part.starts]
            return self._place([*starts, self._root.starts[name]][0])
        return self._place(self._root.starts[name])

    def repeated(self) -> tuple[str, tuple[int, int], tuple[int, int]] | None:
        """A key that its object has twice, with the places of both values."""
        for inner in _objects(self._root):
            for key, second in inner.repeated.items():
                return key, self._place(inner.starts[key]), self._place(second)
        return None

    def _place(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1


def _objects(value: Any) -> Iterator[_Placed]:
    """Every object in a value, outer ones first."""
    level = [value]
    while level:
        yield from (inner for inner in level if isinstance(inner, _Placed))
        level = [deeper for inner in level for deeper in _members(inner)]


def _members(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
