"""One random history, in the world and in the model at once, compared after each act."""

import random
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from celery import Celery

from histories.model import Definition, File, Model
from histories.world import KilledError, World, text_of

HOSTS = ("one", "two")
NAMES = ("아침", "저녁 보고", "a/b", "#1", "#file", "c")
VALUES: dict[str, list[Any]] = {
    "rule": [("cron", 6), ("cron", 9), ("cron", 18), ("every", 600), ("every", 3600)],
    "start": [None, None, 1_700_000_000, 1_800_000_000],
    "task": ["sample.echo", "sample.note"],
    "args": [[], [1], ["x", {"y": None}]],
    "kwargs": [{}, {"value": 1}, {"value": [2]}],
    "options": [{}, {"expires": 60}, {"priority": 3}],
    "catchup": ["none", "one", "all"],
    "labels": [[], ["team"]],
    "description": ["", "매일", "줄\n바꿈"],
    "enabled": [True, True, False],
}


class DifferenceError(AssertionError):
    """The engine did something else than the model."""


class Story:
    """A history; everything in it comes from its seed."""

    def __init__(self, app: Celery, folder: Path, seed: int) -> None:
        self._chance = random.Random(seed)
        policy = self._chance.choices(["merge", "overwrite", "create_only"], [8, 1, 1])[0]
        self._world, self._model = World(app, folder, policy), Model(policy)
        self._clock = 1_750_000_000.0
        self._files = {host: self._file(host, self._some_entries()) for host in HOSTS}
        self._past: list[File] = list(self._files.values())
        self._acts: list[str] = [f"policy {policy}"]

    def play(self, acts: int) -> int:
        """Let so many things happen; returns how many were compared.

        Raises:
            DifferenceError: tells the whole history.
        """
        choices: dict[Callable[[], None], int] = {
            self._edit_file: 6, self._copy_file: 1, self._go_back: 1, self._break_file: 1, self._edit_live: 6,
            self._delete_live: 2, self._make_live: 1, self._restart: 2, self._look: 8, self._killed: 4, self._meddled: 4,
            self._raced: 2, self._order: 2,
        }  # fmt: skip
        for _ in range(acts):
            act = self._chance.choices(list(choices), list(choices.values()))[0]
            self._acts.append(act.__name__.removeprefix("_"))
            try:
                act()
            except (AssertionError, KilledError):
                raise
            except Exception as error:
                raise DifferenceError("\n".join([*self._acts, f"{type(error).__name__}: {error}"])) from error
            self._compare()
        return acts

    def _compare(self) -> None:
        world, model = self._world, self._model
        for what, found, right in (
            ("live", world.live(), model.live),
            ("applied", world.applied(), model.applied),
            ("told", sorted(world.told()), sorted(model.told)),
            ("problem", world.has_problem(), bool(model.problem)),
        ):
            if found != right:
                raise DifferenceError("\n".join([*self._acts, f"{what}:", *_apart(found, right)]))
        model.told.clear()

    # What happens to files.

    def _edit_file(self) -> None:
        host = self._host()
        entries = deepcopy(self._files[host].entries) or self._some_entries()
        for _ in range(self._chance.randrange(3)):
            name = self._chance.choice(NAMES)
            if name not in entries:
                entries[name] = self._definition()
            elif self._chance.random() < 0.3:
                del entries[name]
            else:
                self._change(entries[name])
        self._save(self._file(host, entries))

    def _copy_file(self) -> None:
        to = self._host()
        other = self._files[HOSTS[1 - HOSTS.index(to)]]
        mtime = self._tick() if self._chance.random() < 0.5 else other.mtime
        self._save(File(other.text, mtime, to, other.entries))

    def _go_back(self) -> None:
        old = self._chance.choice(self._past)
        mtime = self._tick() if self._chance.random() < 0.5 else old.mtime
        self._save(File(old.text, mtime, self._host(), old.entries))

    def _break_file(self) -> None:
        file = self._files[self._host()]
        text = self._chance.choice(["", "{", "[]", '{"x": {"task": "sample.echo"}}', file.text[: len(file.text) // 2]])
        self._save(File(text, self._tick(), file.host, None))

    # What happens live.

    def _edit_live(self) -> None:
        if self._model.live:
            name = self._chance.choice(sorted(self._model.live))
            definition = deepcopy(self._model.live[name])
            self._change(definition)
            self._put(name, definition)

    def _make_live(self) -> None:
        name = self._chance.choice(NAMES)
        if name not in self._model.live:
            self._put(name, self._definition())

    def _delete_live(self) -> None:
        if self._model.live:
            name = self._chance.choice(sorted(self._model.live))
            self._acts.append(f"  {name}")
            self._world.store.delete(name)
            del self._model.live[name]

    def _put(self, name: str, definition: Definition) -> None:
        self._acts.append(f"  {name} = {definition}")
        self._world.put(name, definition)
        self._model.live[name] = deepcopy(definition)

    # What leaders do.

    def _restart(self) -> None:
        self._world.restart(self._host())

    def _look(self) -> None:
        self._lead(self._host())

    def _lead(self, host: str) -> None:
        file = self._files[host]
        self._acts.append(f"  {host} looks")
        first = not self._world.has_looked(host)
        self._world.look(file)
        for _ in self._model.look(file, first=first):
            pass

    def _order(self) -> None:
        file, forced = self._file("ci", self._some_entries()), self._chance.random() < 0.5
        if self._chance.random() < 0.5:
            file = File(self._files["one"].text, self._tick(), "ci", self._files["one"].entries)
        self._acts.append(f"  {file}, forced {forced}")
        self._world.order(file, forced=forced)
        for _ in self._model.order(file, forced=forced):
            pass

    def _killed(self) -> None:
        """A leader dies after some step, and may start anew."""
        host, after = self._host(), self._chance.randrange(6)

        def die() -> None:
            raise KilledError

        self._interrupted(host, after, die)
        self._world.restart(host)

    def _meddled(self) -> None:
        """Somebody edits or deletes while a leader is at work."""
        if self._model.policy == "overwrite":
            return
        meddle = self._chance.choice([self._edit_live, self._delete_live, self._make_live])
        self._interrupted(self._host(), self._chance.randrange(1, 6), meddle)

    def _raced(self) -> None:
        """Another leader looks at its own copy while the first is at work."""
        host = self._host()
        other = HOSTS[1 - HOSTS.index(host)]
        self._interrupted(host, self._chance.randrange(1, 6), lambda: self._lead(other))

    def _interrupted(self, host: str, after: int, what: Callable[[], None]) -> None:
        """Both must be as far when it happens: the model goes there first, then the world calls."""
        file, first = self._files[host], not self._world.has_looked(host)
        self._acts.append(f"  {host} looks, interrupted after step {after}")
        steps = self._model.look(file, first=first)
        happened = []

        def now() -> None:
            happened.append(True)
            for _ in range(after):
                next(steps, None)
            what()

        try:
            with self._world.interrupted(after, now, reply_is_lost=self._chance.random() < 0.5):
                self._world.look(file)
        except KilledError:
            return
        for _ in steps:
            pass

    # Chance.

    def _host(self) -> str:
        return self._chance.choice(HOSTS)

    def _tick(self) -> float:
        self._clock += 1
        return self._clock

    def _file(self, host: str, entries: dict[str, Definition]) -> File:
        return File(text_of(entries, self._chance), self._tick(), host, entries)

    def _save(self, file: File) -> None:
        self._acts.append(f"  {file}")
        self._files[file.host] = file
        if file.entries is not None:
            self._past.append(file)

    def _some_entries(self) -> dict[str, Definition]:
        names = self._chance.sample(NAMES, self._chance.randrange(1, len(NAMES) + 1))
        return {name: self._definition() for name in names}

    def _definition(self) -> Definition:
        return {field: deepcopy(self._chance.choice(values)) for field, values in VALUES.items()}

    def _change(self, definition: Definition) -> None:
        field = self._chance.choice(list(VALUES))
        definition[field] = deepcopy(self._chance.choice(VALUES[field]))


def _apart(found: Any, right: Any) -> list[str]:
    """In what they differ."""
    if not isinstance(found, dict):
        return [f"  found {found}", f"  right {right}"]
    names = [name for name in {**found, **right} if found.get(name) != right.get(name)]
    return [f"  {name!r}: found {found.get(name)}\n         right {right.get(name)}" for name in names]
