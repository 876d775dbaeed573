"""What is done to the players: a plan made from a seed alone, and the hand that carries it out.

Each nemesis hurts a victim, and heals it some time later. Its times come from the seed and its own kind alone, so it
does the same alone and in a mix.
"""

import heapq
import random
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import redis

from chaos.faults import FAULTS, Act, NotNowError
from chaos.history import Fault
from chaos.load import BURST
from chaos.stage import Stage
from livebeat import clock

#: Milliseconds after slots were due in which a leader is hit: while it is dispatching them. A blind shot nearly never is.
AIM = (0.0, 20.0)
#: Seconds between two lines of progress.
PROGRESS = 10.0
#: Until it is tried again to undo what could not be undone.
_AGAIN = 0.2


@dataclass(frozen=True)
class Nemesis:
    """One kind of fault, `apart` seconds from one to the next, each lasting `lasts`; 0 = an instant.

    `victims`: names, of which the seed chooses one; `leader` is whichever beat leads just then. `recovery`: the
    milliseconds after its end in which everything must be as if it had not been. `name` tells two of one kind apart.
    """

    kind: str
    victims: tuple[str, ...]
    apart: tuple[float, float]
    lasts: tuple[float, float] = (0.0, 0.0)
    recovery: int = 6_000
    name: str = ""


def plan(seed: int, seconds: float, nemeses: Iterable[Nemesis]) -> list[Act]:
    """Everything that is done within so many seconds, in order. The same seed gives the same plan."""
    acts: list[Act] = []
    for nemesis in nemeses:
        chance = random.Random(f"{seed} {nemesis.name or nemesis.kind}")
        at = chance.uniform(0, nemesis.apart[0])
        while at < seconds:
            victim = chance.choice(nemesis.victims)
            lasts, aim = chance.uniform(*nemesis.lasts), chance.uniform(*AIM)
            acts.append(Act(at, nemesis.kind, victim, lasts, aim, chance.getrandbits(32), nemesis.recovery))
            at += chance.uniform(*nemesis.apart)
    return sorted(acts)


@dataclass
class Hand:
    """Carries out a plan on a stage. `faults` is what it did; `left_out` what it could not, its victim being hurt."""

    stage: Stage
    say: Callable[[str], None] = lambda _: None
    faults: list[Fault] = field(default_factory=list)
    left_out: int = 0
    #: When processes were killed (epoch ms), and which.
    killed: list[tuple[float, frozenset[int]]] = field(default_factory=list)
    #: Who ended without having been told to; a new process took the place.
    fell: list[str] = field(default_factory=list)
    _hurt: dict[str, tuple[Act, Fault]] = field(default_factory=dict)
    _pause: threading.Event = field(default_factory=threading.Event)

    def run(self, acts: Iterable[Act], seconds: float) -> None:
        """From now on for so many seconds, or until an interrupt (Ctrl-C); nobody is hurt any more then."""
        started = clock.monotonic()
        agenda = [(act.at, act, False) for act in acts]
        heapq.heapify(agenda)
        told = 0.0
        try:
            while agenda or clock.monotonic() < started + seconds:
                now = clock.monotonic() - started
                if now >= told + PROGRESS:
                    told = now
                    self._look_after_all()
                    self.say(f"{now:5.0f} of {seconds:.0f} s: {len(self.faults)} faults, hurt: {sorted(self._hurt)}")
                until = min(agenda[0][0] if agenda else seconds, told + PROGRESS)
                if until > now:
                    self._pause.wait(until - now)
                    continue
                at, act, heals = heapq.heappop(agenda)
                if heals:
                    if not self.heal(act):
                        heapq.heappush(agenda, (now + _AGAIN, act, True))
                elif (begun := self.hurt(act)) and act.seconds:
                    heapq.heappush(agenda, (at + act.seconds, begun, True))
        except KeyboardInterrupt:
            self.say("interrupted: healing, and then the report")
        for begun, _ in list(self._hurt.values()):
            while not self.heal(begun):
                self._pause.wait(_AGAIN)

    def hurt(self, act: Act) -> Act | None:
        """Do it now; returns the act with its real victim, or None where that one is hurt already."""
        if act.victim == "leader":
            self._pause.wait((BURST - _now_ms() % BURST + act.aim) / 1000)
        self._look_after_all()
        kind = FAULTS[act.kind]
        victim = self._victim(act)
        if victim is None:
            self.left_out += 1
            return None
        act = replace(act, victim=victim)
        led, now = self.stage.leader() == victim, _now_ms()
        fault = Fault(act.kind, victim, led, now, now, clock.monotonic(), act.recovery)
        try:
            ended = kind.hurt(self.stage, act)
        except (NotNowError, redis.RedisError):  # the server may be hurt in another way
            self.left_out += 1
            return None
        if ended:
            self.killed.append((_now_ms(), ended))  # what it did until then, it did alive
        names = kind.hits(self.stage, victim)
        for name in names:
            if name in self._hurt:
                self.heal(self._hurt[name][0])
        self._hurt |= dict.fromkeys(names, (act, fault))
        if not act.seconds:
            self.heal(act)
        return act

    def _look_after_all(self) -> None:
        for name in self.stage.fallen():
            if not (name in self._hurt and FAULTS[self._hurt[name][0].kind].deadly):
                self.fell.append(name)
                self.stage.players[name].start()

    def _victim(self, act: Act) -> str | None:
        """Who is meant, or another of the role where that one is hurt; None where nobody is left."""
        victim = act.victim
        if victim == "leader":
            beats = [player.name for player in self.stage.named("beat")]
            victim = self.stage.leader() or beats[act.choice % len(beats)]
        if self._is_free(victim, act.kind):
            return victim
        others = [player.name for player in self.stage.named(victim.split("-")[0])]
        free = [name for name in others if self._is_free(name, act.kind)]
        return free[act.choice % len(free)] if free else None

    def _is_free(self, victim: str, kind: str) -> bool:
        """Whoever is hurt may still be killed, unless that is how it is hurt."""
        by = [FAULTS[self._hurt[name][0].kind] for name in FAULTS[kind].hits(self.stage, victim) if name in self._hurt]
        return not by or (FAULTS[kind].deadly and not any(each.deadly for each in by))

    def heal(self, act: Act) -> bool:
        """Undo it, where that was not done yet. False where it can't be undone just now."""
        names = [name for name, (hurting, _) in self._hurt.items() if hurting is act]
        if names:
            try:
                FAULTS[act.kind].heal(self.stage, act)
            except NotNowError:
                return False
            self.faults.append(replace(self._hurt[names[0]][1], ended_at=_now_ms()))
        for name in names:
            del self._hurt[name]
        return True


def _now_ms() -> float:
    return clock.now().timestamp() * 1000
