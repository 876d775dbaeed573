"""kombu's Redis transport, looking at each message before Celery does: what can't be one is set aside.

Celery's worker dies of a message that it can't decode; of some it dies again at each start, since they are restored.
Here such a message leaves its queue for the hash `livebeat:dead-messages`, with its reason, an event and a line in the
log, and the next one is taken. What a task consumer takes must be a task's message. What others take on the app's
connections (replies, events, a consumer of one's own) is only held to kombu's own envelope.

Between `BRPOP` and that hash a message that is no envelope is in this process alone. An envelope is in `unacked`, or, where
it is a run's, in the ledger: that is its record, so `unacked`, two exchanges with Redis a message, is left out for it.
"""

import hashlib
import logging
from queue import Empty
from typing import Any

import kombu
import redis
from celery import Celery, signals
from kombu.transport import redis as stock
from kombu.transport import virtual
from kombu.utils.collections import HashedSeq
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import dumps

from livebeat.connection import link
from livebeat.errors import MalformedMessageError
from livebeat.events import HARD_CAP, encode
from livebeat.wellformed import (
    BAD_DATA,
    check_envelope,
    check_task,
    flaw,
    flaw_of,
    is_run,
    name_a_queue,
    parsed,
    printable,
)

logger = logging.getLogger(__name__)

#: Characters that are kept of a message.
KEPT_TEXT = 64 * 1024
#: Messages that are kept; of further ones only the event and the line in the log.
KEPT_MESSAGES = 10_000
#: Its memory is full, or it is a replica; that its disk is full has no class of its own.
_NO_WRITES = (redis.exceptions.OutOfMemoryError, redis.exceptions.ReadOnlyError)


def guard(app: Celery, options: dict[str, Any]) -> None:
    """Give this app's connections to a Redis, whatever the URL, the transport below, with these options as defaults."""
    own = {"livebeat_app": app, "livebeat_options": options}
    app.amqp.Connection = type("Connection", (Connection, app.amqp.Connection), own)
    app.amqp.Consumer = type("TaskConsumer", (TaskConsumer, app.amqp.Consumer), {})


class Connection(kombu.Connection):
    """A connection of one app: the transport is chosen by what the URL, or the failover to another, resolved to."""

    livebeat_app: Celery
    livebeat_options: dict[str, Any]
    transport_options: dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if issubclass(self.get_transport_cls(), stock.Transport):
            self.transport_options = {**self.livebeat_options, **self.transport_options}

    def get_transport_cls(self) -> Any:
        chosen = super().get_transport_cls()
        return _GUARDED.get(chosen, chosen)

    def __eqhash__(self) -> Any:
        """By this kombu's pools tell connections apart: another app's, on the same URL, are not ours."""
        return HashedSeq(super().__eqhash__(), id(self.livebeat_app))


class Message(virtual.Message):
    """A message whose envelope is in order."""

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        check_envelope(payload)
        try:
            super().__init__(payload, channel=channel, **kwargs)
        except Exception as error:
            raise flaw(f"its body can't be decoded: {error!r}", f"본문을 디코딩할 수 없습니다: {error!r}") from None


def _heeding(connection_class: type[Any]) -> type[Any]:
    """A connection to which a server that takes no writes now is away: Celery waits for one, and dies of a refusal."""

    class Heeding(connection_class):
        def read_response(self, *args: Any, **kwargs: Any) -> Any:
            try:
                return super().read_response(*args, **kwargs)
            except redis.ResponseError as error:
                if isinstance(error, _NO_WRITES) or str(error).startswith("MISCONF"):
                    raise redis.ConnectionError(f"the server takes no writes: {error}") from error
                raise

    if issubclass(connection_class, redis.UnixDomainSocketConnection):
        Heeding.host, Heeding.port = "", 0  # redis-py names them where a health check failed
    return Heeding


class QoS(stock.QoS):
    """Unacknowledged messages: in `unacked`, as kombu keeps them, but those of runs, which the ledger keeps."""

    def append(self, message: Any, delivery_tag: Any) -> None:
        if _has_entry(message):
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def ack(self, delivery_tag: Any) -> None:
        if self._run(delivery_tag) is None:
            super().ack(delivery_tag)
        else:
            virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        run = self._run(delivery_tag)
        if run is None:
            super().reject(delivery_tag, requeue)
            return
        if requeue:
            self._give_back(run, leftmost=True)
        virtual.QoS.ack(self, delivery_tag)

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """As kombu's, which fails on what it can't restore, at every look, or drops it."""
        run = self._run(tag)
        if run is not None:
            if tag not in self._dirty:
                self._give_back(run, leftmost=leftmost)
            return
        with self.channel.conn_or_acquire(client) as connected:
            text = connected.hget(self.unacked_key, tag)
        try:
            if text is not None:
                self.channel.check_unacked(text)
        except MalformedMessageError as error:
            self.channel.set_aside(printable(tag), "", text, error)
            self._remove_from_indices(tag).execute()
        else:
            super().restore_by_tag(tag, client, leftmost)

    def _run(self, tag: Any) -> Any:
        """The message of a run that was taken under this tag; None where it is none."""
        message = self._delivered.get(tag)
        return message if message is not None and _has_entry(message) else None

    def _give_back(self, message: Any, *, leftmost: bool) -> None:
        """Onto its list at once, so that nobody has to miss it; twice does no harm, since a run is claimed once."""
        came_by = message.delivery_info
        with self.pipe_or_acquire() as pipe:
            self.channel._do_restore_message(
                message._raw, came_by["exchange"], came_by["routing_key"], pipe, leftmost=leftmost
            )
            pipe.execute()


