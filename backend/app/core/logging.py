"""Logging of every process: one line an entry on standard error, with time, level, function and line."""

import logging
import logging.config

from app.core.settings import get_settings

FORMAT = "%(asctime)s %(levelname)-7s %(name)s.%(funcName)s:%(lineno)d %(message)s"


def configure_logging(level: int | str | None = None) -> None:
    """Set up logging for this process, at `level` or the setting's. Idempotent."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": "app.core.logging.OneLine", "format": FORMAT}},
            "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["console"], "level": level or get_settings().log_level},
            "loggers": {
                # One line for each request that the platform itself makes every second is no news.
                "httpx2": {"level": "WARNING"},
                "httpcore2": {"level": "WARNING"},
            },
        }
    )


class OneLine(logging.Formatter):
    """Line breaks and control characters in a message can't forge a second entry; a traceback stays readable."""

    _ESCAPES = {code: f"\\x{code:02x}" for code in (*range(0x20), 0x7F) if code != 0x09}  # noqa: RUF012  a constant

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        """The entry's one line."""
        return super().formatMessage(record).translate(self._ESCAPES)
