"""One Celery app's link to its Redis: the client, the keys, the default zone, and the Lua scripts.

RedBeat's own settings (`redbeat_redis_url`, `redbeat_redis_options`, TLS, prefix, lock key) decide where. Our client
never retries a command by itself: redis-py's silent retries would repeat a write whose reply was lost.
"""

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib import resources
from typing import Any

import redis
from celery import Celery
from kombu.utils.url import maybe_sanitize_url
from redbeat.schedulers import RetryingConnection, ensure_conf, get_redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.exceptions import NoScriptError
from redis.retry import Retry

from livebeat import clock, failpoints
from livebeat.errors import ConfigurationError
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

    @cached_property
    def zone(self) -> str:
        """The app's time zone: the default of every rule."""
        return str(self.app.timezone)

    def now(self) -> datetime:
        """Redis' time: the one clock that every beat, worker and API process shares."""
        seconds, microseconds = self.client.time()
        return clock.from_epoch(seconds + microseconds / 1e6)

    def with_timeout(self, seconds: float) -> "Link":
        """The same Redis over connections of its own, whose replies are waited for no longer than this."""
        pool = self.client.connection_pool
        options = {**pool.connection_kwargs, "socket_timeout": seconds}
        client = redis.Redis(connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **options))
        return Link(self.app, client)

    @cached_property
    def broker(self) -> "redis.Redis":
        """A client on the broker's database, which is on the store's server: one script must reach both.

        Raises:
            ConfigurationError: the broker is something else, or on another server.
        """
        with self.app.connection_for_write() as connection:
            if connection.transport.driver_type != "redis":
                raise ConfigurationError(
                    reason_en=f"the broker is {connection.transport.driver_type}; this version needs Redis as broker",
                    reason_ko=f"브로커가 {connection.transport.driver_type}입니다. 이 버전은 Redis 브로커가 필요합니다",
                )
            theirs = connection.default_channel.client
            if theirs.info("server")["run_id"] != self.client.info("server")["run_id"]:
                raise ConfigurationError(
                    reason_en="broker_url and redbeat_redis_url are two Redis servers; a slot is dispatched in one step "
                    "only where both are on one server (any database of it)",
                    reason_ko="broker_url과 redbeat_redis_url이 서로 다른 Redis 서버입니다. 같은 서버여야 합니다 "
                    "(데이터베이스 번호는 달라도 됩니다)",
                )
            db = theirs.connection_pool.connection_kwargs.get("db") or 0
        if db == self._db:
            return self.client
        pool = self.client.connection_pool
        options = {**pool.connection_kwargs, "db": db}
        return redis.Redis(connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **options))

    @cached_property
    def broker_db(self) -> str:
        """How scripts find the broker's database: 'broker/store', or '' where they are one."""
        broker = self.broker.connection_pool.connection_kwargs.get("db") or 0
        return "" if broker == self._db else f"{broker}/{self._db}"

    def queue_of(self, list_: str) -> str:
        """The name of the queue behind a broker list: without the broker's key prefix and the priority's suffix."""
        prefix, separator = self._list_form
        return list_.removeprefix(prefix).rsplit(separator, 1)[0]

    @cached_property
    def _list_form(self) -> tuple[str, str]:
        with self.app.connection_for_write() as connection:
            channel = connection.default_channel
            return str(channel.global_keyprefix or ""), str(channel.sep)

    @property
    def _db(self) -> int:
        return int(self.client.connection_pool.connection_kwargs.get("db") or 0)

    @cached_property
    def _scripts(self) -> dict[str, Script]:
        return {}

    def script(self, name: str, keys: Sequence[str | bytes], args: Sequence[Any]) -> Any:
        """Run `lua/<name>.lua` in one step."""
        failpoints.reach(f"before_{name}")
        script = self._script(name)
        try:
            answer = self._ask(script, keys, args)
        except NoScriptError:
            self.client.script_load(script.script)
            answer = self._ask(script, keys, args)
        failpoints.reach(f"after_{name}")
        return answer

    def _ask(self, script: Script, keys: Sequence[str | bytes], args: Sequence[Any]) -> Any:
        """By a connection of the client's pool: the client's own layers cost more than the rest of the call."""
        pool = self.client.connection_pool
        connection: Any = pool.get_connection()
        try:
            connection.send_command("EVALSHA", script.sha, len(keys), *keys, *args)
            return connection.read_response()
        except redis.ResponseError:
            raise
        except BaseException:  # a reply that comes yet would be taken for that of the next command
            connection.disconnect()
            raise
        finally:
            pool.release(connection)

    def _script(self, name: str) -> Script:
        script = self._scripts.get(name)
        if script is None:
            script = self._scripts[name] = self.client.register_script(_lua(name))
        return script

    @contextmanager
    def talk(self, name: str) -> Iterator["Talk"]:
        """A connection of its own, to run one script many times without waiting for each reply."""
        script = self._script(name)
        if name not in self._loaded:
            self.client.script_load(script.script)
            self._loaded.add(name)
        pool = self.client.connection_pool
        connection = pool.get_connection()
        talk = Talk(connection, name, str(script.sha))
        try:
            yield talk
        except NoScriptError:
            self._loaded.discard(name)  # the server was restarted, or flushed its scripts
            raise
        finally:
            if talk.waiting:  # a reply that nobody will read would be taken for that of the next command
                connection.disconnect()  # type: ignore[no-untyped-call]
            pool.release(connection)

    @cached_property
    def _loaded(self) -> set[str]:
        return set()