def _has_entry(message: Any) -> bool:
    return is_run(message.headers, message.headers.get("id"))


class Channel(stock.Channel):
    """Of one server."""

    Message = Message
    QoS = QoS

    def __init__(self, connection: Any, **kwargs: Any) -> None:
        self._app = connection.client.livebeat_app  # the channel may outlive its connection
        super().__init__(connection, **kwargs)

    def set_aside(self, entry_id: str, queue: str, text: bytes | str, error: Exception) -> None:
        """Keep a message with what is wrong with it; in the log alone where the store doesn't take it."""
        reason = flaw_of(error)
        full = printable(text)
        told = {"queue": queue, "reason": reason.text("en"), "reason_ko": reason.text("ko")}
        kept = {**told, "text": full[:KEPT_TEXT], "length": len(full), "kind": "message"}
        at = link(self._app)
        arguments = [entry_id, encode(kept), encode({"id": entry_id, **told}), HARD_CAP, KEPT_MESSAGES]
        try:
            at.script("set_aside", [at.keys.dead_messages, at.keys.events], arguments)
        except redis.RedisError:
            logger.exception("A message on %r (%s) could not be set aside. It is: %s", queue, reason, full[:KEPT_TEXT])
            return
        logger.error("Message %s on queue %r is set aside in %s: %s", entry_id, queue, at.keys.dead_messages, reason)

    def _connparams(self, asynchronous: bool = False) -> Any:
        """As kombu's; but a task that ends when its connection is gone is to fail on that, not on an attribute of None.

        The first Celery logs and goes on, of the second its worker ends.
        """
        if self.connection is None or self.connection.client is None:
            raise redis.ConnectionError("the connection that the message came by was closed")
        params = super()._connparams(asynchronous)
        return {**params, "connection_class": _heeding(params["connection_class"])}

    def _brpop_read(self, **options: Any) -> bool:
        """As kombu's, but a message that is none is set aside."""
        try:
            try:
                taken = self.client.parse_response(self.client.connection, "BRPOP", **options)
            except self.connection_errors:
                self.client.connection.disconnect()
                raise
            if not taken:
                raise Empty
            place, item = taken
            queue = bytes_to_str(place).rsplit(self.sep, 1)[0]
            self._queue_cycle.rotate(queue)
            try:
                self.connection._deliver(parsed(item), queue)
            except (MalformedMessageError, RecursionError) as error:
                self.set_aside(hashlib.sha1(item, usedforsecurity=False).hexdigest(), queue, item, error)
            return True
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _receive_one(self, subscriber: Any) -> Any:
        """A broadcast (remote control, events) that is malformed is dropped: it is no job, and every worker got it."""
        try:
            return super()._receive_one(subscriber)
        except Empty:  # no JSON, as kombu has logged; there may be a further one
            return None
        except RecursionError as error:
            return self._drop(error)

    def _deliver_fanout_message(self, message: Any, exchange: Any) -> Any:
        try:
            return super()._deliver_fanout_message(message, exchange)
        except BAD_DATA as error:
            return self._drop(error)

    def _drop(self, error: Exception) -> None:
        logger.warning("A broadcast message that can't be used was dropped: %s", flaw_of(error))

    def check_unacked(self, text: bytes) -> None:
        """Hold an entry of kombu's `unacked` to what it takes to restore it: the message, and where it came from.

        Raises:
            MalformedMessageError: what is wrong.
        """
        entry = parsed(text)
        if not isinstance(entry, list) or len(entry) != 3:
            raise flaw("it is no entry of an unacknowledged message", "확인되지 않은 메시지의 항목이 아닙니다")
        payload, exchange, key = entry
        check_envelope(payload)
        if not name_a_queue(exchange, key) or not self._lookup(exchange, key):
            raise flaw(
                f"no queue is bound to exchange {exchange!r} with key {key!r}, where it came from",
                f"원래의 exchange {exchange!r}, 키 {key!r}에 연결된 큐가 없습니다",
            )


class SentinelChannel(Channel, stock.SentinelChannel):
    """Of a server behind sentinels."""


class Transport(stock.Transport):
    """redis://, rediss:// and redis+socket://"""

    Channel = Channel


class SentinelTransport(stock.SentinelTransport):
    """sentinel://"""

    Channel = SentinelChannel


_GUARDED = {stock.Transport: Transport, stock.SentinelTransport: SentinelTransport}


class TaskConsumer(kombu.Consumer):
    """What the app's workers take their tasks with."""

    def _receive_callback(self, message: Any) -> Any:
        if not isinstance(message.channel, Channel):
            return super()._receive_callback(message)
        message.accept = self.accept
        try:
            check_task(message)
            return super()._receive_callback(message)
        except BAD_DATA as error:
            if not isinstance(error, MalformedMessageError):
                logger.exception("Celery's worker fails on a message.")
            told = signals.task_rejected.send(sender=self, message=message, exc=error)
            if not any(is_a_run is True for _, is_a_run in told):  # a run's message is kept with the run
                queue = message.delivery_info["routing_key"] or message.delivery_info["exchange"]
                message.channel.set_aside(str(message.delivery_tag), queue, dumps(message._raw), error)
            if not message.acknowledged:
                message.ack()
