"""A plan of what applying the file would do to the schedules, and the plan carried out.

Both decide by `merging` alone. Each entry is one step of its own (`memory`), read and decided again where somebody was
faster. So nothing that is edited meanwhile is lost, and to apply a file again after a kill brings about the same.
"""

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from livebeat.cadence import changed
from livebeat.connection import Link
from livebeat.delivery import admit
from livebeat.entry import FIELDS, Raw, StoredSchedule, decode
from livebeat.errors import (
    RevisionConflictError,
    ScheduleNotFoundError,
    SeedEntryError,
    SeedFileError,
    SpecError,
)
from livebeat.events import encode
from livebeat.rules import Recurrence
from livebeat.seedfile.memory import Base, Copy, LostError, Memory, SeedStore, Step
from livebeat.seedfile.merging import Merged, SeedPolicy, is_changed, merge
from livebeat.seedfile.parsing import check_admissible, parse, unusable
from livebeat.spec import ScheduleSpec

#: Rounds of read, decide, write before an entry is given up against others that keep winning.
_ROUNDS = 20
_READ_AT_ONCE = 1_000


@dataclass(frozen=True)
class SeedFile:
    """A file as it was read. `modified_at`: epoch seconds."""

    path: Path
    text: str
    modified_at: float = 0.0

    @classmethod
    def read(cls, path: Path) -> "SeedFile":
        """The file that lies there.

        Raises:
            SeedFileError: it can't be read.
        """
        try:
            modified_at = path.stat().st_mtime  # first: what is written meanwhile is newer than what was read
            return cls(path, path.read_text(encoding="utf-8"), modified_at)
        except (OSError, UnicodeDecodeError) as error:
            raise SeedFileError(
                path=path, reason_en=f"can't be read: {error}.", reason_ko=f"읽을 수 없습니다: {error}."
            ) from None

    @property
    def copy(self) -> Copy:
        """Whose copy of which text it is."""
        return Copy.of(self.text, self.modified_at, socket.gethostname(), str(self.path.absolute()))


@dataclass(frozen=True)
class Planned:
    """One name, and what is to happen to it, or happened. `next_at`: its next slot, where it is created or changed."""

    name: str
    merged: Merged
    next_at: datetime | None = None


@dataclass(frozen=True)
class Plan:
    """What applying a file does: first what it names, in its order, then what it named once."""

    steps: tuple[Planned, ...]
    policy: SeedPolicy

    @property
    def changes(self) -> list[Planned]:
        """The steps that change a schedule."""
        return [step for step in self.steps if step.merged.writes]

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        steps = [
            {"name": one.name, "action": one.merged.action, "next": _value(one.next_at), "fields": _fields(one.merged)}
            for one in self.steps
        ]
        return {"policy": self.policy, "changes": len(self.changes), "schedules": steps}


def plan(link: Link, file: SeedFile, policy: SeedPolicy = "merge", *, force: bool = False) -> Plan:
    """What applying the file would do. Only reads.

    Raises:
        SeedFileError: it can't be applied: an entry can't be used; or more than half of what was applied is gone from it,
            and `force` doesn't say that this is meant.
    """
    return _plan(link, file, _entries(link, file, Memory(link), force=force), policy)


def apply(
    link: Link,
    file: SeedFile,
    policy: SeedPolicy = "merge",
    *,
    force: bool = False,
    by: str = "",
    origin: str = "file",
    memory: Memory | None = None,
) -> Plan:
    """Apply the file; returns what was done.

    `by`: who did it; where nobody is named, the file. `memory`: what the caller decided upon; it may not have changed.

    Raises:
        SeedFileError: it can't be applied and nothing was changed; or all was but an entry that can't be, as it says.
        OvertakenError: somebody began to apply another file, or applied this one; the rest was left to them.
    """
    memory = memory or Memory(link)
    entries = _entries(link, file, memory, force=force)
    _plan(link, file, entries, policy)
    memory.begin(file.copy)
    writing = _Writing(link, memory, policy, by or file.path.name, origin)
    done, refused = [], []
    for entry in entries:
        try:
            done.append(writing.write(entry))
        except SpecError as error:
            refused.append(unusable(file.text, file.path, entry.name, error, SeedEntryError))
    if refused:
        raise refused[0]
    memory.end()
    return Plan(tuple(done), policy)


def specs_of(link: Link, file: SeedFile) -> dict[str, ScheduleSpec]:
    """Every entry of the file by name.

    Raises:
        SeedFileError: the file, or one of its entries, can't be used by this app.
    """
    specs = parse(file.text, file.path)
    check_admissible(link.app, specs.values(), file.text, file.path)
    return specs


@dataclass(frozen=True)
class _Entry:
    """One name: what the file says, what was last applied, what lies in Redis; `live` is None where that is no schedule."""

    name: str
    file: ScheduleSpec | None
    base: Base
    raw: Raw
    live: StoredSchedule | None

    def merged(self, policy: SeedPolicy, zone: str) -> Merged:
        """What is to happen to it."""
        if self.raw.definition and self.live is None:
            return self._mended(policy, zone)
        return merge(self.file, self.base.spec, self.live.spec if self.live else None, policy, zone)

    def _mended(self, policy: SeedPolicy, zone: str) -> Merged:
        """What lies there can't be understood, so it can't be merged: the file replaces it whole, or leaves it."""
        if self.file is None:
            return Merged("kept")
        again = policy == "merge" and self.base.text != "" and is_changed(self.file, self.base.spec, zone)
        return Merged("change", self.file) if again or policy == "overwrite" else Merged("unread")

    @property
    def text(self) -> str:
        """What is to be remembered of it."""
        return json.dumps(self.file.to_json(), ensure_ascii=False) if self.file else ""


