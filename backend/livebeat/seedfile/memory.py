"""What is remembered of the seed file: each entry as last applied, and whose copy of the file that was.

Every step of applying a file is one script: the schedule, what is remembered of its entry, and its events, or nothing.
So a kill between two steps loses nothing, and of two leaders at once the one that began last goes on.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, cast

from livebeat.connection import Link
from livebeat.entry import Raw, digest
from livebeat.errors import LivebeatError, SpecError
from livebeat.events import HARD_CAP
from livebeat.spec import ScheduleSpec
from livebeat.store import ScheduleStore

_FILE = "#file"
_PROBLEM = "#problem"
#: Earlier files that are remembered.
_EARLIER = 20


class OvertakenError(Exception):
    """Another file, or another copy, is being applied by somebody else; this one is left where it stands."""


class LostError(Exception):
    """The schedule, or what is remembered of it, isn't what was read any more: read again and decide again."""


@dataclass(frozen=True)
class Copy:
    """A file on a host: its text's hash, when it was modified (epoch seconds), where it lies."""

    hash: str = ""
    mtime: float = 0.0
    host: str = ""
    path: str = ""

    @classmethod
    def of(cls, text: str, mtime: float, host: str, path: str) -> "Copy":
        """The copy of this text."""
        return cls(hashlib.sha256(text.encode()).hexdigest(), mtime, host, path)


@dataclass(frozen=True)
class Mark:
    """Which copy was applied last, or is being applied (not `done`), and the hashes of those before, newest first."""

    copy: Copy = field(default_factory=Copy)
    done: bool = True
    earlier: tuple[str, ...] = ()

    def is_stale(self, copy: Copy) -> bool:
        """Whether `copy` lies elsewhere and is older than the one last applied, or was applied before it."""
        if copy.hash == self.copy.hash or (copy.host, copy.path) == (self.copy.host, self.copy.path):
            return False
        return copy.mtime < self.copy.mtime or copy.hash in self.earlier

    def followed_by(self, copy: Copy) -> "Mark":
        """The mark while `copy` is being applied."""
        hashes = [one for one in (self.copy.hash, *self.earlier) if one not in {"", copy.hash}]
        return Mark(copy, done=False, earlier=tuple(hashes[:_EARLIER]))

    def to_json(self) -> str:
        """Its text; `parse` gives an equal mark."""
        return json.dumps({**asdict(self.copy), "done": self.done, "earlier": self.earlier}, ensure_ascii=False)

    @classmethod
    def parse(cls, text: str) -> "Mark":
        """The mark of its text; what can't be read is none."""
        try:
            data = json.loads(text)
            copy = Copy(data.get("hash", ""), data.get("mtime", 0.0), data.get("host", ""), data.get("path", ""))
            return cls(copy, data.get("done", True), tuple(data.get("earlier", ())))
        except (ValueError, TypeError, AttributeError):
            return cls()


@dataclass(frozen=True)
class Base:
    """An entry as last applied: its text, '' where none was, and its definition, None where that can't be read."""

    text: str = ""

    @property
    def spec(self) -> ScheduleSpec | None:
        """The definition."""
        try:
            return ScheduleSpec.from_json(json.loads(self.text)) if self.text else None
        except (ValueError, TypeError, SpecError):
            return None


@dataclass
class Step:
    """One entry's step: what was read, what is to be remembered ('' = nothing), which live values are overwritten."""

    name: str
    base: Base
    raw: Raw
    text: str
    overwritten: str = ""


