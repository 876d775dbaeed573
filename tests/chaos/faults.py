"""Each kind of fault: how it is done to a victim, and how it is undone."""

import json
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import redis

from chaos.players import Player
from chaos.poison import throw
from chaos.proxy import Blackhole, Delay, HalfOpen, LoseReplies, Mode, Pass, Proxy, Reset, Throttle
from chaos.stage import END_SECONDS, Stage
from livebeat import clock

#: The commands whose replies a client may lose; '' = any.
_LIVES_BY = {"beat": ("", "EVALSHA"), "worker": ("", "EVALSHA", "BRPOP", "MULTI"), "client": ("EVALSHA",)}


WORKERS = "livebeat:workers"
#: Seconds after which a worker has all its pool.
_SETTLED = 4.0


class NotNowError(Exception):
    """It can't be done to this victim, or undone, at this moment."""


@dataclass(frozen=True, order=True)
class Act:
    """At so many seconds: this kind of fault to this victim, for `seconds`; 0 = an instant.

    `choice` decides what else a kind leaves open. A leader is hit `aim` ms after the next slots are due.
    `recovery`: ms after its end in which everything must be as if it had not been.
    """

    at: float
    kind: str
    victim: str
    seconds: float
    aim: float
    choice: int
    recovery: int


@dataclass(frozen=True)
class Kind:
    """`hurt` returns the processes that it ended, `heal` undoes it.

    `deadly`: it ends processes, so it may hit whoever is hurt otherwise. `all_of`: it hits everybody of these roles.
    """

    hurt: Callable[[Stage, Act], frozenset[int]]
    heal: Callable[[Stage, Act], None]
    deadly: bool = False
    all_of: tuple[str, ...] = ()

    def hits(self, stage: Stage, victim: str) -> list[str]:
        """Names of who is hurt."""
        return [player.name for role in self.all_of for player in stage.named(role)] or [victim]


def _kill(stage: Stage, act: Act) -> frozenset[int]:
    player = stage.players[act.victim]
    family = _family(player)
    player.kill()
    return family


def _kill_one_of_several(stage: Stage, act: Act) -> frozenset[int]:
    """A worker, while all the others are at work: how soon its runs go on is then not how soon a worker starts."""
    beats: Any = stage.glance.hvals(WORKERS)
    at_work = {json.loads(text)["pid"] for text in beats}
    if any(player.pid not in at_work for player in stage.named("worker") if player.name != act.victim):
        raise NotNowError
    return _kill(stage, act)


def _start(stage: Stage, act: Act) -> None:
    stage.players[act.victim].start()


def _kill_all(stage: Stage, _act: Act) -> frozenset[int]:
    for beat in stage.named("beat"):
        beat.kill()
    return frozenset()


def _start_all(stage: Stage, _act: Act) -> None:
    for beat in stage.named("beat"):
        beat.start()


def _kill_child(stage: Stage, act: Act) -> frozenset[int]:
    """One of the pool alone, as the kernel does where memory is short. Celery gives up where that is at its start."""
    player = stage.players[act.victim]
    children = player.children() if player.age() > _SETTLED else []
    if not children:
        raise NotNowError
    pid = children[act.choice % len(children)]
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return frozenset({pid})


def _stop(stage: Stage, act: Act) -> frozenset[int]:
    stage.players[act.victim].signal(signal.SIGSTOP)
    return frozenset()


def _go_on(stage: Stage, act: Act) -> None:
    stage.players[act.victim].signal(signal.SIGCONT)


def _tell_to_end(stage: Stage, act: Act) -> frozenset[int]:
    stage.players[act.victim].tell_to_end()
    return frozenset()


def _replace(stage: Stage, act: Act) -> None:
    _start_again(stage.players[act.victim])


def _start_again(player: Player) -> None:
    """A new process in the place of one that was told to end; meanwhile the others' faults begin and end."""
    if player.told_at is None:
        return
    if player.is_alive():
        if clock.monotonic() < player.told_at + END_SECONDS:
            raise NotNowError
        player.kill()
        raise AssertionError(f"{player.name} did not end within {END_SECONDS:g} s of SIGTERM")
    player.start()


def _tell_all_to_end(stage: Stage, _act: Act) -> frozenset[int]:
    for player in (*stage.named("beat"), *stage.named("worker")):
        player.tell_to_end()
    return frozenset()


def _replace_all(stage: Stage, _act: Act) -> None:
    for player in (*stage.named("beat"), *stage.named("worker")):
        _start_again(player)


def _crash(stage: Stage, _act: Act) -> frozenset[int]:
    stage.server.kill()
    return frozenset()


