"""N14: clocks of zones of our own are set forward and back in the middle of a run, while beats are killed and their own
clocks are wrong. Every slot is known beforehand by asking each second what the zone's clocks show."""

import struct
import threading
from pathlib import Path

from celery import Celery

from chaos.app import TASK
from chaos.dramas import ANY_BEAT, BEATS
from chaos.history import Schedule, Seconds, to_ms
from chaos.nemeses import Hand, Nemesis, plan
from chaos.stage import Stage
from chaos.tap import Tap
from livebeat import Cron, ScheduleSpec, ScheduleStore, clock

#: Seconds by which the clocks are set; a gap and a repeat are that long.
SHIFT = 20
GAP, REPEAT = "Chaos/Gap", "Chaos/Repeat"
#: Seconds from the start at which they are.
AT = 25
#: Every five seconds, of fixed times (no `*` for minute and hour), and with wildcards.
_FIXED, _WILD = "*/5 0-59 0-23 * * *", "*/5 * * * * *"
#: Each schedule's rule: what becomes of a gap and of a repeat.
CAST = (
    *(Seconds(_FIXED, GAP, gap) for gap in ("next_valid", "skip")),
    Seconds(_WILD, GAP),
    *(Seconds(_FIXED, REPEAT, "next_valid", repeat) for repeat in ("first", "second", "both")),
    Seconds(_WILD, REPEAT, "next_valid", "both"),
)
NEMESES = (
    Nemesis("kill", ("leader",), (4.0, 6.0)),
    Nemesis("kill", BEATS, (7.0, 9.0), name="kill any"),
    Nemesis("clock", ANY_BEAT, (5.0, 7.0), (2.0, 4.0)),
)


def make_zones(folder: Path, at: int) -> None:
    """Two zones nine hours before UTC whose clocks are set at this instant (epoch seconds): forward, and back."""
    offset = 9 * 3600
    (folder / "Chaos").mkdir(parents=True, exist_ok=True)
    for name, shift in ((GAP, SHIFT), (REPEAT, -SHIFT)):
        head = b"TZif" + bytes(16) + struct.pack(">6l", 0, 0, 0, 1, 2, 8)
        kinds = struct.pack(">lbb", offset, 0, 0) + struct.pack(">lbb", offset + shift, 1, 4)
        (folder / name).write_bytes(head + struct.pack(">l", at) + b"\x01" + kinds + b"ONE\x00TWO\x00")


def put_all(app: Celery) -> tuple[Schedule, ...]:
    """A schedule of each rule."""
    schedules = []
    for number, rule in enumerate(CAST):
        name, asked = f"{number:02}", clock.now()
        recurrence = Cron(rule.expression, timezone=rule.zone, gap=rule.gap, repeat=rule.repeat)
        ScheduleStore(app).put(ScheduleSpec(name=name, task=TASK, args=(name,), recurrence=recurrence, catchup="all"))
        schedules.append(Schedule(name, rule, "all", to_ms(asked), to_ms(clock.now())))
    return tuple(schedules)


def perform(
    stage: Stage, tap: Tap, hand: Hand, seed: int, folder: Path, quiet: float
) -> tuple[tuple[Schedule, ...], int]:
    """Let the clocks be set amid the faults; returns the schedules, and when the beats were told to end."""
    make_zones(folder, int(clock.now().timestamp()) + AT)
    stage.start_beats(len(BEATS))
    schedules = put_all(stage.app)
    hand.run(plan(seed, AT + 2 * SHIFT, NEMESES), AT + 2 * SHIFT)
    stage.await_beats()
    threading.Event().wait(quiet)
    read_at = to_ms(clock.now())
    stage.end("beat")
    tap.drain()
    return schedules, read_at