class Memory:
    """`livebeat:seed` of one app, as it is when this is made: the mark, and each entry that was applied by its name."""

    def __init__(self, link: Link) -> None:
        self._link, self._key = link, link.keys.seed
        found = cast("dict[str, str]", link.client.hgetall(self._key))
        #: The texts of the mark, as it is or as we set it, and of what kept the leader from applying its file.
        self.text, self.problem = found.pop(_FILE, ""), found.pop(_PROBLEM, "")
        self.mark = Mark.parse(self.text)
        self.bases = {_name(name): Base(text) for name, text in found.items()}
        #: How many entries are remembered, with what we did to them.
        self.remembered = len(self.bases)

    def base(self, name: str) -> Base:
        """One entry, as it is now."""
        return Base(cast("str | None", self._link.client.hget(self._key, _field(name))) or "")

    def tell(self, problem: LivebeatError | None) -> str:
        """Say what keeps the leader from applying its file, or that nothing does; returns the text of it."""
        if problem is None:
            self._link.client.hdel(self._key, _PROBLEM)
            return ""
        texts = {"en": printable(problem.text("en")), "ko": printable(problem.text("ko"))}
        text = json.dumps(texts, ensure_ascii=False)
        self._link.client.hset(self._key, _PROBLEM, text)
        return text

    def begin(self, copy: Copy) -> None:
        """From here on this copy is under way.

        Raises:
            OvertakenError: another was faster.
        """
        self._set_mark(self.mark.followed_by(copy))

    def end(self) -> None:
        """The copy is applied.

        Raises:
            OvertakenError: another began meanwhile.
        """
        self._set_mark(replace(self.mark, done=True))

    def _set_mark(self, mark: Mark) -> None:
        text = mark.to_json()
        self.run(_FILE, self.text, text)
        self.mark, self.text = mark, text

    def run(
        self,
        field_: str,
        before: str,
        after: str,
        *,
        change: str = "",
        overwritten: str = "",
        keys: Sequence[str | bytes] = (),
        arguments: Sequence[Any] = (),
    ) -> None:
        """The script: a field of ours, and a schedule with it.

        Raises:
            LostError, OvertakenError: nothing was changed.
        """
        own_keys = [self._key, self._link.keys.events]
        own = [_digest(self.text), field_, _digest(before), after, change, HARD_CAP, overwritten]
        answer = self._link.script("seed", [*own_keys, *keys], [*own, *arguments])
        if answer == -1:
            raise OvertakenError
        if answer == 0:
            raise LostError
        if field_ != _FILE:
            self.remembered += bool(after) - bool(before)

    def remember(self, step: Step) -> None:
        """An entry whose schedule stays as it is.

        Raises:
            LostError, OvertakenError: nothing was changed.
        """
        self.run(
            _field(step.name), step.base.text, step.text,
            change="leave", keys=[self._link.keys.entry(step.name)], arguments=step.raw.digests,
        )  # fmt: skip


class SeedStore(ScheduleStore):
    """Puts and deletes as its base does, and remembers the entry of the file in the same script.

    Where the schedule isn't what the step was decided upon, or another file is under way, it raises LostError or
    OvertakenError and changes nothing.
    """

    def __init__(self, link: Link, memory: Memory, step: Step) -> None:
        super().__init__(link.app)
        self._remembering = _RememberingLink(link.app, link.client, memory, step)

    @property
    def _link(self) -> Link:
        return self._remembering


@dataclass(frozen=True)
class _RememberingLink(Link):
    memory: Memory
    step: Step

    def script(self, name: str, keys: Sequence[str | bytes], args: Sequence[Any]) -> Any:
        if name not in {"put", "delete"}:
            return super().script(name, keys, args)
        step = self.step
        if list(args[:3]) != step.raw.digests:
            raise LostError
        self.memory.run(
            _field(step.name), step.base.text, step.text,
            change=name, overwritten=step.overwritten, keys=keys, arguments=args,
        )  # fmt: skip
        return 1


def news(link: Link) -> tuple[str, str, int]:
    """The texts of the mark and of the problem, and how many entries are remembered: whatever another leader or a person
    did shows here, also where it broke off half way."""
    pipeline = link.client.pipeline(transaction=False)
    pipeline.hmget(link.keys.seed, [_FILE, _PROBLEM])
    pipeline.hlen(link.keys.seed)
    (mark, problem), fields = pipeline.execute()
    return mark or "", problem or "", fields - (mark is not None) - (problem is not None)


def problem_of(link: Link) -> LivebeatError | None:
    """What keeps the leader from applying its file; None where nothing does."""
    text = news(link)[1]
    try:
        texts = json.loads(text) if text else {}
        return LivebeatError(reason_en=texts["en"], reason_ko=texts["ko"]) if texts else None
    except (ValueError, TypeError, KeyError):
        return LivebeatError(reason=text)


def printable(text: str) -> str:
    """The text with escapes for what can't be encoded."""
    return text.encode(errors="backslashreplace").decode()


def _digest(text: str) -> str:
    return digest(text) if text else ""


def _field(name: str) -> str:
    """The field of an entry: never one of ours."""
    return f"#{name}" if name.startswith("#") else name


def _name(field_: str) -> str:
    return field_[1:] if field_.startswith("##") else field_
