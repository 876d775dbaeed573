"""docker-compose.yml as Docker's client reads it: merged, and with its variables put in from a given environment."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

PROJECT_DIR = Path(__file__).resolve().parents[2]
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:[-?])([^}]*))?\})")


class MissingVariableError(Exception):
    """A variable that must be given isn't."""


def compose(environment: Mapping[str, str]) -> dict[str, Any]:
    """The whole file.

    Raises:
        MissingVariableError: `${NAME:?why}` is not given.
    """
    text = (PROJECT_DIR / "docker-compose.yml").read_text(encoding="utf-8")
    document: dict[str, Any] = _filled(yaml.safe_load(text), environment)
    return document


def shell_words(check: list[str]) -> list[str]:
    """A health check's `test` as the command that a container runs."""
    return ["sh", "-c", check[1]] if check[0] == "CMD-SHELL" else check[1:]


def _filled(value: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(member, environment) for name, member in value.items()}
    if isinstance(value, list):
        return [_filled(member, environment) for member in value]
    return _VARIABLE.sub(lambda match: _put_in(match, environment), value) if isinstance(value, str) else value


def _put_in(match: re.Match[str], environment: Mapping[str, str]) -> str:
    if match[1]:
        return "$"
    given = environment.get(match[2], "")
    if not given and match[3] == ":?":
        raise MissingVariableError(f"{match[2]}: {match[4]}")
    return given or (match[4] or "")
