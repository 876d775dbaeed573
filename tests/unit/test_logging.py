"""One line an entry, whatever the message holds."""

import logging

from app.core.logging import FORMAT, OneLine


def test_control_characters_cannot_forge_an_entry() -> None:
    record = logging.LogRecord(
        "a", logging.INFO, "f.py", 3, "name %s", ("x\n2026-01-01 ERROR forged\x1b[31m",), None, "fn"
    )
    line = OneLine(FORMAT).format(record)
    assert "\n" not in line
    assert "\x1b" not in line
    assert "INFO    a.fn:3 name x\\x0a2026-01-01 ERROR forged\\x1b[31m" in line