@dataclass(frozen=True)
class _Writing:
    """Carries out the steps."""

    link: Link
    memory: Memory
    policy: SeedPolicy
    by: str
    origin: str

    def write(self, entry: _Entry) -> Planned:
        """Bring one entry in; returns what was done. Raises as `apply`."""
        for _ in range(_ROUNDS):
            merged = entry.merged(self.policy, self.link.zone)
            try:
                written = self._write(entry, merged)
            except (LostError, ScheduleNotFoundError):
                raw, live = _read(self.link, [entry.name])[0]
                entry = replace(entry, base=self.memory.base(entry.name), raw=raw, live=live)
            else:
                return Planned(entry.name, merged, written.next_at if written else None)
        raise RevisionConflictError(name=entry.name, actual="?", expected=None)

    def _write(self, entry: _Entry, merged: Merged) -> StoredSchedule | None:
        step = Step(entry.name, entry.base, entry.raw, entry.text, self._overwritten(entry.name, merged))
        store = SeedStore(self.link, self.memory, step)
        if merged.spec is not None:
            return store.put(merged.spec, by=self.by, origin=self.origin)
        if merged.action == "remove":
            store.delete(entry.name, by=self.by, origin=self.origin)
        elif entry.file is None or is_changed(entry.file, entry.base.spec, self.link.zone):
            self.memory.remember(step)
        return None

    def _overwritten(self, name: str, merged: Merged) -> str:
        """The data of an event about what was edited live and is as the file says now; '' where nothing is."""
        lost = {
            one["field"]: {"live": one["live"], "file": one["file"]} for one in _fields(merged) if one["overwritten"]
        }
        return encode({"name": name, "by": self.by, "origin": self.origin, "fields": lost}) if lost else ""


def _entries(link: Link, file: SeedFile, memory: Memory, *, force: bool) -> list[_Entry]:
    specs, bases = specs_of(link, file), memory.bases
    if not force:
        _refuse_mass_removal(file.path, bases, specs)
    names = [*specs, *sorted(bases.keys() - specs.keys())]
    return [
        _Entry(name, specs.get(name), bases.get(name, Base()), raw, live)
        for name, (raw, live) in zip(names, _read(link, names), strict=True)
    ]


def _plan(link: Link, file: SeedFile, entries: Sequence[_Entry], policy: SeedPolicy) -> Plan:
    """What would be written, tried without writing it."""
    steps, now = [], link.now()
    for entry in entries:
        merged, next_at = entry.merged(policy, link.zone), None
        if merged.spec is not None:
            try:
                admit(link.app, merged.spec)
                tried = changed(merged.spec, entry.live, by="", origin="", zone=link.zone, now=now)
            except SpecError as error:
                raise unusable(file.text, file.path, entry.name, error) from None
            next_at = tried.next_at
        steps.append(Planned(entry.name, merged, next_at))
    return Plan(tuple(steps), policy)


def _refuse_mass_removal(path: Path, bases: Mapping[str, Base], specs: Mapping[str, ScheduleSpec]) -> None:
    gone = bases.keys() - specs.keys()
    if len(gone) * 2 > len(bases):
        raise SeedFileError(
            path=path,
            reason_en=f"{len(gone)} of {len(bases)} schedules are missing from it, more than half. If that is meant, apply "
            "it with livebeat apply --force.",
            reason_ko=f"스케줄 {len(bases)}개 중 절반이 넘는 {len(gone)}개가 없습니다. 의도한 것이라면 livebeat apply --force로 "
            "적용하세요.",
        )


def _read(link: Link, names: Sequence[str]) -> list[tuple[Raw, StoredSchedule | None]]:
    """What lies in Redis under each name, and the schedule that it is."""
    found: list[tuple[Raw, StoredSchedule | None]] = []
    for first in range(0, len(names), _READ_AT_ONCE):
        page = names[first : first + _READ_AT_ONCE]
        pipeline = link.client.pipeline(transaction=False)
        for name in page:
            pipeline.hmget(link.keys.entry(name), list(FIELDS))
        for name, values in zip(page, cast("list[list[str | None]]", pipeline.execute()), strict=True):
            raw = Raw(*(value or "" for value in values))
            found.append((raw, _understood(link, name, raw)))
    return found


def _understood(link: Link, name: str, raw: Raw) -> StoredSchedule | None:
    try:
        return decode(name, raw, link.zone) if raw.definition else None
    except SpecError:
        return None


def _fields(merged: Merged) -> list[dict[str, Any]]:
    return [
        {
            "field": one.field,
            "file": _value(one.file),
            "live": _value(one.live),
            "wins": one.wins,
            "overwritten": one.wins == "file" and one.edited,
        }
        for one in merged.differences
    ]


def _value(value: Any) -> Any:
    if isinstance(value, Recurrence):
        return value.to_json()
    return value.isoformat() if hasattr(value, "isoformat") else value
