"""The real thing: files on disk, a leader for each host, the store; and what it looks like, in the model's values."""

import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from celery import Celery

from histories.model import Definition, File
from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore
from livebeat.connection import Link, link
from livebeat.errors import SeedFileError
from livebeat.seedfile import OvertakenError, SeedFile, Seeding, apply, problem_of
from livebeat.seedfile.memory import Memory

ZONE = "Asia/Seoul"


class KilledError(BaseException):
    """The process is gone."""


class World:
    """One Redis, emptied, with two hosts and whoever else applies files."""

    def __init__(self, app: Celery, folder: Path, policy: str) -> None:
        self.link: Link = link(app)
        self.link.client.flushall()
        self.store = ScheduleStore(app)
        self._folder, self._policy = folder, policy
        self._leaders: dict[str, Seeding] = {}
        self._read = "0"

    def write(self, file: File) -> Path:
        """Put a host's copy on its disk."""
        path = self._folder / file.host / "schedules.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(file.text, encoding="utf-8")
        os.utime(path, (file.mtime, file.mtime))
        return path

    def restart(self, host: str) -> None:
        """The host's beat starts anew, with nothing in mind."""
        self._leaders.pop(host, None)

    def look(self, file: File) -> None:
        """The host's beat leads, and looks at its copy."""
        path = self.write(file)
        with self._on(file.host):
            leader = self._leaders.setdefault(file.host, Seeding(self.link, path, self._policy))
            leader.apply_if_changed()

    def has_looked(self, host: str) -> bool:
        """Whether the host's beat has looked since its start."""
        return host in self._leaders and self._leaders[host]._seen is not None

    def order(self, file: File, *, forced: bool) -> None:
        """A person applies a file."""
        with self._on(file.host), suppress(SeedFileError, OvertakenError):
            apply(self.link, SeedFile.read(self.write(file)), self._policy, force=forced)

    @contextmanager
    def _on(self, host: str) -> Iterator[None]:
        with mock.patch("socket.gethostname", return_value=host):
            yield

    @contextmanager
    def interrupted(self, after: int, what: Callable[[], None], *, reply_is_lost: bool) -> Iterator[None]:
        """Once `after` steps are written, `what` happens: before the next is sent, or before the reply is there."""
        script, steps, over = Link.script, [0], [False]

        def counted(of: Link, name: str, keys: Any, args: Any) -> Any:
            if name != "seed" or over[0]:
                return script(of, name, keys, args)
            if steps[0] == after and not reply_is_lost:
                over[0] = True
                what()
            answer = script(of, name, keys, args)
            steps[0] += answer == 1
            if steps[0] == after and reply_is_lost and not over[0]:
                over[0] = True
                what()
            return answer

        with mock.patch.object(Link, "script", counted):
            yield

    def put(self, name: str, definition: Definition) -> None:
        """An edit by the API."""
        self.store.put(spec_of(name, definition), origin="api")

    def live(self) -> dict[str, Definition]:
        """What is live."""
        return {stored.spec.name: definition_of(stored.spec) for stored in self.store.list()}

    def applied(self) -> dict[str, Definition]:
        """What is remembered as applied."""
        found = {name: base.spec for name, base in Memory(self.link).bases.items()}
        return {name: definition_of(spec) for name, spec in found.items() if spec is not None}

    def has_problem(self) -> bool:
        """Whether something keeps the file from being applied."""
        return problem_of(self.link) is not None

    def told(self) -> list[tuple[str, str]]:
        """What events said since the last call about overwritten live values."""
        found = []
        for entry, values in self.link.client.xrange(self.link.keys.events, min=f"({self._read}"):
            self._read = entry
            if values["type"] == "schedule.overwritten":
                data = json.loads(values["data"])
                found += [(data["name"], field) for field in data["fields"]]
        return [(name, "rule" if field == "recurrence" else field) for name, field in found]


def spec_of(name: str, definition: Definition) -> ScheduleSpec:
    """A definition as the engine has it."""
    fields = dict(definition)
    kind, number = fields.pop("rule")
    fields["start"] = _instant(fields["start"])
    return ScheduleSpec(
        name=name, recurrence=Cron(f"0 {number} * * *") if kind == "cron" else Interval(seconds=number), **fields
    )


def definition_of(spec: ScheduleSpec) -> Definition:
    """A definition as the model has it."""
    rule = spec.recurrence
    is_cron = isinstance(rule, Cron)
    return {
        "rule": ("cron", int(rule.expression.split()[1])) if is_cron else ("every", int(rule.every.total_seconds())),
        "start": int(spec.start.timestamp()) if spec.start else None,
        "task": spec.task,
        "args": list(spec.args),
        "kwargs": dict(spec.kwargs),
        "options": dict(spec.options),
        "catchup": spec.catchup,
        "labels": list(spec.labels),
        "description": spec.description,
        "enabled": spec.enabled,
    }


def text_of(entries: dict[str, Definition], chance: random.Random) -> str:
    """A file that says so, in one of the ways in which it can be said."""
    said = {name: _entry(definition, chance) for name, definition in entries.items()}
    return json.dumps(
        said, ensure_ascii=chance.random() < 0.5, indent=chance.choice([None, 2])
    ) + " " * chance.randrange(9)


def _entry(definition: Definition, chance: random.Random) -> dict[str, Any]:
    entry = dict(definition)
    kind, number = entry.pop("rule")
    zone = {"timezone": ZONE} if chance.random() < 0.3 else {}
    if kind == "every":
        entry["recurrence"] = {"kind": "interval", "every": number}
    elif chance.random() < 0.5:
        entry["recurrence"] = {"kind": "cron", "expression": f"0 {number} * * *", **zone}
    else:
        entry["schedule"] = {"hour": number, "minute": 0, "day_of_week": chance.choice(["*", None])}
    start = _instant(entry.pop("start"))
    if start:
        entry["start"] = start.isoformat()
    return entry


def _instant(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
