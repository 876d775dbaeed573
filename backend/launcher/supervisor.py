"""Keeps a set of programs alive: start in stages, restart with backoff, give up in time, stop in reverse.

One thread, one loop: every wait here relays output, notices ended children and hears signals. However the
supervisor ends, its children end: in order in the normal case, by `launcher.watchdog` and the kernel if it is
killed.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterable
from itertools import groupby
from types import TracebackType
from typing import IO, Self

from launcher.backoff import Backoff
from launcher.children import Children, End
from launcher.errors import GaveUpError, StartError, StopRequestedError
from launcher.messages import text
from launcher.output import Console
from launcher.process import Program
from launcher.signals import Signals

#: EX_CONFIG of sysexits.h: the process itself says that starting it again can't help.
CONFIGURATION_ERROR = 78
#: From the request to stop until the last process is gone, whatever their graces add up to.
STOP_SECONDS = 34.0
_TURN_SECONDS = 0.2
#: Between two questions whether a program is ready: often enough for a person, seldom enough for its log.
_ASK_SECONDS = 0.3


class Supervisor:
    """Use as a context; `stopped_by_force` tells afterwards whether a second signal cut the stop short."""

    def __init__(self, console: Console, *, on_change: Callable[[dict[str, int]], None] = lambda _: None) -> None:
        self.stopped_by_force = False
        self._console = console
        self._signals = Signals()
        self._children = Children(console, self._signals, on_change)
        self._backoffs: dict[str, Backoff] = {}
        self._restarts: dict[str, tuple[float, Program]] = {}
        self._periodic: list[tuple[float, float, Callable[[], None]]] = []

    def __enter__(self) -> Self:
        self._signals.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            self._children.close()
            self._signals.__exit__(kind, error, trace)

    @property
    def has_children(self) -> bool:
        """Whether anything lives."""
        return bool(self._children.programs())

    def run_once(self, program: Program, timeout_seconds: float, stdin: IO[bytes] | int = subprocess.DEVNULL) -> None:
        """Run a program to its end, its output relayed.

        Raises:
            StartError: it failed, or took longer than that.
            StopRequestedError: a signal came meanwhile.
        """
        deadline = time.monotonic() + timeout_seconds
        self._children.start(program, stdin)
        while True:
            own = next((end for end in self._turn() if end.program is program), None)
            if own is not None and own.code == 0:
                return
            if own is not None:
                raise StartError(text("failed", name=program.name, code=own.code))
            self._check_time(deadline, timeout_seconds, program.name)

    def start(self, programs: Iterable[Program]) -> None:
        """Start what doesn't run yet, and wait for nothing.

        Raises:
            StartError: the system can't run one.
        """
        for program in programs:
            if program.name not in self._children:
                self._children.start(program)

    def launch(self, programs: Iterable[Program], timeout_seconds: float) -> None:
        """Start the programs, stage by stage: all of one stage are ready before the next one starts.

        Raises:
            StartError: one wasn't ready within that time, which each stage has for itself.
            GaveUpError: one kept failing.
            StopRequestedError: a signal came meanwhile.
        """
        by_stage = sorted(programs, key=lambda program: program.stage)
        for _, stage in groupby(by_stage, key=lambda program: program.stage):
            waiting = list(stage)
            self.start(waiting)
            deadline = time.monotonic() + timeout_seconds
            while waiting := [program for program in waiting if not self._is_ready(program)]:
                self._check_time(deadline, timeout_seconds, ", ".join(program.name for program in waiting), waiting)
                self._turns(_ASK_SECONDS)

    def every(self, seconds: float, call: Callable[[], None]) -> None:
        """Have `call` (short; it must not raise) called by `watch` at this interval, first after one."""
        self._periodic.append((time.monotonic() + seconds, seconds, call))

    def watch(self) -> None:
        """Keep everything alive until a signal asks to stop.

        Raises:
            GaveUpError: a program can't be kept alive.
        """
        while True:
            try:
                self._turn()
            except StopRequestedError:
                return
            now = time.monotonic()
            for index, (due, seconds, call) in enumerate(self._periodic):
                if now >= due:
                    self._periodic[index] = (now + seconds, seconds, call)
                    call()

    def stop(self) -> None:
        """End every child: the last stage first, each with its grace, all within `STOP_SECONDS`. Idempotent."""
        self._restarts.clear()
        deadline = time.monotonic() + STOP_SECONDS
        while living := self._children.programs():
            last = max(program.stage for program in living)
            self._stop_stage([program for program in living if program.stage == last], deadline)

    # -- one turn of the loop ------------------------------------------------------------------------------------

    def _turn(self, seconds: float = _TURN_SECONDS) -> list[End]:
        """Relay, restart, and hear signals. Returns the ends noticed in this turn."""
        ends = self._children.turn(seconds)
        if self._signals.stops:
            raise StopRequestedError
        for end in ends:
            if end.program.keep_alive:
                self._plan_restart(end)
        now = time.monotonic()
        for name, (due, program) in list(self._restarts.items()):
            if now >= due:
                del self._restarts[name]
                self._children.start(program)
        return ends

    def _turns(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._turn(left)

    def _plan_restart(self, end: End) -> None:
        name = end.program.name
        reason = _reason(end.code)
        if end.code == CONFIGURATION_ERROR:
            raise self._given_up(name, text("misconfigured", name=name))
        backoff = self._backoffs.setdefault(name, Backoff())
        delay = backoff.after_end(end.at, end.ran_seconds)
        if delay is None:
            raise self._given_up(name, text("gave_up", name=name, count=backoff.give_up_after, reason=reason))
        self._restarts[name] = (end.at + delay, end.program)
        self._console.say(text("ended", name=name, reason=reason, delay=delay))

    def _given_up(self, name: str, why: str) -> GaveUpError:
        self._console.say(text("last_lines", name=name))
        for line in self._console.last_lines(name):
            self._console.say(f"    {line}")
        return GaveUpError(why)

    def _is_ready(self, program: Program) -> bool:
        pid = self._children.pid(program.name)
        return pid is not None and (program.ready is None or program.ready(pid))

    def _check_time(self, deadline: float, timeout_seconds: float, name: str, waiting: Iterable[Program] = ()) -> None:
        if time.monotonic() <= deadline:
            return
        for program in waiting:
            if program.why_not and (reason := program.why_not()):
                self._console.relay(program.name, reason)
        raise StartError(text("not_ready", name=name, seconds=timeout_seconds))

    # -- stopping ------------------------------------------------------------------------------------------------

    def _stop_stage(self, programs: list[Program], deadline: float) -> None:
        """End these programs, side by side."""
        asked_at = time.monotonic()
        for program in programs:
            self._children.ask_to_stop(program.name)
        killed: set[str] = set()
        while living := [program for program in programs if program.name in self._children]:
            now = time.monotonic()
            for program in living:
                if program.name in killed:
                    continue
                if self._signals.stops > 1:
                    self.stopped_by_force = True
                elif now < min(asked_at + program.grace_seconds, deadline):
                    continue
                else:
                    self._console.say(text("killing", name=program.name, seconds=now - asked_at))
                killed.add(program.name)
                self._children.kill(program.name)
            self._children.turn(_TURN_SECONDS)


def _reason(code: int) -> str:
    if code >= 0:
        return text("exit_code", code=code)
    try:
        return text("signal", name=signal.Signals(-code).name)
    except ValueError:
        return text("signal", name=-code)
