"""JSON web tokens in HS256 form, as both upstreams issue them.

The key is public on purpose: these tokens open nothing but the simulators.
"""

import base64
import hashlib
import hmac
import json
from typing import Any

SIMULATOR_KEY = b"simulators only: signs nothing that matters"


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _signature(signed: str) -> str:
    return _encode(hmac.new(SIMULATOR_KEY, signed.encode("ascii"), hashlib.sha256).digest())


def make(payload: dict[str, Any]) -> str:
    """A signed token: three base64url parts without padding, joined by dots."""
    parts = [{"alg": "HS256", "typ": "JWT"}, payload]
    signed = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{signed}.{_signature(signed)}"


def read(token: str, now: float) -> dict[str, Any] | None:
    """The payload of a token that we signed and that hasn't expired at `now` (epoch seconds); else None."""
    head, _, signature = token.rpartition(".")
    try:
        if not hmac.compare_digest(_signature(head), signature):
            return None
        payload = json.loads(_decode(head.partition(".")[2]))
    except ValueError:
        return None
    if not isinstance(payload, dict) or not isinstance(payload.get("exp"), int | float) or payload["exp"] <= now:
        return None
    return payload
