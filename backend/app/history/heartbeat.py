"""The recorders' signs of life: one key a host, `app:recorder:<host>`, gone 15 seconds after the last beat.

The host is also the consumer's name in the stream's group `recorder`, which is how the keys are found without a scan.
"""

import json
from typing import cast

import redis

from livebeat import clock
from livebeat.keys import Keys

GROUP = "recorder"
SECONDS = 15
_PREFIX = "app:recorder:"


def beat(client: "redis.Redis", host: str, state: str) -> None:
    """Say that the recorder of `host` is alive, and in which state (`ok`, or what it waits for)."""
    client.set(_PREFIX + host, json.dumps({"state": state, "at": clock.now().isoformat()}), ex=SECONDS)


def end(client: "redis.Redis", host: str) -> None:
    """Say that the recorder of `host` stopped of its own will."""
    client.delete(_PREFIX + host)


def live_recorders(client: "redis.Redis", keys: Keys) -> dict[str, str]:
    """Host → state of every recorder that is alive."""
    try:
        consumers = client.xinfo_consumers(keys.events, GROUP)
    except redis.ResponseError:  # no stream or no group yet
        return {}
    hosts = [consumer["name"] for consumer in consumers]
    beats = cast("list[str | None]", client.mget([_PREFIX + host for host in hosts])) if hosts else []
    return {host: json.loads(text)["state"] for host, text in zip(hosts, beats, strict=True) if text}
