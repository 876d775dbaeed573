"""The seed file of a leading beat: applied when it comes to lead, and whenever the file changes.

What was last applied is remembered in Redis, so a change in the file can be told from a change made live:

- changed in the file → the file wins; changed only live → the live edit survives;
- deleted live and unchanged in the file → stays deleted; removed from the file and unedited live → removed;
- a pause is live state: the file decides it only for a schedule that it creates;
- unreadable, invalid, or more than half of it gone → nothing changes;
- another host's copy that is older than the one last applied, or was applied before that → nothing changes.

Schedules that never were in the file are never touched.
"""

import logging
from collections import Counter
from pathlib import Path

from livebeat.connection import Link
from livebeat.errors import SeedFileError
from livebeat.seedfile.applying import Plan, SeedFile, apply, specs_of
from livebeat.seedfile.memory import Mark, Memory, OvertakenError, news, printable
from livebeat.seedfile.merging import SeedPolicy

logger = logging.getLogger(__name__)


class StaleCopyError(SeedFileError):
    """The file is another host's copy, and not the newest."""


class Seeding:
    """One seed file for one app."""

    def __init__(self, link: Link, path: Path, policy: SeedPolicy = "merge") -> None:
        self._link, self._path, self._policy = link, path, policy
        self._seen: tuple[object, ...] | None = None

    def apply_if_changed(self) -> None:
        """Apply the file unless it, and what is remembered of it, are as when they were looked at last.

        A file that can't be applied is logged, and told by `livebeat status`.
        """
        status = self._status()
        if (status, *news(self._link)) == self._seen:
            return
        first, memory, problem = self._seen is None, Memory(self._link), None
        try:
            self._apply(memory, again=first and self._policy == "overwrite")
        except OvertakenError:
            logger.warning("%s: another file began to be applied meanwhile; looking again.", self._path)
            return
        except SeedFileError as error:
            problem = error
        told = memory.tell(problem)
        if problem is not None and (first or told != memory.problem):
            level = logging.WARNING if isinstance(problem, StaleCopyError) else logging.ERROR
            logger.log(level, "%s", printable(str(problem)))
        # Only now: where Redis was away in between, the next round tries again.
        self._seen = (status, memory.text, told, memory.remembered)

    def apply(self) -> None:
        """Apply the file.

        Raises:
            SeedFileError: it can't be applied, or is a stale copy.
            OvertakenError: somebody else began to apply another.
        """
        self._apply(Memory(self._link), again=False)

    def _apply(self, memory: Memory, *, again: bool) -> None:
        """`again`: even if it is the one last applied."""
        file = SeedFile.read(self._path)
        specs_of(self._link, file)
        copy = file.copy
        if memory.mark.is_stale(copy):
            raise _stale(file, memory.mark)
        if memory.mark.copy.hash == copy.hash and memory.mark.done and not again:
            return
        done = apply(self._link, file, self._policy, memory=memory)
        counts = Counter(step.merged.action for step in done.steps)
        logger.info(
            "Seeded from %s: %d created, %d changed, %d removed.",
            self._path,
            counts["create"],
            counts["change"],
            counts["remove"],
        )

    def _status(self) -> tuple[int, ...]:
        try:
            status = self._path.stat()
        except OSError:
            return ()
        return status.st_mtime_ns, status.st_size, status.st_ino


def differences(of: Plan) -> dict[str, str]:
    """Schedules that are not as the file says: name → `missing` (deleted live), `edited` (live) or `pending` (the file was
    changed, and that isn't applied yet); pauses aside."""
    found = {}
    for step in of.steps:
        if step.merged.writes:
            found[step.name] = "pending"
        elif step.merged.action == "deleted":
            found[step.name] = "missing"
        elif any(one.field != "enabled" for one in step.merged.differences):
            found[step.name] = "edited"
    return found


def _stale(file: SeedFile, mark: Mark) -> StaleCopyError:
    theirs = f"{mark.copy.host}:{mark.copy.path}"
    return StaleCopyError(
        path=file.path,
        reason_en=f"this copy is older than the one applied last, {theirs}, or was applied before that. Bring the copies "
        "in line; if this one is meant, apply it with livebeat apply.",
        reason_ko=f"마지막으로 적용된 사본({theirs})보다 오래되었거나 그 전에 적용된 사본입니다. 사본을 맞추세요. 이 사본이 "
        "맞다면 livebeat apply로 적용하세요.",
    )
