"""The refresh task in real workers against the simulator."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

from app.core.celery_app import celery_app
from app.domains.velog.models import User
from app.domains.velog.services import put_user
from livebeat import clock
from simulators import world
from support.platform_processes import platform_environment, start
from support.processes import Running
from support.runs import relaying
from support.serving import Simulator


def consumer_environment(velog: Simulator, folder: Path) -> dict[str, str]:
    """A worker's, with a limit that doesn't bite."""
    return platform_environment(
        folder,
        VELOG_GRAPHQL_URL=f"{velog.url}/v3/graphql",
        VELOG_STATS_URL=f"{velog.url}/v2cdn/graphql",
        VELOG_REQUESTS_PER_SECOND="1000",
    )


@contextmanager
def working(environment: dict[str, str]) -> Iterator[Running]:
    """A consumer with one child, and the leading beat's relay, which brings back what was given back."""
    with start("consumer", environment) as process, relaying(celery_app):
        process.wait_for_line(" ready.", 60)
        yield process


def add(user: world.VelogUser, **life: int) -> int:
    """The primary key of a simulated user in our database; `life`: seconds that a token of the pair is good for."""
    now = clock.now().timestamp()
    pair = {kind: world.velog_token(user.id, now, kind, life.get(kind)) for kind in ("access_token", "refresh_token")}
    put_user({"velog_uuid": user.id, "group_id": user.group_id, **pair})
    return int(User.objects.get(velog_uuid=user.id).pk)


def posts_of(user: world.VelogUser) -> int:
    """How many posts its owner sees."""
    return sum(post.user_id == user.id and not post.is_temp for post in world.posts())


def told(client: "redis.Redis") -> list[tuple[float, str, dict[str, Any]]]:
    """Every event: when (Redis' seconds), type, data."""
    return [
        (int(entry.split("-")[0]) / 1000, values["type"], json.loads(values["data"]))
        for entry, values in client.xrange("livebeat:events")
    ]
