"""What must come of a history: the rules of the merge said once more, over plain values, without Redis or scripts.

A definition is a dict of the fields below; a file is a dict of name → definition, in its order.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

Definition = dict[str, Any]
#: Each of these goes as one; `rule` and `start` go together.
GROUPS = (
    ("rule", "start"),
    ("task",),
    ("args",),
    ("kwargs",),
    ("options",),
    ("catchup",),
    ("labels",),
    ("description",),
)
EARLIER = 20


@dataclass(frozen=True)
class File:
    """A host's copy. `entries` is None where it can't be used."""

    text: str
    mtime: float
    host: str
    entries: dict[str, Definition] | None


@dataclass
class Mark:
    """Which copy came last."""

    file: File
    done: bool
    earlier: list[str]


@dataclass
class Model:
    """The state of the world. `told`: (name, field) of live values that an event said were overwritten."""

    policy: str = "merge"
    live: dict[str, Definition] = field(default_factory=dict)
    applied: dict[str, Definition] = field(default_factory=dict)
    mark: Mark | None = None
    problem: str = ""
    told: list[tuple[str, str]] = field(default_factory=list)

    def look(self, file: File, *, first: bool) -> Iterator[None]:
        """A leader looks at its copy; yields after each step that is written."""
        again = first and self.policy == "overwrite"
        is_applied = self.mark is not None and self.mark.done and self.mark.file.text == file.text
        if file.entries is None:
            why = "unusable"
        elif self._is_stale(file):
            why = "stale"
        else:
            why = "" if is_applied else self._refusal(file)
        if not why and (again or not is_applied):
            overtaken = yield from self._apply(file)
            if overtaken:
                return
        self.problem = why

    def order(self, file: File, *, forced: bool) -> Iterator[None]:
        """A person applies a file: like a leader, but no copy is stale."""
        if file.entries is not None and (forced or not self._refusal(file)):
            yield from self._apply(file)

    def _refusal(self, file: File) -> str:
        gone = [name for name in self.applied if name not in (file.entries or {})]
        return "too much gone" if len(gone) > len(self.applied) / 2 else ""

    def _is_stale(self, file: File) -> bool:
        if self.mark is None or self.mark.file.text == file.text or self.mark.file.host == file.host:
            return False
        return file.mtime < self.mark.file.mtime or file.text in self.mark.earlier

    def _apply(self, file: File) -> Iterator[None]:
        mine = self._begin(file)
        yield
        entries = file.entries or {}
        for name in [*entries, *sorted(set(self.applied) - set(entries))]:
            wanted, before = entries.get(name), self.applied.get(name)
            was = deepcopy(self.live.get(name))
            if self.mark is not mine:
                return True
            if wanted is None:
                self._drop(name, before)
            else:
                self._bring(name, wanted, before)
            if wanted != before or was != self.live.get(name):
                yield
        if self.mark is not mine:
            return True
        mine.done = True
        yield
        return False

    def _begin(self, file: File) -> Mark:
        hashes = [] if self.mark is None else [self.mark.file.text, *self.mark.earlier]
        self.mark = Mark(file, done=False, earlier=[text for text in hashes if text != file.text][:EARLIER])
        return self.mark

    def _drop(self, name: str, before: Definition | None) -> None:
        live = self.live.get(name)
        if live is not None and before is not None and self._removes(live, before):
            del self.live[name]
        self.applied.pop(name, None)

    def _removes(self, live: Definition, before: Definition) -> bool:
        if self.policy == "create_only":
            return False
        return self.policy == "overwrite" or all(live[one] == before[one] for group in GROUPS for one in group)

    def _bring(self, name: str, wanted: Definition, before: Definition | None) -> None:
        live = self.live.get(name)
        self.applied[name] = deepcopy(wanted)
        if live is None:
            is_changed = before is None or (wanted != before and self.policy == "merge")
            if is_changed or self.policy == "overwrite":
                self.live[name] = deepcopy(wanted)
            return
        if self.policy == "create_only" or (before is None and self.policy == "merge"):
            return
        for group in GROUPS:
            if self.policy == "merge" and before is not None and all(wanted[one] == before[one] for one in group):
                continue
            for one in group:
                if live[one] != wanted[one] and (before is None or live[one] != before[one]):
                    self.told.append((name, one))
                live[one] = deepcopy(wanted[one])
        if self.policy == "overwrite" and live["enabled"] != wanted["enabled"]:
            self.told.append((name, "enabled"))
            live["enabled"] = wanted["enabled"]
