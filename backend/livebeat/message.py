"""A task's message as the final Redis commands that publish it, taken from kombu itself.

Celery builds and routes the message as for any `apply_async`; only the last step, the write, is kept back, so that
a script of ours can make it together with the ledger entry and the event. Depends on kombu 5.7's
`basic_publish(…, _publish_batch=…)`, hence the version bound in pyproject.toml.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from celery import Celery

from livebeat.errors import ConfigurationError

#: Present on every message that has a ledger entry; its value is the run's id.
RUN_HEADER = "livebeat_run"
SCHEDULE_HEADER = "livebeat_schedule"
SLOT_HEADER = "livebeat_slot"
REVISION_HEADER = "livebeat_revision"
KIND_HEADER = "livebeat_kind"

_ALLOWED_COMMANDS = frozenset({"lpush", "pexpire"})


@dataclass(frozen=True)
class Message:
    """`commands`: the Redis commands, whole, first the push; `queue`: the broker list that it lands on."""

    run_id: str
    task: str
    commands: tuple[tuple[str, ...], ...]

    @property
    def queue(self) -> str:
        """The broker list, with its prefix and priority suffix."""
        return self.commands[0][1]

    def to_json(self) -> str:
        """The commands as the scripts take them."""
        return json.dumps(self.commands, ensure_ascii=False)


class _Collector:
    """Stands where kombu expects its publish batch, and keeps the commands that it is given."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, ...]] = []

    def publish(self, channel: Any, message: Any, **kwargs: Any) -> Any:
        """Route one prepared message; kombu answers with calls of `add`."""
        return channel.basic_publish(message, _publish_batch=self, **kwargs)

    def add(self, name: str, *args: Any) -> None:
        """Take one final Redis command."""
        if name not in _ALLOWED_COMMANDS:
            raise ConfigurationError(
                reason_en=f"a message would be sent by {name.upper()}; the engine sends to direct queues only",
                reason_ko=f"{name.upper()} 명령으로 전송되는 큐입니다. direct 큐만 지원합니다",
            )
        self.commands.append((name.upper(), *(_text(arg) for arg in args)))


def build(
    app: Celery,
    task: str,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    run_id: str,
    headers: Mapping[str, Any],
    options: Mapping[str, Any] | None = None,
    ledgered: bool = True,
) -> Message:
    """The message of one run, with a fresh delivery tag; nothing is sent.

    `ledgered` messages carry the run header: their worker claims them.

    Raises:
        ConfigurationError: the app's broker or the task's queue can't be written by a script.
        TypeError: the arguments don't fit the registered task's signature.
    """
    collector = _Collector()
    with _producer_into(app, collector) as producer:
        keywords = {
            **(options or {}),
            "task_id": run_id,
            "producer": producer,
            "headers": {**({RUN_HEADER: run_id} if ledgered else {}), **headers},
            "retry": False,
        }
        registered = app.tasks.get(task)
        if registered is not None:
            registered.apply_async(list(args), dict(kwargs or {}), **keywords)
        else:
            app.send_task(task, list(args), dict(kwargs or {}), **keywords)
        prefix = str(getattr(producer.channel, "global_keyprefix", "") or "")
        commands = tuple((name, prefix + key, *rest) for name, key, *rest in collector.commands)
    if not commands or commands[0][0] != "LPUSH":
        raise ConfigurationError(
            reason_en=f"task {task!r} is routed to something that is not a queue on Redis",
            reason_ko=f"태스크 {task!r}가 Redis 큐가 아닌 곳으로 라우팅됩니다",
        )
    return Message(run_id, task, commands)


def retagged(commands: str) -> str:
    """The same stored commands with a fresh delivery tag: copies with equal tags would share one `unacked` entry."""
    parsed = cast("list[list[str]]", json.loads(commands))
    for command in parsed:
        if command[0] == "LPUSH":
            envelope = json.loads(command[2])
            envelope["properties"]["delivery_tag"] = str(uuid.uuid4())
            command[2] = json.dumps(envelope)
    return json.dumps(parsed, ensure_ascii=False)


@contextmanager
def _producer_into(app: Celery, collector: _Collector) -> Iterator[Any]:
    with app.pool.acquire(block=True) as connection:
        if connection.transport.driver_type != "redis":
            raise ConfigurationError(
                reason_en=f"the broker is {connection.transport.driver_type}; this version needs Redis as broker",
                reason_ko=f"브로커가 {connection.transport.driver_type}입니다. 이 버전은 Redis 브로커가 필요합니다",
            )
        producer = app.amqp.Producer(connection, auto_declare=False)
        producer._batch_local.current = collector
        yield producer


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
