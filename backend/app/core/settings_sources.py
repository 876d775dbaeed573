"""Where settings come from: the environment, `.env`, files that `NAME_FILE` names, the launcher's state file.

Strongest first: the environment's `NAME`, its `NAME_FILE`, then the same two of `.env` in the project folder, then the
state file. An empty value counts as not given, and hides a weaker one. The state file describes the embedded servers
of `./run_all.sh`, so it is ignored whole as soon as a Redis or a database is configured by hand.
"""

import json
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from dotenv import dotenv_values
from pydantic import BeforeValidator

from app.core.settings_problems import Problem, SettingsError

PROJECT_DIR = Path(__file__).resolve().parents[3]
STATE_FILE = "state.json"
DEFAULT_DATA_DIR = "var"
#: Naming a server by any of these, or by `NAME_FILE`, makes the state file (which names the embedded ones) void.
SERVER_NAMES = ("REDIS_URL", "REDIS_HOST", "DATABASE_URL", "POSTGRES_HOST")
#: This address asks the launcher for a PostgreSQL of its own; the real one is then in the state file.
EMBEDDED_POSTGRES = "embedded-postgres:"


def from_project(value: Any) -> Path:
    """A relative path is relative to the project folder, so that it means the same from every folder."""
    return PROJECT_DIR / Path(str(value)).expanduser()


ProjectPath = Annotated[Path, BeforeValidator(from_project)]


def read_sources(fields: Collection[str]) -> dict[str, str]:
    """Every given value of these fields, by field name.

    Raises:
        SettingsError: `.env`, or a file that `NAME_FILE` names, can't be read.
    """
    problems: list[Problem] = []
    environment = {name.upper(): value for name, value in os.environ.items()}  # noqa: TID251  the one reader of it
    values = {**_layer(_dotenv(problems), fields, problems), **_layer(environment, fields, problems)}
    if problems:
        raise SettingsError(*problems)
    asked_for_embedded = values.get("database_url", "").startswith(EMBEDDED_POSTGRES)
    by_hand = [name for name in SERVER_NAMES if values.get(name.lower())]
    if not by_hand or (asked_for_embedded and by_hand == ["DATABASE_URL"]):
        state = _state(from_project(values.get("livebeat_data_dir") or DEFAULT_DATA_DIR), fields)
        if asked_for_embedded and "database_url" in state:
            del values["database_url"]
        values = {**state, **values}
    return {name: value for name, value in values.items() if value != ""}


def _dotenv(problems: list[Problem]) -> dict[str, str]:
    path = PROJECT_DIR / ".env"
    if not path.is_file():
        return {}
    try:
        written = dotenv_values(path)
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(".env", f"can't be read ({_why(error)}).", f"읽을 수 없습니다 ({_why(error)})."))
        return {}
    return {name.upper(): value for name, value in written.items() if value is not None}


def _layer(given: Mapping[str, str], fields: Collection[str], problems: list[Problem]) -> dict[str, str]:
    """One source's values: `NAME`, or else what is in the file that `NAME_FILE` names."""
    values = {}
    for field in fields:
        name = field.upper()
        path = given.get(f"{name}_FILE")
        if given.get(name) or not path or f"{field}_file" in fields:
            if name in given:
                values[field] = given[name]
            continue
        try:
            values[field] = from_project(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = _why(error)
        else:
            why = "" if values[field] else "it is empty"
        if why:
            en, ko = f"can't be read ({path}: {why}).", f"파일을 읽을 수 없습니다 ({path}: {why})."
            problems.append(Problem(f"{name}_FILE", en, ko))
    return values


def _state(data_dir: Path, fields: Collection[str]) -> dict[str, str]:
    try:
        state = json.loads((data_dir / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    names = state.get("environment", {}) if isinstance(state, dict) else {}
    return {name.lower(): value for name, value in names.items() if name.lower() in fields}


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "it is not UTF-8 text"
