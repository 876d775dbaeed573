"""What is done to the beats: a plan made from a seed alone, and the hand that carries it out."""

import heapq
import random
import signal
import threading
from dataclasses import dataclass, field
from typing import Literal

from chaos.history import Fault
from chaos.load import BURST
from chaos.stage import Stage
from livebeat import clock

#: Seconds from one kill to the next, and from one stop to the next. Kills are at least five apart, also after aiming:
#: the start of a beat costs a second of work.
APART: dict[Literal["kill", "stop"], tuple[float, float]] = {"kill": (5.5, 7.0), "stop": (7.0, 11.0)}
#: Milliseconds after slots were due in which a leader is hit: while it is dispatching them. A blind shot nearly never is.
AIM = (0.0, 20.0)
#: Seconds that a beat is stopped: 0.5 to 3 times the leader lock's five.
STOP_FOR = (2.5, 15.0)


@dataclass(frozen=True, order=True)
class Act:
    """At so many seconds: kill, stop (for `seconds`) or wake. The victim is a place, or whoever leads.

    A leader is hit `aim` ms after the next slots are due.
    """

    at: float
    kind: Literal["kill", "stop", "wake"]
    victim: int
    leader: bool = False
    seconds: float = 0.0
    aim: float = 0.0


def plan(seed: int, seconds: float, beats: int) -> list[Act]:
    """Kills and stops over so many seconds; half of them hit the leader. The same seed gives the same plan."""
    chance = random.Random(seed)
    acts: list[Act] = []
    for kind, apart in APART.items():
        at = chance.uniform(0, 3)
        while at < seconds:
            lasts = chance.uniform(*STOP_FOR) if kind == "stop" else 0.0
            leader = chance.random() < 0.5
            acts.append(Act(at, kind, chance.randrange(beats), leader, lasts, chance.uniform(*AIM)))
            at += chance.uniform(*apart)
    return sorted(acts)


@dataclass
class Nemesis:
    """Carries out a plan on a stage; `faults` is what it did."""

    stage: Stage
    faults: list[Fault] = field(default_factory=list)
    _stopped: dict[int, Fault] = field(default_factory=dict)
    _pause: threading.Event = field(default_factory=threading.Event)
    _wake_at: dict[int, float] = field(default_factory=dict)

    def run(self, acts: list[Act]) -> None:
        """From now on, until the last act is done; whoever was stopped is awake again then."""
        started = clock.monotonic()
        agenda = list(acts)
        heapq.heapify(agenda)
        while agenda:
            act = heapq.heappop(agenda)
            self._pause.wait(max(0.0, started + act.at - clock.monotonic()))
            if act.leader:
                self._pause.wait((BURST - _now_ms() % BURST + act.aim) / 1000)
            if act.kind == "kill":
                self.kill(self._victim(act))
            elif act.kind == "wake":
                if self._wake_at[act.victim] == act.at:  # else it was killed meanwhile, and stopped again
                    self._wake(act.victim)
            elif (place := self._victim(act)) not in self._stopped:
                self._stop(place)
                self._wake_at[place] = clock.monotonic() - started + act.seconds
                heapq.heappush(agenda, Act(self._wake_at[place], "wake", place))

    def _victim(self, act: Act) -> int:
        """The leader where it is meant and known; for a stop, somebody who isn't stopped yet."""
        leader = self.stage.leader() if act.leader else None
        place = act.victim if leader is None else leader
        if act.kind == "stop" and place in self._stopped:
            free = [each for each in range(len(self.stage.beats)) if each not in self._stopped]
            return free[act.victim % len(free)] if free else place
        return place

    def kill(self, place: int) -> None:
        """Kill -9 now, and put a new beat into its place at once."""
        if place in self._stopped:
            self._end_of_stop(place)
        fault = self._begun("kill", place)
        self.stage.kill_beat(place)
        self.stage.restart_beat(place)
        self.faults.append(fault)

    def _stop(self, place: int) -> None:
        self._stopped[place] = self._begun("stop", place)
        self.stage.signal_beat(place, signal.SIGSTOP)

    def _wake(self, place: int) -> None:
        if place in self._stopped:
            self.stage.signal_beat(place, signal.SIGCONT)
            self._end_of_stop(place)

    def _end_of_stop(self, place: int) -> None:
        begun = self._stopped.pop(place)
        self.faults.append(Fault(begun.kind, place, begun.led, begun.began_at, _now_ms(), begun.monotonic))

    def _begun(self, kind: Literal["kill", "stop"], place: int) -> Fault:
        now = _now_ms()
        return Fault(kind, place, self.stage.leader() == place, now, now, clock.monotonic())


def _now_ms() -> float:
    return clock.now().timestamp() * 1000
