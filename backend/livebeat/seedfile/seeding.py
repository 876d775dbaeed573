"""Applies `schedules.json` to the store, at the leading beat's start and whenever the file changes.

What was last applied is remembered in Redis, so a change in the file can be told from a change made live:

- changed in the file → the file wins; changed only live → the live edit survives;
- deleted live and unchanged in the file → stays deleted; removed from the file and unedited live → removed;
- a pause is live state: the file decides it only for a schedule that it creates;
- unreadable, invalid, or more than half of it gone → nothing changes.

Schedules that never were in the file are never touched.
"""

import hashlib
import json
import logging
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from livebeat.connection import Link
from livebeat.delivery import admit
from livebeat.entry import StoredSchedule
from livebeat.errors import ScheduleNotFoundError, SeedFileError, SpecError
from livebeat.rules import Interval
from livebeat.seedfile.parsing import parse, unusable
from livebeat.spec import ScheduleSpec
from livebeat.store import ScheduleStore

logger = logging.getLogger(__name__)

SeedPolicy = Literal["merge", "overwrite", "create_only"]
_FILE = "#file"
_PROBLEM = "#problem"


@dataclass
class _Report:
    created: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


class Seeding:
    """One seed file for one app."""

    def __init__(self, link: Link, store: ScheduleStore, path: Path, policy: SeedPolicy = "merge") -> None:
        self._link, self._store, self._path, self._policy = link, store, path, policy
        self._seen: tuple[float, int] | None = None

    def apply_if_changed(self) -> None:
        """Apply the file if it is not the one that was looked at before. A broken file is logged, once."""
        try:
            status = self._path.stat()
            seen = (status.st_mtime, status.st_size)
        except OSError:
            seen = (0.0, -1)
        if seen == self._seen:
            return
        try:
            self.apply(again=self._seen is None and self._policy == "overwrite")
        except SeedFileError as error:
            problem = str(error).encode(errors="backslashreplace").decode()
            self._link.client.hset(self._link.keys.seed, _PROBLEM, problem)
            logger.error("%s", problem)  # noqa: TRY400  the sentence says it all
        self._seen = seen  # only now: where Redis was away in between, the next round tries again

    def apply(self, *, again: bool = False) -> None:
        """Apply the file; `again` even if it is the one last applied.

        Raises:
            SeedFileError: it can't be used; nothing was changed.
        """
        text, modified_at = read_text(self._path)
        specs = parse(text, self._path)
        self._refuse_inadmissible(specs)
        last = cast("dict[str, str]", self._link.client.hgetall(self._link.keys.seed))
        mark = {"hash": hashlib.sha256(text.encode()).hexdigest(), "mtime": modified_at}
        mark["host"] = socket.gethostname()
        before = json.loads(last.get(_FILE, "{}"))
        self._link.client.hdel(self._link.keys.seed, _PROBLEM)
        if before.get("hash") == mark["hash"] and not again:
            return
        if self._is_older_copy(before, mark):
            return
        bases = {name: json.loads(base) for name, base in last.items() if not name.startswith("#")}
        self._refuse_mass_removal(bases, specs)
        report = _Report()
        for name, spec in specs.items():
            self._apply_one(spec, bases.get(name), report)
        for name in bases.keys() - specs.keys():
            self._remove_one(name, bases[name], report)
        self._link.client.hset(self._link.keys.seed, _FILE, json.dumps(mark))
        logger.info(
            "Seeded from %s: %d created, %d changed, %d removed, %d left as edited live.",
            self._path,
            len(report.created),
            len(report.changed),
            len(report.removed),
            len(report.kept),
        )

    def differences(self) -> dict[str, str]:
        """Schedules that are not as the file says: name → `missing` (deleted live) or `edited`, pauses aside.

        Raises:
            SeedFileError: the file can't be used.
        """
        found = {}
        for name, spec in parse(read_text(self._path)[0], self._path).items():
            live = self._live(name)
            if live is None:
                found[name] = "missing"
            elif not is_as(live, spec, self._link):
                found[name] = "edited"
        return found

    def _refuse_inadmissible(self, specs: dict[str, ScheduleSpec]) -> None:
        for name, spec in specs.items():
            try:
                self._link.keys.entry(name)
                admit(self._link.app, spec)
            except SpecError as error:
                raise unusable(self._path, name, error) from None

    def _is_older_copy(self, before: dict[str, Any], mark: dict[str, Any]) -> bool:
        older = before.get("host") not in {None, mark["host"]} and mark["mtime"] < before.get("mtime", 0)
        if older:
            logger.warning(
                "%s is older than the copy last applied from %s; nothing was changed.", self._path, before["host"]
            )
        return bool(older)

    def _refuse_mass_removal(self, bases: dict[str, Any], specs: dict[str, ScheduleSpec]) -> None:
        gone = bases.keys() - specs.keys()
        if len(gone) * 2 > len(bases):
            raise SeedFileError(
                path=self._path,
                reason_en=f"{len(gone)} of {len(bases)} schedules are missing from it, more than half.",
                reason_ko=f"스케줄 {len(bases)}개 중 절반이 넘는 {len(gone)}개가 없습니다.",
            )

    def _live(self, name: str) -> StoredSchedule | None:
        try:
            return self._store.get(name)
        except (ScheduleNotFoundError, SpecError):
            return None

    def _apply_one(self, spec: ScheduleSpec, base: dict[str, Any] | None, report: _Report) -> None:
        live = self._live(spec.name)
        if live is not None and is_as(live, spec, self._link):
            self._remember(spec)
        elif self._file_wins(spec, base, live):
            enabled = live.spec.enabled if live is not None and self._policy == "merge" else spec.enabled
            self._store.put(spec.with_changes(enabled=enabled), by=self._path.name, origin="file")
            self._remember(spec)
            (report.created if live is None else report.changed).append(spec.name)
        else:
            self._remember(spec)
            report.kept.append(spec.name)

    def _file_wins(self, spec: ScheduleSpec, base: dict[str, Any] | None, live: StoredSchedule | None) -> bool:
        if self._policy == "overwrite":
            return True
        if base is None:
            return live is None
        return self._policy == "merge" and base != spec.to_json()

    def _remove_one(self, name: str, base: dict[str, Any], report: _Report) -> None:
        live = self._live(name)
        if live is not None and self._policy != "create_only":
            if is_as(live, ScheduleSpec.from_json(base), self._link):
                self._store.delete(name, by=self._path.name, origin="file")
                report.removed.append(name)
            else:
                report.kept.append(name)
        self._link.client.hdel(self._link.keys.seed, name)

    def _remember(self, spec: ScheduleSpec) -> None:
        self._link.client.hset(self._link.keys.seed, spec.name, json.dumps(spec.to_json(), ensure_ascii=False))


def read_text(path: Path) -> tuple[str, float]:
    """The file's text and when it was modified.

    Raises:
        SeedFileError: it can't be read.
    """
    try:
        return path.read_text(encoding="utf-8"), path.stat().st_mtime
    except (OSError, UnicodeDecodeError) as error:
        raise SeedFileError(
            path=path, reason_en=f"can't be read: {error}.", reason_ko=f"읽을 수 없습니다: {error}."
        ) from None


def is_as(live: StoredSchedule, spec: ScheduleSpec, link: Link) -> bool:
    """Whether the live schedule is what `spec` says, its pause aside."""
    kept = live.spec.recurrence
    rule = spec.recurrence.going_on(kept, link.zone, link.now())
    if isinstance(rule, Interval) and isinstance(kept, Interval) and rule.every == kept.every:
        rule = kept
    return live.spec == spec.with_changes(recurrence=rule, enabled=live.spec.enabled)
