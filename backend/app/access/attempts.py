"""Failed attempts to get in: ten in five minutes for each address, counted in Redis by one transaction an attempt.

Attempts with keys and with passwords are counted apart. Redis that is away raises: the caller lets nobody in by a
credential that could not be counted.
"""

from ipaddress import IPv6Address, ip_address
from typing import Literal, cast

import redis

LIMIT = 10
WINDOW_SECONDS = 300
_PREFIX = "app:attempts:"
_SITE_BITS = 64

Kind = Literal["key", "sign-in"]


def count_attempt(client: "redis.Redis", kind: Kind, address: str) -> int:
    """Count one attempt; returns the seconds to wait where it is one too many, else 0.

    Raises:
        redis.RedisError: it could not be counted.
    """
    key = _key(kind, address)
    with client.pipeline(transaction=True) as pipe:
        pipe.set(key, 0, ex=WINDOW_SECONDS, nx=True)
        pipe.incr(key)
        pipe.ttl(key)
        _, count, left = cast("tuple[object, int, int]", tuple(pipe.execute()))
    return max(left, 1) if count > LIMIT else 0


def take_back(client: "redis.Redis", kind: Kind, address: str) -> None:
    """An attempt that was counted before its end was known has succeeded."""
    key = _key(kind, address)
    with client.pipeline(transaction=True) as pipe:
        pipe.decr(key)
        pipe.expire(key, WINDOW_SECONDS)
        pipe.execute()


def _key(kind: Kind, address: str) -> str:
    return f"{_PREFIX}{kind}:{_place(address)}"


def _place(address: str) -> str:
    """The address, or the /64 network of an IPv6 one: whoever has one of those has them all."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is None:
        return f"{IPv6Address(int(parsed) >> _SITE_BITS << _SITE_BITS)}/{_SITE_BITS}"
    return str(parsed)
