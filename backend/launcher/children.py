"""The living children: started, listened to and buried here; what their ends mean is `launcher.supervisor`'s."""

import contextlib
import selectors
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from launcher.errors import StartError
from launcher.output import Console
from launcher.process import Child, Program
from launcher.signals import Signals
from launcher.will import Will


@dataclass(frozen=True)
class End:
    """One child's end. `code` is its exit code, or minus the number of the signal that ended it."""

    program: Program
    code: int
    ran_seconds: float
    at: float


class Children:
    """Children by name, at most one of each. `on_change` hears name → pid at each start and end."""

    def __init__(
        self, console: Console, signals: Signals, on_change: Callable[[dict[str, int]], None] = lambda _: None
    ) -> None:
        self._console = console
        self._signals = signals
        self._on_change = on_change
        self._will = Will()
        self._living: dict[str, Child] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(signals.fileno(), selectors.EVENT_READ)

    def __contains__(self, name: str) -> bool:
        return name in self._living

    def programs(self) -> list[Program]:
        """What lives now."""
        return [child.program for child in self._living.values()]

    def pid(self, name: str) -> int | None:
        """The living child's process, or None."""
        return self._living[name].pid if name in self._living else None

    def start(self, program: Program, stdin: IO[bytes] | int = subprocess.DEVNULL) -> None:
        """Start a program.

        Raises:
            StartError: the system can't run it.
        """
        try:
            child = Child(program, stdin)
        except (OSError, subprocess.SubprocessError) as error:
            raise StartError(f"{program.name}: {error}") from error
        self._living[program.name] = child
        self._will.add(child.pid, program.stop_signal)
        self._selector.register(child.fileno(), selectors.EVENT_READ, child)
        self._changed()

    def turn(self, seconds: float) -> list[End]:
        """Relay output and bury the dead; returns after a signal or output, or when the time is over."""
        for key, _ in self._selector.select(seconds):
            if isinstance(key.data, Child):
                self._relay(key.data)
            else:
                self._signals.drain()
        self._will.keep_alive()
        return [end for child in list(self._living.values()) if (end := self._bury_if_dead(child))]

    def ask_to_stop(self, name: str) -> None:
        """Send a living child its own stop signal."""
        if name in self._living:
            self._living[name].ask_to_stop()

    def kill(self, name: str) -> None:
        """Kill a living child and its whole group."""
        if name in self._living:
            self._living[name].kill()

    def close(self) -> None:
        """Forget everything; whoever still lives is ended."""
        self._will.close()
        self._selector.close()

    def _relay(self, child: Child) -> None:
        lines = child.read()
        if lines is None:
            self._selector.unregister(child.fileno())
        for line in lines or ():
            self._console.relay(child.program.name, line)

    def _bury_if_dead(self, child: Child) -> End | None:
        code = child.ended()
        if code is None:
            return None
        now = time.monotonic()
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.fileno())
        for line in child.last_words():
            self._console.relay(child.program.name, line)
        del self._living[child.program.name]
        self._will.remove(child.pid)
        self._changed()
        return End(child.program, code, now - child.started_at, now)

    def _changed(self) -> None:
        self._on_change({name: child.pid for name, child in self._living.items()})