class Talk:
    """Runs one script; the caller prepares the next call while the server works on the last."""

    def __init__(self, connection: Any, name: str, sha: str) -> None:
        self._connection, self._name, self._sha = connection, name, sha
        self.waiting = 0

    def say(self, keys: list[str], args: list[Any]) -> None:
        """Send one call."""
        self.waiting += 1
        failpoints.reach(f"before_{self._name}")
        self._connection.send_command("EVALSHA", self._sha, len(keys), *keys, *args)

    def hear(self) -> Any:
        """The reply of the oldest call that was not heard.

        Raises:
            redis.exceptions.NoScriptError: the server has forgotten the script; the next `talk` gives it again.
            redis.RedisError: it failed, or the server is away.
        """
        try:
            answer = self._connection.read_response()
        finally:
            self.waiting -= 1
        failpoints.reach(f"after_{self._name}")
        return answer


def as_stored(text: str) -> bytes:
    """What was read, as it lies in Redis: also where that is no text."""
    return text.encode(errors="surrogateescape")


def _lua(name: str) -> str:
    """A script's text, with what it includes."""
    text = (resources.files("livebeat.lua") / f"{name}.lua").read_text(encoding="utf-8")
    return re.sub(r"^-- include (\w+)\.lua\n", lambda found: _lua(found[1]), text, flags=re.MULTILINE)


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
    conf = ensure_conf(app)
    if conf.redbeat_redis_options.get("cluster") or str(conf.redis_url).startswith("redis-cluster"):
        raise ConfigurationError(
            reason_en="redbeat_redis_url and redbeat_redis_options name a Redis Cluster, where no script reaches all of "
            "a schedule's keys; use one server, or one behind sentinels",
            reason_ko="redbeat_redis_url, redbeat_redis_options가 Redis Cluster를 가리킵니다. 스크립트가 스케줄의 모든 키에 "
            "접근할 수 없어 지원하지 않습니다. 단일 서버나 Sentinel을 사용하세요",
        )
    try:
        theirs = get_redis(app)
    except (ValueError, AttributeError):
        raise ConfigurationError(
            reason_en=f"redbeat_redis_url ({maybe_sanitize_url(str(conf.redis_url))}; broker_url where it isn't set) is no "
            "address of a Redis; set redbeat_redis_url to redis://, rediss://, unix:// or redis-sentinel://",
            reason_ko=f"redbeat_redis_url ({maybe_sanitize_url(str(conf.redis_url))}, 없으면 broker_url)은 Redis 주소가 "
            "아닙니다. redis://, rediss://, unix://, redis-sentinel:// 형식으로 설정하세요",
        ) from None
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
        "encoding_errors": "surrogateescape",  # bytes that are no text must not keep anybody from reading the rest
    }
    if not issubclass(pool.connection_class, redis.connection.AbstractConnection) or "path" in options:
        options.pop("socket_connect_timeout")
    return redis.Redis(connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **options))
