"""How an entry is written: nothing in a message can forge one, nothing in an entry stops it from being written."""

import json
import logging
import sys
from datetime import datetime
from typing import Any

import pytest

from app.core.log_lines import JsonLine, OneLine
from app.core.redaction import Redactor


def record(message: object, *args: object, **more: Any) -> logging.LogRecord:
    made = logging.LogRecord("a", logging.INFO, "f.py", 3, message, args, None, "fn")
    made.__dict__.update(more)
    return made


def line(made: logging.LogRecord) -> str:
    return OneLine(Redactor()).format(made)


def test_time_with_its_offset_level_function_and_line() -> None:
    at, rest = line(record("the %s", "message", created=1763784000.125)).split(" INFO ", 1)
    assert rest.strip() == "a.fn:3 the message"
    assert datetime.fromisoformat(at).timestamp() == 1763784000.125
    assert at[10] == " "


@pytest.mark.parametrize("sign", ["\n", "\r", "\x1b[31m", "\x00", "\x85", "\u2028", "\u202e", "\x9b"])
def test_control_characters_cannot_forge_an_entry(sign: str) -> None:
    written = line(record("name %s", f"x{sign}2026-01-01 ERROR forged"))
    assert sign not in written
    assert len(written.splitlines()) == 1


def test_every_line_of_a_traceback_is_indented() -> None:
    try:
        raise ValueError("no\n2026-01-01 00:00:00 ERROR forged\r\x1b[31m")
    except ValueError:
        made = record("failed", exc_info=sys.exc_info())
    first, *others = line(made).split("\n")
    assert first.endswith("failed")
    assert all(other.startswith("    ") for other in others)
    assert "ValueError: no" in "\n".join(others)
    assert "\r" not in "".join(others)
    assert "\x1b" not in "".join(others)


def test_what_a_record_is_about_is_named_and_cannot_forge() -> None:
    written = line(record("set aside", schedule='주간] run=1 "x'))
    assert '[schedule="주간] run=1 \\"x"] set aside' in written


@pytest.mark.parametrize(
    ("message", "args"),
    [("%d items", ("many",)), ("%s and %s", ("one",)), ("%(missing)s", ({"a": 1},)), (ValueError("object"), ())],
)
def test_a_wrong_format_string_loses_nothing(message: object, args: tuple[object, ...]) -> None:
    written = line(record(message, *args))
    assert str(message) in written
    assert all(str(arg) in written for arg in args)


def test_half_a_surrogate_pair_can_be_written() -> None:
    assert "\\udc80" in line(record("broken \udc80 name"))
    JsonLine(Redactor()).format(record("broken \udc80 name")).encode()


def test_the_form_for_programs() -> None:
    try:
        raise ValueError("token=canary-9f2c")
    except ValueError:
        made = record("a\nb", exc_info=sys.exc_info(), schedule="주간업데이트")
    written = JsonLine(Redactor()).format(made)
    assert "\n" not in written
    entry = json.loads(written)
    assert {name: entry[name] for name in ("level", "logger", "function", "line", "message", "schedule")} == {
        "level": "INFO",
        "logger": "a",
        "function": "fn",
        "line": 3,
        "message": "a\nb",
        "schedule": "주간업데이트",
    }
    assert "Traceback" in entry["trace"]
    assert "canary" not in written
