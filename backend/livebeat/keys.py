"""Every Redis key of the engine and of RedBeat, built here and nowhere else (docs/redis-keys.md lists them).

The engine's prefix is `livebeat:`, or `livebeat:<theirs>` where RedBeat's prefix isn't the default, so that two
apps on one Redis never meet.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from livebeat.errors import NameRefusedError

DEFAULT_REDBEAT_PREFIX = "redbeat:"
#: Of every key of the engine, whichever app's.
ENGINE_PREFIX = "livebeat:"
#: Of what the leader lock holds while a beat of ours leads: `livebeat:<host>:<pid>:<id>:<term>`.
TOKEN_PREFIX = "livebeat:"  # noqa: S105  not a secret: the name under which a beat leads
#: What kombu keeps on a Redis broker, beside the queues themselves.
_KOMBU_PREFIXES = ("unacked", "_kombu.", "celeryev", "celery.pidbox", "/")
_ZERO_WIDTH_JOINER = "\u200d"  # joins emoji; unprintable to Python, visible to people
NAME_LENGTH = 200


@dataclass(frozen=True)
class Keys:
    """The keys of one app. `redbeat_prefix`, `lock` as RedBeat resolves them; `queues` = the broker lists in use."""

    redbeat_prefix: str = DEFAULT_REDBEAT_PREFIX
    lock: str = DEFAULT_REDBEAT_PREFIX + ":lock"
    queues: frozenset[str] = frozenset()

    @property
    def prefix(self) -> str:
        """The engine's own prefix."""
        theirs = "" if self.redbeat_prefix == DEFAULT_REDBEAT_PREFIX else self.redbeat_prefix
        return f"{ENGINE_PREFIX}{theirs}"

    @property
    def schedule(self) -> str:
        """RedBeat's index: member = entry key, score = next due."""
        return f"{self.redbeat_prefix}:schedule"

    @property
    def statics(self) -> str:
        """RedBeat's set of names that came from `beat_schedule`."""
        return f"{self.redbeat_prefix}:statics"

    @property
    def events(self) -> str:
        """Stream of every change and every run event."""
        return f"{self.prefix}events"

    @property
    def wake(self) -> str:
        """Channel on which a changed schedule wakes the beats."""
        return f"{self.prefix}wake"

    @property
    def ledger(self) -> str:
        """Messages not yet finished, by the time of their next check."""
        return f"{self.prefix}ledger"

    @property
    def unique(self) -> str:
        """Hash: `unique=` key → id of the run that holds it."""
        return f"{self.prefix}unique"

    @property
    def seed(self) -> str:
        """Hash: the entries of the seed file as last applied."""
        return f"{self.prefix}seed"

    @property
    def static_definitions(self) -> str:
        """Hash: `beat_schedule` entries as last applied."""
        return f"{self.prefix}statics"

    @property
    def beats(self) -> str:
        """Hash: beat → its last heartbeat and role."""
        return f"{self.prefix}beats"

    @property
    def workers(self) -> str:
        """Hash: installed worker → its last heartbeat, with its queues and the runs that it holds."""
        return f"{self.prefix}workers"

    @property
    def plain(self) -> str:
        """Hash: queue → JSON list of the workers without `livebeat.install` that consume it now."""
        return f"{self.prefix}plain"

    @property
    def plain_until(self) -> str:
        """Hash: queue → Redis' time when such a worker was last seen there."""
        return f"{self.prefix}plain-until"

    @property
    def dead(self) -> str:
        """Hash: schedule → why it was set aside, and when."""
        return f"{self.prefix}dead"

    @property
    def dead_messages(self) -> str:
        """Hash: id → JSON `{at, reason, queue, text, kind}` of what was given up; kind = `run` or `message`."""
        return f"{self.prefix}dead-messages"

    @property
    def no_lock(self) -> str:
        """What lay in the lock's place and was no lock, such as a schedule that stock saved under that name."""
        return f"{self.prefix}no-lock"

    @property
    def hand_over(self) -> str:
        """The token of the leader that was asked to hand over."""
        return f"{self.prefix}hand-over"

    @property
    def mark(self) -> str:
        """Redis' time at the newest dispatch: a clock that falls below it has stepped back."""
        return f"{self.prefix}mark"

    def run(self, run_id: str) -> str:
        """Ledger entry of one run."""
        return f"{self.prefix}run:{run_id}"

    def children(self, run_id: str) -> str:
        """Hash: what is open and what ended of a run's children, and what waits for them."""
        return f"{self.prefix}children:{run_id}"

    @property
    def backfills(self) -> str:
        """Hash: id of a backfill → its record."""
        return f"{self.prefix}backfills"

    @property
    def running(self) -> str:
        """Which runs of which schedule are in the ledger: members `<schedule>\\n<run id>`, by name."""
        return f"{self.prefix}running"

    @property
    def failures(self) -> str:
        """Hash: schedule → its failed and lost runs in a row, where it has `pause_after_failures`."""
        return f"{self.prefix}failures"

    @property
    def to_pause(self) -> str:
        """Set: schedules that failed so often that the leader is to pause them."""
        return f"{self.prefix}to-pause"

    def entry(self, name: str) -> str:
        """RedBeat's hash of a schedule.

        Raises:
            NameRefusedError: the name can't be a schedule's.
        """
        if not 1 <= len(name) <= NAME_LENGTH:
            raise NameRefusedError(
                "name",
                f"must have 1 to {NAME_LENGTH} characters; it has {len(name)}",
                f"1자 이상 {NAME_LENGTH}자 이하여야 합니다 (현재 {len(name)}자)",
            )
        if not name.replace(_ZERO_WIDTH_JOINER, "").isprintable():
            raise NameRefusedError(
                "name",
                f"{name!r} holds a character that can't be printed (a line break, a tab, a control character)",
                f"{name!r}: 출력할 수 없는 문자(줄바꿈, 탭, 제어 문자)가 들어 있습니다",
            )
        key = self.redbeat_prefix + name
        if self._is_taken(key):
            raise NameRefusedError(
                "name",
                f"{name!r} would land on the Redis key {key!r}, which is not a schedule; choose another name",
                f"{name!r}: Redis 키 {key!r}와 겹칩니다. 다른 이름을 사용하세요",
            )
        return key

    def may_be_queue(self, name: str) -> bool:
        """Whether messages may be pushed onto a list of this name: a key of RedBeat's, ours or kombu's is no queue."""
        if name in {self.schedule, self.statics, self.lock}:
            return False
        if name in self.queues:
            return True
        is_theirs = bool(self.redbeat_prefix) and name.startswith(self.redbeat_prefix)
        return name.isprintable() and not is_theirs and not self._is_taken(name)

    def check(self, entry_key: str) -> None:
        """Refuse an index member that can't be a schedule's, but that stock's code, or a script, put there.

        Raises:
            NameRefusedError: why.
        """
        name = self.name(entry_key)
        if entry_key in (self.schedule, self.statics, self.lock) or len(name) > NAME_LENGTH or not name.isprintable():
            self.entry(name)

    def name(self, entry_key: str) -> str:
        """The schedule's name behind an entry key; what is no text in it is written out."""
        name = entry_key.removeprefix(self.redbeat_prefix)
        return name if name.isascii() else name.encode(errors="backslashreplace").decode()

    def _is_taken(self, key: str) -> bool:
        return (
            key in {self.schedule, self.statics, self.lock}
            or key in self.queues
            or key.startswith((self.prefix, ENGINE_PREFIX))
            or key.startswith(_KOMBU_PREFIXES)
            or key.endswith(".pidbox")
        )


def keys_for(redbeat_prefix: str, lock: str | None, queues: Iterable[str]) -> Keys:
    """The keys of an app, from RedBeat's resolved settings."""
    return Keys(redbeat_prefix, lock or f"{redbeat_prefix}:lock", frozenset(queues))
