"""Django's settings, all derived from `app.core.settings`.

SQLite runs with `BEGIN IMMEDIATE` and a long busy time-out: with Django's defaults, four processes on one
file gave hundreds of "database is locked".
"""

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from app.core.bootstrap import ensure_sqlite
from app.core.settings import get_settings

_settings = get_settings()
_wal_is_safe = ensure_sqlite()

SECRET_KEY = _settings.django_secret()
DEBUG = False
ALLOWED_HOSTS = list(_settings.hosts)
ROOT_URLCONF = "app.django_project.urls"
ASGI_APPLICATION = "app.django_project.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "app.domains.velog",
    "app.domains.realestate",
    "app.history",
    "app.access",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "app.access.sign_in.LimitedSignIn",  # last: what CSRF refuses is no attempt
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

LANGUAGE_CODE = "ko"
LANGUAGES = [("ko", "한국어"), ("en", "English")]
TIME_ZONE = _settings.livebeat_timezone
USE_TZ = True
STATIC_URL = "/static/"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
LOGGING_CONFIG = None  # app.core.logging alone configures logging

#: The back office's engine name: a thin wrapper that also drops primary keys; Django's own engine serves its tables.
_ENGINES = {"timescale.db.backends.postgresql": "django.db.backends.postgresql"}


def _sqlite(path: str) -> dict[str, Any]:
    journal = "WAL" if _wal_is_safe else "TRUNCATE"
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": f"PRAGMA journal_mode={journal};PRAGMA synchronous=NORMAL;",
        },
    }


def _postgres(*, options: dict[str, Any] | None = None, **parts: Any) -> dict[str, Any]:
    # Callers of the API hear of a database that can't be reached within two seconds.
    return {
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 2, **(options or {})},
        **parts,
    }


def _database() -> dict[str, Any]:
    if _settings.database_url is None and _settings.postgres_host is None:
        return _sqlite(str(_settings.livebeat_data_dir / "livebeat.sqlite3"))
    if _settings.database_url is None:
        password = _settings.postgres_password
        return _postgres(
            ENGINE=_ENGINES.get(_settings.database_engine, _settings.database_engine),
            NAME=_settings.database_name,
            USER=_settings.postgres_user,
            PASSWORD=password.get_secret_value() if password else "",
            HOST=_settings.postgres_host,
            PORT=str(_settings.postgres_port),
        )
    parts = urlsplit(_settings.database_url.get_secret_value())
    if parts.scheme == "sqlite":
        return _sqlite(unquote(parts.path))
    if parts.scheme not in {"postgres", "postgresql", "timescale"}:
        raise ValueError(
            f"DATABASE_URL starts with {parts.scheme!r}; write sqlite:///path or postgresql://user:password@host/name"
        )
    options = dict(parse_qsl(parts.query))
    return _postgres(
        ENGINE="django.db.backends.postgresql",
        NAME=unquote(parts.path.lstrip("/")),
        USER=unquote(parts.username or ""),
        PASSWORD=unquote(parts.password or ""),
        HOST=options.pop("host", None) or unquote(parts.hostname or ""),
        PORT=str(parts.port or options.pop("port", "") or ""),
        options=options,
    )


DATABASES = {"default": _database()}
