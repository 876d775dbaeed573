"""The platform's settings, read once and frozen.

Sources, strongest first: the environment, `.env` in the project folder, the state file that `run_all.sh`
leaves in the data folder, the defaults here. The state file describes embedded servers, so it is ignored
whole as soon as a Redis or a database is configured by hand. Any name may also be given as `NAME_FILE`.
"""

import json
import os
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, quote, urlsplit

from dotenv import dotenv_values
from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

PROJECT_DIR = Path(__file__).resolve().parents[3]
STATE_FILE = "state.json"
#: Naming a server by any of these makes the state file (which names the embedded ones) void.
SERVER_NAMES = ("REDIS_URL", "REDIS_HOST", "DATABASE_URL", "POSTGRES_HOST")


def _from_project(value: Any) -> Path:
    """A relative path is relative to the project folder, so that it means the same from every folder."""
    return PROJECT_DIR / Path(str(value)).expanduser()


ProjectPath = Annotated[Path, BeforeValidator(_from_project)]


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


class _NamedFiles(PydanticBaseSettingsSource):
    """`.env` values, then `NAME_FILE` indirections, then the state file, as one flat mapping of lower-case names."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError("values are given as a whole by __call__")

    def __call__(self) -> dict[str, Any]:
        written = dotenv_values(PROJECT_DIR / ".env") if (PROJECT_DIR / ".env").exists() else {}
        given = {**{k.upper(): v for k, v in written.items() if v is not None}, **os.environ}
        values = {k: v for k, v in given.items() if k.lower() in Settings.model_fields}
        for name in Settings.model_fields:
            path = given.get(f"{name.upper()}_FILE")
            if path and name.upper() not in values and f"{name}_file" not in Settings.model_fields:
                values[name.upper()] = _from_project(path).read_text(encoding="utf-8").strip()
        if not any(given.get(name) for name in SERVER_NAMES):
            values = {**_state(_from_project(given.get("LIVEBEAT_DATA_DIR") or "var")), **values}
        return {k.lower(): v for k, v in values.items() if v != ""}


def _state(data_dir: Path) -> dict[str, str]:
    try:
        state = json.loads((data_dir / STATE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    names = state.get("environment", {}) if isinstance(state, dict) else {}
    return {k: v for k, v in names.items() if k.lower() in Settings.model_fields}


class Settings(BaseSettings):
    """One field per environment name (upper case there). Unknown names are left to others."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", validate_default=True)

    livebeat_env: Literal["development", "production"] = "development"
    livebeat_data_dir: ProjectPath = Path("var")
    livebeat_schedules_file: ProjectPath = Path("backend/app/config/schedules.json")
    livebeat_seed_policy: Literal["merge", "overwrite", "create_only"] = "merge"
    livebeat_timezone: str = "Asia/Seoul"
    secret_key: SecretStr | None = None

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=1, le=65535)
    allowed_hosts: Annotated[list[str] | str, BeforeValidator(_split)] = ""
    flower_socket: ProjectPath | None = None

    redis_url: SecretStr | None = None
    redis_host: str = "localhost"
    redis_port: int = 6379
    redis_password: SecretStr | None = None
    redis_db: int = 0

    database_url: SecretStr | None = None
    database_engine: str = "django.db.backends.postgresql"
    database_name: str = "postgres"
    postgres_user: str = "postgres"
    postgres_password: SecretStr | None = None
    postgres_host: str | None = None
    postgres_port: int = 5432

    aes_key_0: SecretStr | None = None
    aes_key_1: SecretStr | None = None
    aes_key_2: SecretStr | None = None
    aes_key_3: SecretStr | None = None
    aes_key_4: SecretStr | None = None
    aes_key_5: SecretStr | None = None
    aes_key_6: SecretStr | None = None
    aes_key_7: SecretStr | None = None
    aes_key_8: SecretStr | None = None
    aes_key_9: SecretStr | None = None

    velog_graphql_url: str = "https://v3.velog.io/graphql"
    velog_stats_url: str = "https://v2cdn.velog.io/graphql"
    velog_requests_per_second: float = Field(default=10.0, gt=0)
    naver_land_url: str = "https://new.land.naver.com"
    naver_land_token_file: ProjectPath | None = None
    naver_land_requests_per_second: float = Field(default=1.0, gt=0)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("livebeat_data_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.resolve()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _NamedFiles(settings_cls)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Host names that requests may name; loopback always, the bound address, and `ALLOWED_HOSTS`."""
        named = self.allowed_hosts if isinstance(self.allowed_hosts, list) else []
        return tuple(dict.fromkeys(["127.0.0.1", "localhost", "[::1]", self.api_host, *named]))

    @property
    def client_url(self) -> str:
        """The Redis address in redis-py's spelling (`redis://`, `rediss://`, `unix://`)."""
        return to_client_url(self._redis())

    @property
    def broker_url(self) -> str:
        """The Redis address in kombu's spelling (`redis://`, `rediss://`, `redis+socket://`)."""
        return to_broker_url(self._redis())

    def _redis(self) -> str:
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        password = self.redis_password.get_secret_value() if self.redis_password else ""
        login = f":{quote(password, safe='')}@" if password else ""
        return f"redis://{login}{self.redis_host}:{self.redis_port}/{self.redis_db}"

    def aes_key(self, index: int) -> str | None:
        """The text of `AES_KEY_<index>`, 0 to 9, or None where it isn't set."""
        key: SecretStr | None = getattr(self, f"aes_key_{index}")
        return key.get_secret_value() if key else None

    def django_secret(self) -> str:
        """`SECRET_KEY`, or one made once and kept in the data folder, readable by its owner alone."""
        if self.secret_key:
            return self.secret_key.get_secret_value()
        path = self.livebeat_data_dir / "secret_key"
        self.livebeat_data_dir.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_text(encoding="ascii")
        with os.fdopen(handle, "w", encoding="ascii") as file:
            key = secrets.token_urlsafe(48)
            file.write(key)
        return key


def to_client_url(url: str) -> str:
    """`redis+socket:///path?virtual_host=2` → `unix:///path?db=2`; other addresses stay as they are."""
    parts = urlsplit(url)
    if parts.scheme != "redis+socket":
        return url
    query = parse_qs(parts.query)
    return f"unix://{parts.netloc}{parts.path}?db={query.get('virtual_host', ['0'])[0]}"


def to_broker_url(url: str) -> str:
    """`unix:///path?db=2` → `redis+socket:///path?virtual_host=2`; other addresses stay as they are."""
    parts = urlsplit(url)
    if parts.scheme != "unix":
        return url
    query = parse_qs(parts.query)
    return f"redis+socket://{parts.netloc}{parts.path}?virtual_host={query.get('db', ['0'])[0]}"


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings.

    Raises:
        pydantic.ValidationError: a value is unusable; the error names it.
    """
    return Settings()
