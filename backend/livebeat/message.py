"""A task's message as the final Redis commands that publish it, taken from kombu itself.

Celery builds and routes the message as for any `apply_async`; only the last step, the write, is kept back, so that
a script of ours can make it together with the ledger entry and the event. Depends on kombu 5.7's
`basic_publish(…, _publish_batch=…)`, hence the version bound in pyproject.toml.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import kombu
from celery import Celery

from livebeat.connection import Link
from livebeat.errors import ConfigurationError
from livebeat.wellformed import RUN_HEADER

SCHEDULE_HEADER = "livebeat_schedule"
SLOT_HEADER = "livebeat_slot"
REVISION_HEADER = "livebeat_revision"
KIND_HEADER = "livebeat_kind"
#: Redis' time (seconds) of the push, on copies that the relay made.
PUSHED_HEADER = "livebeat_pushed"

_ALLOWED_COMMANDS = frozenset({"lpush", "pexpire"})


class Message(NamedTuple):
    """What publishes a run: `text` pushed to the list `queue` (prefix and priority included), then `more` commands."""

    run_id: str
    task: str
    queue: str
    text: str
    more: tuple[tuple[str, ...], ...] = ()

    @property
    def more_json(self) -> str:
        """The further commands as the scripts take them; '' where there are none, as nearly always."""
        return json.dumps(self.more, ensure_ascii=False) if self.more else ""


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
        given = dict(options or {})
        keywords = {
            **given,
            "task_id": run_id,
            "producer": producer,
            "headers": {**(given.pop("headers", None) or {}), **({RUN_HEADER: run_id} if ledgered else {}), **headers},
            "retry": False,
        }
        registered = app.tasks.get(task)
        if registered is not None:
            registered.apply_async(list(args), dict(kwargs or {}), **keywords)
        else:
            app.send_task(task, list(args), dict(kwargs or {}), **keywords)
        prefix = str(getattr(producer.channel, "global_keyprefix", "") or "")
    commands = [(name, prefix + key, *rest) for name, key, *rest in collector.commands]
    if not commands or commands[0][0] != "LPUSH":
        raise ConfigurationError(
            reason_en=f"task {task!r} is routed to something that is not a queue on Redis",
            reason_ko=f"태스크 {task!r}가 Redis 큐가 아닌 곳으로 라우팅됩니다",
        )
    (_, queue, text), *more = commands
    return Message(run_id, task, queue, text, _each_push(more, lambda text: retagged(json.loads(text))))


def verify(link: Link) -> None:
    """Compare what is taken from kombu with what kombu publishes: both to a private list, which is deleted at once.

    Raises:
        ConfigurationError: they differ; the engine does not fit the installed kombu.
    """
    queue = f"{link.keys.prefix}self-test:{uuid.uuid4()}"
    collector = _Collector()
    with _producer_into(link.app, collector) as producer:
        prefix = str(getattr(producer.channel, "global_keyprefix", "") or "")
        publish = {"exchange": "", "routing_key": queue, "headers": {"id": queue}, "serializer": "json", "priority": 3}
        producer.publish([[], {"value": queue}, {}], **publish)
        del producer._batch_local.current
        producer.publish([[], {"value": queue}, {}], **publish)
    key = prefix + collector.commands[0][1] if collector.commands else prefix + queue
    published = cast("list[str]", link.broker.lrange(key, 0, -1))
    link.broker.delete(key)
    ours = [["LPUSH", _untagged(command[2])] for command in collector.commands]
    if ours != [["LPUSH", _untagged(text)] for text in published] or not published:
        raise ConfigurationError(
            reason_en=f"kombu {kombu.__version__} publishes in another way than this version of the engine knows; "
            "install kombu>=5.7,<5.8",
            reason_ko=f"kombu {kombu.__version__}의 전송 방식이 이 버전의 엔진과 맞지 않습니다. kombu>=5.7,<5.8을 설치하세요",
        )


def _untagged(text: str) -> Any:
    envelope = json.loads(text)
    envelope["properties"].pop("delivery_tag", None)
    return envelope


def copied(text: str, pushed: float) -> str:
    """The same message as a copy that is pushed at `pushed` (Redis' seconds)."""
    envelope = json.loads(text)
    envelope["headers"][PUSHED_HEADER] = pushed
    return retagged(envelope)


def copied_more(more: str, pushed: float) -> str:
    """The same for a message's further commands, as stored."""
    return (
        json.dumps(_each_push(json.loads(more), lambda text: copied(text, pushed)), ensure_ascii=False) if more else ""
    )


def retagged(envelope: dict[str, Any]) -> str:
    """A message with a fresh delivery tag: copies with equal tags would share one `unacked` entry."""
    envelope["properties"]["delivery_tag"] = str(uuid.uuid4())
    return json.dumps(envelope)


def _each_push(commands: Iterable[Sequence[str]], change: Callable[[str], str]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (command[0], command[1], change(command[2])) if command[0] == "LPUSH" else tuple(command)
        for command in commands
    )


@contextmanager
def _producer_into(app: Celery, collector: _Collector) -> Iterator[Any]:
    with app.pool.acquire(block=True) as connection:
        producer = app.amqp.Producer(connection, auto_declare=False)
        producer._batch_local.current = collector
        yield producer


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
