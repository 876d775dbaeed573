"""What the launcher needs to know, read once: environment, then `.env` in the project folder, then defaults.

The platform reads its own settings; here is only what decides which servers to embed, where data lives and
where the API listens. An empty value counts as not given, in both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values

from launcher.errors import PreflightError
from launcher.messages import text

PROJECT_DIR = Path(__file__).resolve().parents[2]
REDIS_NAMES = ("REDIS_URL", "REDIS_HOST")
DATABASE_NAMES = ("DATABASE_URL", "POSTGRES_HOST")
#: Real addresses given for these mean real work: no simulator takes their place unasked.
UPSTREAM_NAMES = ("VELOG_GRAPHQL_URL", "VELOG_STATS_URL", "NAVER_LAND_URL", "NAVER_LAND_TOKEN_FILE")
EMBEDDED_POSTGRES = "embedded-postgres"
#: As the platform reads a switch.
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

Database = Literal["sqlite", "embedded-postgres", "configured"]


@dataclass(frozen=True)
class LauncherSettings:
    """`given` holds every non-empty name of the environment and `.env`, the environment winning."""

    project_dir: Path
    data_dir: Path
    api_host: str
    api_port: int
    embedded_redis: bool
    database: Database
    bridge: bool
    given: Mapping[str, str]

    @property
    def all_embedded(self) -> bool:
        """Whether no server was configured by hand, so that nothing here can reach anybody's real data."""
        return self.embedded_redis and self.database != "configured"

    @property
    def upstreams_given(self) -> bool:
        """Whether somebody named a real upstream, or its token."""
        return any(name in self.given for name in UPSTREAM_NAMES)

    @property
    def api_url(self) -> str:
        """The API's address as a person would open it; IPv6 in brackets."""
        host = f"[{self.api_host}]" if ":" in self.api_host else self.api_host
        return f"http://{host}:{self.api_port}"

    @property
    def probe_url(self) -> str:
        """The API's address as seen from this machine, also when it listens on every interface."""
        return self.api_url if self.api_host in LOOPBACK else f"http://127.0.0.1:{self.api_port}"


def read_settings(environ: Mapping[str, str], project_dir: Path = PROJECT_DIR) -> LauncherSettings:
    """The settings as given; touches nothing but `.env`.

    Raises:
        PreflightError: a value is unusable; the message names it.
    """
    env_file = project_dir / ".env"
    written = dotenv_values(env_file) if env_file.is_file() else {}
    named = {**{name.upper(): value for name, value in written.items()}, **environ}
    given = {name: value for name, value in named.items() if value}
    return LauncherSettings(
        project_dir=project_dir,
        data_dir=(project_dir / Path(given.get("LIVEBEAT_DATA_DIR", "var")).expanduser()).resolve(),
        api_host=given.get("API_HOST", "127.0.0.1"),
        api_port=_port(given.get("API_PORT", "8000")),
        embedded_redis=not _any_given(given, REDIS_NAMES),
        database=_database(given),
        bridge=given.get("RUN_BRIDGE", "").lower() in _TRUE,
        given=given,
    )


def _any_given(given: Mapping[str, str], names: tuple[str, ...]) -> bool:
    return any(name in given or f"{name}_FILE" in given for name in names)


def _database(given: Mapping[str, str]) -> Database:
    if urlsplit(given.get("DATABASE_URL", "")).scheme == EMBEDDED_POSTGRES:
        return "embedded-postgres"
    return "configured" if _any_given(given, DATABASE_NAMES) else "sqlite"


def _port(value: str) -> int:
    if value.isascii() and value.isdigit() and 1 <= int(value) <= 65535:
        return int(value)
    raise PreflightError(text("bad_port", value=value))