def _boot(stage: Stage, _act: Act) -> None:
    if not stage.server.is_alive():
        stage.server.start()


def _freeze(stage: Stage, _act: Act) -> frozenset[int]:
    stage.server.signal(signal.SIGSTOP)
    return frozenset()


def _thaw(stage: Stage, _act: Act) -> None:
    stage.server.signal(signal.SIGCONT)


def _set(name: str, value: str) -> Callable[[Stage, Act], frozenset[int]]:
    def hurt(stage: Stage, _act: Act) -> frozenset[int]:
        stage.client.config_set(name, value)
        return frozenset()

    return hurt


def _reset(name: str, value: str) -> Callable[[Stage, Act], None]:
    def heal(stage: Stage, _act: Act) -> None:
        with suppress(redis.RedisError):  # it was killed meanwhile, and knows nothing of it
            stage.client.config_set(name, value)

    return heal


def _fill(stage: Stage, _act: Act) -> frozenset[int]:
    """Write until there is no room."""
    with suppress(OSError), (stage.server.data_dir / "ballast").open("wb", buffering=0) as ballast:
        while ballast.write(b"x" * 4096):
            pass
    return frozenset()


def _make_room(stage: Stage, act: Act) -> None:
    (stage.server.data_dir / "ballast").unlink(missing_ok=True)
    _boot(stage, act)


def _move_clock(stage: Stage, act: Act) -> frozenset[int]:
    by = (3600, -3600, 2, -2)[act.choice % 4]
    stage.clock_of(act.victim).write_text(str(by))
    return frozenset()


def _set_clock_right(stage: Stage, act: Act) -> None:
    stage.clock_of(act.victim).unlink(missing_ok=True)


def _enter_stock(stage: Stage, _act: Act) -> frozenset[int]:
    stage.start_stock()
    return frozenset()


def _leave_stock(stage: Stage, _act: Act) -> None:
    stage.end("stock")
    del stage.players["stock"]


def _throw(stage: Stage, act: Act) -> frozenset[int]:
    throw(stage, act.choice)
    return frozenset()


def _line(mode: Callable[[Act], Mode]) -> Kind:
    """Something that a line does."""

    def hurt(stage: Stage, act: Act) -> frozenset[int]:
        _proxy(stage, act).set(mode(act))
        return frozenset()

    def heal(stage: Stage, act: Act) -> None:
        _proxy(stage, act).set(Pass())

    return Kind(hurt, heal)


def _loses(act: Act) -> Mode:
    """1 to 4 replies: the next ones, or those to one command that its kind of client lives by."""
    names = _LIVES_BY[act.victim.split("-")[0]]
    name = names[act.choice // 4 % len(names)]
    return LoseReplies(1 + act.choice % 4, frozenset({name} if name else ()))


def _proxy(stage: Stage, act: Act) -> Proxy:
    proxy = stage.players[act.victim].proxy
    if proxy is None:
        raise AssertionError(f"{act.victim} has no proxy: the stage must be proxied")
    return proxy


def _family(player: Player) -> frozenset[int]:
    return frozenset({player.pid, *player.children()})


FAULTS: dict[str, Kind] = {
    "kill": Kind(_kill, _start, deadly=True),
    "kill one": Kind(_kill_one_of_several, _start, deadly=True),
    "kill all": Kind(_kill_all, _start_all, deadly=True, all_of=("beat",)),
    "kill child": Kind(_kill_child, lambda *_: None),
    "stop": Kind(_stop, _go_on),
    "end": Kind(_tell_to_end, _replace, deadly=True),
    "end all": Kind(_tell_all_to_end, _replace_all, deadly=True, all_of=("beat", "worker")),
    "crash": Kind(_crash, _boot, deadly=True),
    "freeze": Kind(_freeze, _thaw),
    "memory": Kind(_set("maxmemory", "1"), _reset("maxmemory", "0")),
    "eviction": Kind(_set("maxmemory-policy", "allkeys-lru"), _reset("maxmemory-policy", "noeviction")),
    "disk": Kind(_fill, _make_room, deadly=True),
    "clock": Kind(_move_clock, _set_clock_right),
    "stock": Kind(_enter_stock, _leave_stock),
    "poison": Kind(_throw, lambda *_: None),
    "lost replies": _line(_loses),
    "cut": _line(lambda _: Blackhole()),
    "reset": _line(lambda _: Reset()),
    "half-open": _line(lambda _: HalfOpen()),
    "delay": _line(lambda act: Delay(0.05 + act.choice % 5 / 10)),
    "throttle": _line(lambda _: Throttle(20_000)),
}
