"""Who consumes the app's queues: workers that called `livebeat.install`, or plain ones, which never end a ledger entry.

The leader asks all workers every ten seconds, from a thread of its own, and writes down per queue who is plain. While
one is there, messages of that queue don't go through the ledger, and none is pushed again onto it.
"""

import json
import logging
import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

import redis

from livebeat import clock
from livebeat.connection import Link
from livebeat.delivery.workers import KEPT, Worker, workers
from livebeat.delivery.workers import PERIOD as HEARTBEAT_PERIOD
from livebeat.events import HARD_CAP

logger = logging.getLogger(__name__)

#: Seconds between two checks.
PERIOD = 10.0
#: Seconds of silence after which no further answer is waited for.
_REPLIES = 1.0
#: Seconds in which a worker that answers, and is installed, has written its heartbeat.
_HEARTBEAT = HEARTBEAT_PERIOD + 0.5
#: Checks without it after which a plain worker counts as gone: one that is busy may miss an answer.
MISSES = 3
#: Seconds for which it is remembered when a plain worker was last seen; longer than any entry waits for its check.
REMEMBERED = 86_400
_ATTRIBUTE = "_livebeat_plain"


class PlainQueues:
    """The queues that plain workers consume, as this process last read them.

    Scripts compare `text` with what holds when they push, and do nothing where it is another: so nothing has to be read
    before each message.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self.names: frozenset[str] = frozenset()
        self._until: dict[str, str] = {}

    @property
    def text(self) -> str:
        """As the scripts write it: see `plain.lua`."""
        return "\n".join(sorted(self.names))

    def holds(self, list_: str) -> bool:
        """Whether the queue behind a list is one of them."""
        return bool(self.names) and self._link.queue_of(list_) in self.names

    def last_seen(self, list_: str) -> float:
        """Redis' time (seconds) when a plain worker was last seen on the queue behind a list; 0 where none was."""
        return float(self._until.get(self._link.queue_of(list_), 0)) if self._until else 0.0

    def read(self) -> None:
        """Read them anew.

        Raises:
            redis.RedisError: Redis doesn't answer.
        """
        keys, client = self._link.keys, self._link.client
        try:
            self.names = frozenset(cast("list[str]", client.hkeys(keys.plain)))
            self._until = cast("dict[str, str]", client.hgetall(keys.plain_until))
        except redis.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            self.names, self._until = frozenset(), {}  # as the scripts take a key that holds no hash


def known_plain(link: Link) -> PlainQueues:
    """This process's own for the link's app, made once."""
    known: PlainQueues | None = getattr(link.app, _ATTRIBUTE, None)
    if known is None:
        known = PlainQueues(link)
        setattr(link.app, _ATTRIBUTE, known)
    return known


def own_queues(link: Link, installed: Iterable[Worker]) -> set[str]:
    """The queues that this app declares or its installed workers consume; its broker may serve other apps too."""
    return {*link.keys.queues, *(queue for worker in installed for queue in worker.queues)}


def plain_workers(link: Link) -> dict[str, list[str]]:
    """The plain workers of each queue that has some.

    Raises:
        redis.RedisError: Redis doesn't answer.
    """
    found = cast("dict[str, str]", link.client.hgetall(link.keys.plain))
    return {queue: _names(text) for queue, text in found.items()}


def _names(text: str) -> list[str]:
    try:
        names = json.loads(text)
    except ValueError:
        return [text]
    return [str(name) for name in names] if isinstance(names, list) else [text]


