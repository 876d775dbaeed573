"""Keys of every kind, and the ways to send one."""

from datetime import timedelta

import redis

from app.access.models import ApiKey
from app.access.scopes import Scope
from app.access.services import issue, revoke
from livebeat import clock

BOOTSTRAP = "bootstrap-key-of-the-tests-0123456789abcdef"


def make_keys() -> dict[str, str]:
    """A key of each scope, an expired and a revoked one, by what they are."""
    made = {scope.value: issue(f"{scope.value}-key", scope)[1] for scope in Scope}
    row, made["expired"] = issue("expired-key", Scope.ADMIN, clock.now() + timedelta(days=1))
    ApiKey.objects.filter(pk=row.pk).update(expires_at=clock.now() - timedelta(seconds=1))
    made["revoked"] = issue("revoked-key", Scope.ADMIN)[1]
    revoke("revoked-key")
    return made


def bearer(key: str) -> dict[str, str]:
    """The header that carries it."""
    return {"Authorization": f"Bearer {key}"}


def forget_attempts(client: "redis.Redis") -> None:
    """As if nobody had failed."""
    for key in client.scan_iter("app:attempts:*"):
        client.delete(key)
