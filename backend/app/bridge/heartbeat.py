"""The bridges' signs of life: one key a host, `app:bridge:<host>`, gone 15 seconds after the last beat."""

import json
from typing import cast

import redis

from livebeat import clock

SECONDS = 15
_PREFIX = "app:bridge:"


def beat(client: "redis.Redis", host: str, state: str, **counts: int) -> None:
    """Say that the bridge of `host` is alive, in which state (`ok`, or what it waits for), and what it did so far."""
    told = {"state": state, "at": clock.now().isoformat(), **counts}
    client.set(_PREFIX + host, json.dumps(told, ensure_ascii=False), ex=SECONDS)


def end(client: "redis.Redis", host: str) -> None:
    """Say that the bridge of `host` stopped of its own will."""
    client.delete(_PREFIX + host)


def state_of(client: "redis.Redis", host: str) -> str | None:
    """The state of the bridge of `host`; None where it is not alive."""
    text = cast("str | None", client.get(_PREFIX + host))
    return str(json.loads(text)["state"]) if text else None
