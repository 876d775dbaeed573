"""The platform's settings, read once and frozen. `.env.example` explains each; `settings_sources` says where from.

A process asks `get_settings`; where a value can't be used it prints one line a problem, in English and Korean, and
the process ends with status 78, so that no supervisor starts it again before somebody has changed the settings.
"""

import sys
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from app.core.data_dir import folder_problems, kept_secret
from app.core.redis_addresses import to_broker_url, to_client_url
from app.core.sample_secrets import sample_problems
from app.core.settings_addresses import check_dsn, check_server, check_webhook, http_address
from app.core.settings_headers import headers_of
from app.core.settings_problems import SettingsError, UnusableValueError, problems_of
from app.core.settings_sources import DEFAULT_DATA_DIR, ProjectPath, from_project, read_sources

#: BSD's EX_CONFIG.
EXIT_CONFIGURATION = 78


def _split(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _upper(value: Any) -> Any:
    return value.upper() if isinstance(value, str) else value


Level = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], BeforeValidator(_upper)]
Port = Annotated[int, Field(ge=1, le=65535)]
HttpAddress = Annotated[str, AfterValidator(http_address)]


class _Sources(PydanticBaseSettingsSource):
    """`read_sources` as pydantic wants it."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        raise NotImplementedError("values are given as a whole by __call__")

    def __call__(self) -> dict[str, Any]:
        return dict(read_sources(Settings.model_fields))


class Settings(BaseSettings):
    """One field per environment name (upper case there). Unknown names are left to others."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", validate_default=True, allow_inf_nan=False)

    livebeat_env: Literal["development", "production"] = "development"
    livebeat_data_dir: ProjectPath = Path(DEFAULT_DATA_DIR)
    livebeat_schedules_file: ProjectPath = Path("backend/app/config/schedules.json")
    livebeat_seed_policy: Literal["merge", "overwrite", "create_only"] = "merge"
    livebeat_timezone: str = "Asia/Seoul"
    secret_key: SecretStr | None = None

    api_host: str = "127.0.0.1"
    api_port: Port = 8000
    allowed_hosts: Annotated[list[str] | str, BeforeValidator(_split)] = ""
    flower_socket: ProjectPath | None = None
    livebeat_bootstrap_key: SecretStr | None = None

    redis_url: SecretStr | None = None
    redis_host: str = "localhost"
    redis_port: Port = 6379
    redis_password: SecretStr | None = None
    redis_db: int = Field(default=0, ge=0)
    redis_key_prefix: str = "vd2:"
    bridge_redis_url: SecretStr | None = None
    run_bridge: bool = False

    database_url: SecretStr | None = None
    database_engine: Literal["django.db.backends.postgresql", "timescale.db.backends.postgresql"] = (
        "django.db.backends.postgresql"
    )
    database_name: str = "postgres"
    postgres_user: str = "postgres"
    postgres_password: SecretStr | None = None
    postgres_host: str | None = None
    postgres_port: Port = 5432

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
    aes_key_0_next: SecretStr | None = None
    aes_key_1_next: SecretStr | None = None
    aes_key_2_next: SecretStr | None = None
    aes_key_3_next: SecretStr | None = None
    aes_key_4_next: SecretStr | None = None
    aes_key_5_next: SecretStr | None = None
    aes_key_6_next: SecretStr | None = None
    aes_key_7_next: SecretStr | None = None
    aes_key_8_next: SecretStr | None = None
    aes_key_9_next: SecretStr | None = None

    velog_graphql_url: HttpAddress = "https://v3.velog.io/graphql"
    velog_stats_url: HttpAddress = "https://v2cdn.velog.io/graphql"
    velog_requests_per_second: float = Field(default=10.0, gt=0)
    velog_retention_months: int = Field(default=6, ge=1, le=1200)
    stats_request_retention_days: int = Field(default=90, ge=1, le=36_500)
    stats_up_to_date_minutes: float = Field(default=15.0, ge=0, le=10_080)
    naver_land_url: HttpAddress = "https://new.land.naver.com"
    naver_land_token_file: ProjectPath | None = None
    naver_land_headers: SecretStr | None = None
    naver_land_requests_per_second: float = Field(default=1.0, gt=0)
    naver_land_seconds_between_complexes: float = Field(default=5.0, ge=0, le=600)

    webhook_simulator: str | None = None
    discord_webhook_url: SecretStr | None = None
    slack_webhook_url: SecretStr | None = None
    molit_url: HttpAddress = "https://apis.data.go.kr/1613000/RTMSDataSvcAptTradeDev"
    molit_api_key: SecretStr | None = None
    molit_calls_per_day: int = Field(default=1000, ge=1)

    consumer_log_level: Level = "INFO"
    consumer_graceful_shutdown_timeout: float = Field(default=30.0, ge=0)
    log_level: Level = "INFO"
    log_format: Literal["line", "json"] = "line"
    livebeat_log_dir: ProjectPath | None = None

    sentry_dsn: SecretStr | None = None
    sentry_environment: str | None = None
    sentry_traces_sample_rate: float = Field(default=0.0, ge=0, le=1)
    sentry_crons: bool = False

    @field_validator("livebeat_data_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.resolve()

    @field_validator("livebeat_timezone", mode="after")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise UnusableValueError(
                "must be a time zone like Asia/Seoul", "Asia/Seoul 같은 시간대여야 합니다"
            ) from None
        return value

    @field_validator("redis_url", "bridge_redis_url", "database_url", mode="after")
    @classmethod
    def _known_server(cls, value: SecretStr | None, info: Any) -> SecretStr | None:
        if value is not None:
            check_server(value.get_secret_value(), info.field_name.removeprefix("bridge_"))
        return value

    @field_validator("sentry_dsn", mode="after")
    @classmethod
    def _whole_dsn(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            check_dsn(value.get_secret_value())
        return value

    @field_validator("discord_webhook_url", "slack_webhook_url", mode="after")
    @classmethod
    def _known_webhook(cls, value: SecretStr | None, info: Any) -> SecretStr | None:
        if value is not None:
            check_webhook(value.get_secret_value(), info.field_name, info.data.get("webhook_simulator"))
        return value

    @field_validator("naver_land_headers", mode="after")
    @classmethod
    def _usable_headers(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            headers_of(value.get_secret_value())
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Sources(settings_cls)

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

    @property
    def bridge_client_url(self) -> str | None:
        """Where the old list is, in redis-py's spelling; None: in the same Redis as all else."""
        return to_client_url(self.bridge_redis_url.get_secret_value()) if self.bridge_redis_url else None

    @property
    def log_dir(self) -> Path:
        """`LIVEBEAT_LOG_DIR`; without it `logs` in the project, or in a data folder that is not the usual one."""
        usual = self.livebeat_data_dir == from_project(DEFAULT_DATA_DIR).resolve()
        return self.livebeat_log_dir or (from_project("logs") if usual else self.livebeat_data_dir / "logs")

    def _redis(self) -> str:
        if self.redis_url is not None:
            return self.redis_url.get_secret_value()
        password = self.redis_password.get_secret_value() if self.redis_password else ""
        login = f":{quote(password, safe='')}@" if password else ""
        return f"redis://{login}{self.redis_host}:{self.redis_port}/{self.redis_db}"

    @property
    def secret_values(self) -> dict[str, str]:
        """Every secret that is set, by field name. For checks and for keeping them out of logs, never to be shown."""
        values = {name: getattr(self, name) for name in secret_fields()}
        return {name: value.get_secret_value() for name, value in sorted(values.items()) if value is not None}

    def aes_key(self, index: int) -> str | None:
        """The text of `AES_KEY_<index>`, 0 to 9, or None where it isn't set."""
        return self._secret(f"aes_key_{index}")

    def aes_key_next(self, index: int) -> str | None:
        """The text of `AES_KEY_<index>_NEXT`: the key that takes the place of `aes_key`; None where it isn't set."""
        return self._secret(f"aes_key_{index}_next")

    def _secret(self, name: str) -> str | None:
        secret: SecretStr | None = getattr(self, name)
        return secret.get_secret_value() if secret else None

    def django_secret(self) -> str:
        """`SECRET_KEY`, or one made once and kept in the data folder, readable by its owner alone."""
        if self.secret_key:
            return self.secret_key.get_secret_value()
        return kept_secret(self.livebeat_data_dir)


def load_settings() -> Settings:
    """The settings as they are given now.

    Raises:
        SettingsError: some of them can't be used; it says which and why, never a secret's value.
    """
    try:
        settings = Settings()
    except ValidationError as error:
        raise SettingsError(*problems_of(error, secret_fields())) from None
    problems = sample_problems(settings.secret_values) if settings.livebeat_env == "production" else []
    if not settings.secret_key or not (settings.database_url or settings.postgres_host):
        problems += folder_problems(settings.livebeat_data_dir)
    if problems:
        raise SettingsError(*problems)
    return settings


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read at the first call.

    Raises:
        SystemExit: with status 78, after one line a problem on standard error.
    """
    try:
        return load_settings()
    except SettingsError as error:
        for problem in error.problems:
            sys.stderr.write(f"livebeat: {problem}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None


def secret_fields() -> frozenset[str]:
    """The fields whose values are never shown."""
    return frozenset(name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation))