class Consumers:
    """The leader's view of who consumes."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._token: str | None = None
        self._misses: Counter[tuple[str, str]] = Counter()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        #: Redis' time (seconds) when the last check began that came to an end.
        self.checked_at = 0.0
        #: Why the last check failed; '' where it didn't.
        self.problem = ""

    def watch(self, token: str | None) -> None:
        """Check from now on, as the leader with this token; None: somebody else leads. Returns at once."""
        if token == self._token:
            return
        self._token = token
        self._wake.set()
        if token is not None and self._thread is None:
            self._thread = threading.Thread(target=self._go_on, name="livebeat-consumers", daemon=True)
            self._thread.start()

    def _go_on(self) -> None:
        while True:
            self._wake.clear()
            if (token := self._token) is not None:
                self._try(token)
            self._wake.wait(PERIOD)

    def _try(self, token: str) -> None:
        try:
            self.check(token)
        except Exception as error:  # whatever it is, the next check may do
            if not self.problem:
                logger.warning("Workers could not be asked which queues they consume, trying again: %s", error)
            self.problem = str(error) or type(error).__name__
        else:
            self.problem = ""

    def check(self, token: str) -> None:
        """Ask all workers, and write down what came of it, if `token` still leads. Takes a second or more.

        Raises:
            redis.RedisError, kombu.exceptions.OperationalError: the broker or the store doesn't answer.
        """
        began = clock.to_epoch(self._link.now())
        answers = self._ask()
        installed = workers(self._link)
        if answers.keys() - {worker.name for worker in installed}:
            threading.Event().wait(_HEARTBEAT)  # after a restart of Redis one may answer before its heartbeat is there
            installed += workers(self._link)
        plain = self._judge(answers, {worker.name for worker in installed})
        arguments: list[Any] = [token, KEPT, REMEMBERED, HARD_CAP]
        for queue, names in sorted(plain.items()):
            arguments += [queue, json.dumps(sorted(names))]
        keys = self._link.keys
        places = [keys.lock, keys.plain, keys.plain_until, keys.workers, keys.events]
        outcome, *changes = self._link.script("judge", places, arguments)
        if outcome == "ok":
            self.checked_at = began
            own = own_queues(self._link, installed)
            for queue, names_ in zip(changes[::2], changes[1::2], strict=True):
                if queue in own:
                    _tell(queue, _names(names_))

    def _ask(self) -> dict[str, set[str]]:
        """Worker → the queues that it says it consumes; those that gave no proper answer are left out."""
        with self._link.app.connection_for_write() as connection:
            mailbox = self._link.app.control.mailbox(connection)
            mailbox.producer_pool = None  # the tick takes connections from that pool
            replies = mailbox.multi_call("active_queues", timeout=_REPLIES)
        return {
            worker: {str(queue["name"]) for queue in queues if isinstance(queue, dict) and "name" in queue}
            for reply in replies or ()
            for worker, queues in reply.items()
            if isinstance(queues, list)
        }

    def _judge(self, answers: dict[str, set[str]], installed: set[str]) -> dict[str, set[str]]:
        """The plain workers of each queue: those that answered, and those of before that missed a check or two."""
        plain: dict[str, set[str]] = {}
        for worker, queues in answers.items():
            for queue in queues if worker not in installed else ():
                plain.setdefault(queue, set()).add(worker)
        before = {(queue, worker) for queue, names in plain_workers(self._link).items() for worker in names}
        for queue, worker in before:
            if worker in plain.get(queue, ()) or worker in installed or worker in answers:
                del self._misses[queue, worker]
                continue
            self._misses[queue, worker] += 1
            if self._misses[queue, worker] < MISSES:
                plain.setdefault(queue, set()).add(worker)
        self._misses = Counter({one: count for one, count in self._misses.items() if one in before})
        return plain


def _tell(queue: str, names: list[str]) -> None:
    if names:
        logger.error(
            "Queue %r is consumed by worker(s) without livebeat.install: %s. Until they are gone its messages don't go "
            "through the ledger: a run that is lost with its worker is not repeated. Stop them, or start them with the app "
            "that calls livebeat.install.",
            queue,
            ", ".join(names),
        )
    else:
        logger.info(
            "Queue %r is consumed by workers with livebeat.install alone; its messages are in the ledger.", queue
        )
