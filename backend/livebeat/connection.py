"""One Celery app's link to its Redis: the client, the keys, the default zone, and the Lua scripts.

RedBeat's own settings (`redbeat_redis_url`, `redbeat_redis_options`, TLS, prefix, lock key) decide where. Our client
never retries a command by itself: redis-py's silent retries would repeat a write whose reply was lost.
"""

import threading
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib import resources
from typing import Any

import redis
from celery import Celery
from redbeat.schedulers import RetryingConnection, ensure_conf, get_redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry

from livebeat import clock
from livebeat.keys import Keys, keys_for

_ATTRIBUTE = "_livebeat_link"
_making = threading.Lock()
#: Seconds; a caller hears of a dead Redis before its own caller gives up.
CONNECT_TIMEOUT = 1.5
REPLY_TIMEOUT = 10.0


@dataclass(frozen=True)
class Link:
    """An app's Redis. Safe to share between threads, and after a fork (redis-py's pool notices)."""

    app: Celery
    client: "redis.Redis"

    @cached_property
    def keys(self) -> Keys:
        """Every key of this app."""
        conf = self.app.redbeat_conf
        return keys_for(conf.key_prefix, conf.lock_key, self.app.amqp.queues)

    @property
    def zone(self) -> str:
        """The app's time zone: the default of every rule."""
        return str(self.app.timezone)

    def now(self) -> datetime:
        """Redis' time: the one clock that every beat, worker and API process shares."""
        seconds, microseconds = self.client.time()
        return clock.from_epoch(seconds + microseconds / 1e6)

    @cached_property
    def _scripts(self) -> dict[str, Script]:
        return {}

    def script(self, name: str, keys: list[str], args: list[Any]) -> Any:
        """Run `lua/<name>.lua` in one step."""
        script = self._scripts.get(name)
        if script is None:
            text = (resources.files("livebeat.lua") / f"{name}.lua").read_text(encoding="utf-8")
            script = self._scripts[name] = self.client.register_script(text)
        return script(keys=keys, args=args)


def link(app: Celery) -> Link:
    """The app's link, made once."""
    made: Link | None = getattr(app, _ATTRIBUTE, None)
    if made is None:
        with _making:
            made = getattr(app, _ATTRIBUTE, None)
            if made is None:
                made = Link(app, _client(app))
                setattr(app, _ATTRIBUTE, made)
    return made


def _client(app: Celery) -> "redis.Redis":
    ensure_conf(app)
    theirs = get_redis(app)
    if isinstance(theirs, RetryingConnection):
        theirs = theirs.wrapped_connection
    pool = theirs.connection_pool
    options = {
        "socket_timeout": REPLY_TIMEOUT,
        "socket_connect_timeout": CONNECT_TIMEOUT,
        **{k: v for k, v in pool.connection_kwargs.items() if v is not None},
        "retry": Retry(NoBackoff(), 0),
        "retry_on_error": [],
        "decode_responses": True,
    }
    if not issubclass(pool.connection_class, redis.connection.AbstractConnection) or "path" in options:
        options.pop("socket_connect_timeout")
    return redis.Redis(connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **options))
