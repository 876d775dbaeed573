"""How a log entry is written: as one line for people, or as one JSON object for programs.

Both carry time with its offset, level, logger, function and line, the run and its schedule where a task is running,
and a traceback with what follows. Secrets are masked in all of it. No content of a message can forge an entry: control
characters are written as escapes, and every line of a traceback is indented. Writing an entry never raises.
"""

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

from app.core.redaction import Redactor
from app.core.running import running_task

#: C0 and C1 controls, line and paragraph separators, and the marks that turn the direction of text around.
_UNSEEN = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_UNSEEN_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_INDENT = "    "
_PLAIN_NAMES = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:+-_")


class _Entry(logging.Formatter):
    """What both forms are made of. An entry is written once, whatever the number of its handlers."""

    def __init__(self, redactor: Redactor) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The entry's text."""
        by, text = getattr(record, "_livebeat_entry", (None, ""))
        if by is not self:
            text = self._written(record)
            record._livebeat_entry = (self, text)
        return str(text)

    def _written(self, record: logging.LogRecord) -> str:
        raise NotImplementedError

    def _message(self, record: logging.LogRecord) -> str:
        try:
            text = record.getMessage()
        except Exception:  # a wrong format string is no reason to lose what it says
            text = f"{record.msg!s} {record.args!r}"
        return self._redactor.text(text)

    def _trace(self, record: logging.LogRecord) -> str:
        parts = []
        if record.exc_info and record.exc_info[0] is not None:
            parts.append(self.formatException(record.exc_info))
        elif record.exc_text:
            parts.append(record.exc_text)
        if record.stack_info:
            parts.append(record.stack_info)
        return self._redactor.text("\n".join(parts)) if parts else ""


class OneLine(_Entry):
    """`2026-11-22 06:00:00.125+09:00 INFO    app.x.function:12 [run=… schedule=… slot=…] message`."""

    def _written(self, record: logging.LogRecord) -> str:
        """The entry's line, and its traceback indented below it."""
        at = _at(record).isoformat(" ", "milliseconds")
        where = f"{record.name}.{record.funcName}:{record.lineno}"
        context = " ".join(f"{name}={_word(value)}" for name, value in _context(record).items())
        inside = f"[{context}] " if context else ""
        line = _UNSEEN.sub(_escape, f"{at} {record.levelname:<7} {where} {inside}{self._message(record)}")
        trace = _UNSEEN_BUT_LINES.sub(_escape, self._trace(record))
        return _writable("\n".join([line, *(_INDENT + part for part in trace.split("\n"))]) if trace else line)


class JsonLine(_Entry):
    """`{"time", "level", "logger", "function", "line", "message", …}`; `trace` with an exception."""

    def _written(self, record: logging.LogRecord) -> str:
        """The entry as one JSON object on one line."""
        entry: dict[str, Any] = {
            "time": _at(record).isoformat("T", "milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "function": record.funcName,
            "line": record.lineno,
            "pid": record.process,
            **_context(record),
            "message": self._message(record),
        }
        if trace := self._trace(record):
            entry["trace"] = trace
        return _writable(json.dumps(entry, ensure_ascii=False, default=str))


def _escape(found: "re.Match[str]") -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _context(record: logging.LogRecord) -> dict[str, str]:
    """Of the running task, or of what the record itself says that it is about (`extra={"schedule": …}`)."""
    running = running_task()
    if running is None:
        return {name: str(value) for name in ("schedule", "slot") if (value := getattr(record, name, None))}
    given = {"run": running.run, "task": running.task, "schedule": running.schedule, "slot": running.slot}
    return {name: value for name, value in given.items() if value}


def _word(value: str) -> str:
    return value if _PLAIN_NAMES.issuperset(value) else json.dumps(value, ensure_ascii=False)


def _at(record: logging.LogRecord) -> datetime:
    """When it happened, in the process's own zone, which Django sets to `LIVEBEAT_TIMEZONE`."""
    return datetime.fromtimestamp(record.created, UTC).astimezone()


def _writable(text: str) -> str:
    """Half a surrogate pair is written as an escape, not dropped with its line."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
