"""Addresses in settings: checked when they are read."""

from urllib.parse import urlsplit

from app.core.settings_problems import UnusableValueError
from app.core.settings_sources import EMBEDDED_POSTGRES

_SCHEMES = {
    "redis_url": ("redis", "rediss", "unix", "redis+socket"),
    "database_url": ("sqlite", "postgres", "postgresql", "timescale"),
}

#: The one host of each service's webhooks, and how their paths begin.
_WEBHOOKS = {
    "discord_webhook_url": ("discord.com", "/api/webhooks/"),
    "slack_webhook_url": ("hooks.slack.com", "/services/"),
}


def http_address(value: str) -> str:
    """`value`, if it is an http(s) address with a host.

    Raises:
        UnusableValueError: it isn't.
    """
    if _scheme(value) not in {"http", "https"} or not urlsplit(value).hostname:
        raise UnusableValueError("must be an address like https://host/path", "https://host/path 형식이어야 합니다")
    return value


def check_dsn(value: str) -> None:
    """Sentry's kind of address.

    Raises:
        UnusableValueError: it has no key, no host or no project number.
    """
    parts = urlsplit(http_address(value))
    if not parts.username or not parts.path.rpartition("/")[2].isdigit():
        raise UnusableValueError("must be https://key@host/project", "https://key@host/project 형식이어야 합니다")


def check_webhook(url: str, field: str, simulator: str | None) -> None:
    """The address of a webhook (`field` is `discord_webhook_url` or `slack_webhook_url`): https, at its service's host.

    `simulator` is the host and port of a stand-in, which may be named over plain http as well.

    Raises:
        UnusableValueError: it isn't; a briefing never goes anywhere else.
    """
    parts = urlsplit(url) if _scheme(url) else None
    host, start = _WEBHOOKS[field]
    fits = parts is not None and parts.path.startswith(start) and len(parts.path) > len(start)
    if parts is None or not fits or "@" in parts.netloc or parts.query or parts.fragment:
        raise _no_webhook(host, start)
    theirs = parts.scheme == "https" and parts.netloc.lower() == host
    if not theirs and not (simulator and parts.scheme in {"http", "https"} and parts.netloc == simulator):
        raise _no_webhook(host, start)


def _no_webhook(host: str, start: str) -> UnusableValueError:
    address = f"https://{host}{start}…"
    return UnusableValueError(f"must be an address like {address}", f"{address} 형식이어야 합니다")


def check_server(url: str, field: str) -> None:
    """The address of a Redis (`field` is `redis_url`) or of a database (`database_url`).

    Raises:
        UnusableValueError: it isn't one that the platform can use.
    """
    if field == "database_url" and url.startswith(EMBEDDED_POSTGRES):
        raise UnusableValueError(
            "names a PostgreSQL that ./run_all.sh starts; nothing shows where it runs",
            "./run_all.sh가 실행하는 PostgreSQL입니다. 실행 중인 위치를 찾을 수 없습니다",
        )
    if _scheme(url) not in _SCHEMES[field]:
        starts = ", ".join(f"{scheme}://" for scheme in _SCHEMES[field])
        raise UnusableValueError(f"must be an address that starts with {starts}", f"{starts} 중 하나로 시작해야 합니다")


def _scheme(url: str) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.port != 0
    except ValueError:  # a port that is no number, a bracket that isn't closed
        return ""
    return parts.scheme if usable else ""
