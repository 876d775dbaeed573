"""The nemeses, each alone and in the mix of a whole night."""

from collections.abc import Iterator
from dataclasses import replace

from chaos.drama import Drama
from chaos.nemeses import Nemesis

BEATS = ("beat-0", "beat-1", "beat-2")
WORKERS = ("worker-0", "worker-1")
CLIENTS = (*BEATS[:2], *WORKERS, "client")
#: Half of what hits a beat hits the leader, while it dispatches.
ANY_BEAT = (*BEATS, "leader", "leader", "leader")
#: Kills are at least five seconds apart, also after aiming: the start of a beat costs a second of work. A stop lasts 0.5
#: to 3 times the leader lock's five seconds.
MIX = (Nemesis("kill", ANY_BEAT, (5.5, 7.0)), Nemesis("stop", ANY_BEAT, (7.0, 11.0), (2.5, 15.0)))
ALWAYS, EVERY_SECOND = ("--appendfsync", "always"), ()
REDIS = ("redis",)
#: Milliseconds after its end in which a fault must be over for everybody.
LONG, LONGER = 15_000, 20_000

_KILLED_BEATS = Nemesis("kill", ANY_BEAT, (2.0, 3.0))
_KILLED_WORKERS = Nemesis("kill", WORKERS, (4.0, 6.0))
_CRASHES = Nemesis("crash", REDIS, (10.0, 13.0), (0.3, 2.0), 10_000)

#: The number of `reliability.md`'s list is in the name; `disk` needs a small file system, and is in `scenarios`.
ALONE = (
    Drama("n1-kill-beat", 25, (_KILLED_BEATS,), slots=250, faults=8),
    Drama("n2-kill-all-beats", 30, (Nemesis("kill all", ("beats",), (14.0, 16.0), (5.0, 7.0)),), slots=250, faults=1),
    Drama("n3-stop-beat", 30, (Nemesis("stop", ANY_BEAT, (4.0, 7.0), (2.5, 15.0)),), slots=250, faults=4),
    Drama(
        "n4-kill-worker",
        30,
        (_KILLED_WORKERS, Nemesis("kill child", WORKERS[:1], (2.0, 3.0))),
        slots=250,
        faults=8,
        beats=1,
        recovers=True,
    ),
    Drama("n5-stop-worker", 32, (Nemesis("stop", WORKERS, (14.0, 17.0), (11.0, 14.0)),), 250, faults=1, beats=1),
    Drama(
        "n7-kill-recorder-and-relay",
        25,
        (Nemesis("kill", ("recorder",), (2.0, 4.0)), Nemesis("kill", ("leader",), (5.0, 7.0))),
        slots=250,
        faults=7,
        recorder=True,
    ),
    Drama("n8-redis-crash-always", 30, (_CRASHES,), slots=250, faults=2, beats=2, server=ALWAYS, recorder=True),
    Drama("n9-redis-crash-everysec", 30, (_CRASHES,), slots=250, faults=2, beats=2, server=EVERY_SECOND),
    Drama(
        "n12-lost-replies",
        30,
        (Nemesis("lost replies", CLIENTS, (0.8, 1.6), (0.7, 1.5)),),
        slots=250,
        faults=15,
        beats=2,
        proxied=True,
    ),
    Drama(
        "n13-cut",
        35,
        (
            Nemesis("cut", CLIENTS, (8.0, 11.0), (1.0, 12.0), LONG),
            Nemesis("reset", CLIENTS, (8.0, 11.0), (0.5, 5.0), LONG),
            Nemesis("delay", CLIENTS, (9.0, 13.0), (1.0, 4.0), LONG),
            Nemesis("throttle", CLIENTS, (9.0, 13.0), (1.0, 4.0), LONG),
        ),
        slots=250,
        faults=8,
        beats=2,
        proxied=True,
    ),
    Drama(
        "n13-half-open", 30, (Nemesis("half-open", CLIENTS, (5.0, 8.0), (0.0, 0.0), LONGER),), 250, 3, 2, proxied=True
    ),
    Drama("n14-clock", 30, (Nemesis("clock", ANY_BEAT, (4.0, 6.0), (2.0, 5.0)),), slots=250, faults=4),
    Drama("n17-memory", 30, (Nemesis("memory", REDIS, (11.0, 14.0), (4.0, 6.0)),), slots=250, faults=1, beats=2),
    Drama("n19-slow-redis", 30, (Nemesis("freeze", REDIS, (5.0, 7.0), (0.2, 5.0)),), slots=250, faults=3, beats=2),
    Drama("n21-poison", 25, (Nemesis("poison", ("nobody",), (0.3, 0.6)),), slots=250, faults=40, beats=2),
    Drama(
        "n23-rolling-restarts",
        35,
        (Nemesis("stock", ("stock",), (6.0, 6.0), (25.0, 25.0)), Nemesis("end", BEATS[:2], (4.0, 6.0), (0.2, 0.5))),
        slots=250,
        faults=5,
        beats=2,
    ),
    Drama(
        "n24-stop-all",
        35,
        (Nemesis("end all", ("everybody",), (18.0, 20.0), (0.5, 1.0), 40_000),),
        slots=250,
        faults=1,
        beats=2,
    ),
)

#: All together, for half an hour: at least 300 kills, and what else happens to a server in a bad year.
NIGHT = Drama(
    "night",
    1800,
    (
        Nemesis("kill", ANY_BEAT, (6.0, 9.0)),
        Nemesis("kill", (*WORKERS, "recorder"), (9.0, 14.0), name="kill others"),
        Nemesis("kill child", WORKERS[:1], (15.0, 25.0)),
        Nemesis("stop", ANY_BEAT, (12.0, 18.0), (2.5, 12.0)),
        Nemesis("stop", WORKERS, (60.0, 80.0), (11.0, 14.0), name="stop worker"),
        Nemesis("kill all", ("beats",), (110.0, 140.0), (5.0, 12.0)),
        Nemesis("crash", REDIS, (60.0, 80.0), (0.3, 2.0), 10_000),
        Nemesis("freeze", REDIS, (40.0, 60.0), (0.2, 4.0)),
        Nemesis("memory", REDIS, (180.0, 240.0), (3.0, 6.0)),
        Nemesis("lost replies", CLIENTS, (8.0, 14.0), (0.7, 1.5)),
        Nemesis("cut", CLIENTS, (50.0, 70.0), (1.0, 12.0), LONG),
        Nemesis("half-open", CLIENTS, (60.0, 90.0), (0.0, 0.0), LONGER),
        Nemesis("clock", ANY_BEAT, (60.0, 80.0), (3.0, 8.0)),
        Nemesis("poison", ("nobody",), (30.0, 40.0)),
        Nemesis("end all", ("everybody",), (280.0, 320.0), (0.5, 1.0), 40_000),
    ),
    slots=20_000,
    faults=600,
    recorder=True,
    proxied=True,
)
#: The same for hours, at a third of the rate.
SOAK = replace(
    NIGHT,
    name="soak",
    seconds=4 * 3600,
    nemeses=tuple(replace(each, apart=(3 * each.apart[0], 3 * each.apart[1])) for each in NIGHT.nemeses),
    slots=8 * NIGHT.slots,
    faults=8 * 200,
)


def scaled(drama: Drama, by: float) -> Drama:
    """So many times as long, with bars to match."""
    return replace(drama, seconds=drama.seconds * by, slots=int(drama.slots * by), faults=int(drama.faults * by))


def alone() -> Iterator[tuple[str, Drama]]:
    """Each by its name."""
    return ((drama.name, drama) for drama in ALONE)
