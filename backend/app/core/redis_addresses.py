"""Either spelling of a Redis on a unix socket: redis-py's and Celery's."""

from urllib.parse import parse_qs, urlsplit


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
