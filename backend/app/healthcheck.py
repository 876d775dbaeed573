"""`python -m app.healthcheck api|beat|recorder|bridge|flower`: whether this host's process of that kind does its work.

Prints one line; exit status 0 healthy, 1 not. Asks only what is cheap to answer, changes nothing, and never waits for
more than a few seconds. For a worker Celery's own check does the same: `celery -A app.core.celery_app inspect ping`.
"""

import argparse
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import redis

from app.core.settings import get_settings

_SECONDS = 3.0
Verdict = tuple[bool, str]


def api() -> Verdict:
    """The process answers; Redis and the database may be away."""
    settings = get_settings()
    return _answers(f"http://127.0.0.1:{settings.api_port}/api/health/live")


def flower() -> Verdict:
    """Flower answers on its private socket."""
    path = get_settings().flower_socket
    if path is None:
        return False, "FLOWER_SOCKET is not set"
    return _answers("http://flower/flower/healthcheck", path)


def beat() -> Verdict:
    """This host's beat ticks, leading or standing by, and no beat of another kind keeps it from its work."""
    from app.core.celery_app import celery_app
    from livebeat.beat.heartbeat import SILENCE, newest
    from livebeat.connection import link

    found = newest(link(celery_app), socket.gethostname())
    if found is None:
        return False, "no sign of life"
    heartbeat, age = found
    told = f"{heartbeat.role}, process {heartbeat.pid}, last tick {age:.1f} s ago"
    if heartbeat.role == "foreign":
        return False, f"a beat that is not Livebeat's holds the lock; {told}"
    return age <= SILENCE, told


def recorder() -> Verdict:
    """This host's recorder said within 15 seconds that it is alive."""
    from app.core.bootstrap import boot
    from app.core.celery_app import celery_app

    boot()
    from app.history.heartbeat import live_recorders
    from livebeat.connection import link

    of = link(celery_app)
    state = live_recorders(of.client, of.keys).get(socket.gethostname())
    return state is not None, f"state: {state}" if state else "no sign of life"


def bridge() -> Verdict:
    """This host's bridge said within 15 seconds that it is alive."""
    from app.bridge.heartbeat import state_of
    from app.core.celery_app import celery_app
    from livebeat.connection import link

    state = state_of(link(celery_app).client, socket.gethostname())
    return state is not None, f"state: {state}" if state else "no sign of life"


CHECKS: dict[str, Callable[[], Verdict]] = {
    "api": api,
    "beat": beat,
    "recorder": recorder,
    "bridge": bridge,
    "flower": flower,
}


def main() -> int:
    """Check one process; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m app.healthcheck", description=__doc__)
    parser.add_argument("process", choices=sorted(CHECKS))
    try:
        healthy, text = CHECKS[parser.parse_args().process]()
    except redis.RedisError as error:
        healthy, text = False, f"Redis does not answer: {error}"
    sys.stdout.write(f"{text}\n")
    return 0 if healthy else 1


def _answers(url: str, unix_socket: Path | None = None) -> Verdict:
    import httpx2

    transport = httpx2.HTTPTransport(uds=str(unix_socket)) if unix_socket else None
    with httpx2.Client(transport=transport, timeout=_SECONDS, trust_env=False) as client:
        try:
            status = client.get(url).status_code
        except httpx2.TransportError as error:
            return False, f"no answer: {error}"
    return status == 200, f"answers with {status}"


if __name__ == "__main__":
    sys.exit(main())
