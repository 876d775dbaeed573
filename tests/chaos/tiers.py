"""Which scenarios make a tier, how long each takes, and the bars that go with that."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from chaos.controls import lockless, stopped_holder
from chaos.cuts import cuts, stock_cuts
from chaos.drama import Drama, Say, play
from chaos.dramas import ALONE, NIGHT, SOAK, WORKERS, scaled
from chaos.nemeses import Nemesis
from chaos.overlap import overlap
from chaos.plots import killing, restarting, stopping
from chaos.report import Report
from chaos.requests import old_stats, stats
from chaos.scenarios import eviction, full_disk, mix, takeover, zones
from chaos.worker_controls import old_consumer, plain_celery
from launcher.servers.binaries import ServerBinary

Scenario = Callable[[Path, ServerBinary], Report]
#: Minutes that each tier takes, about.
MINUTES = {"smoke": 1.5, "gate": 18.0, "nightly": 57.0, "soak": 240.0}

#: N1, N4 and N8 in little.
_LITTLE = Drama(
    "little",
    20,
    (
        Nemesis("kill", ("leader",), (5.5, 7.0)),
        Nemesis("kill", WORKERS, (6.0, 8.0), name="kill worker"),
        Nemesis("kill child", WORKERS[:1], (4.0, 6.0)),
        Nemesis("crash", ("redis",), (9.0, 12.0), (0.3, 1.0), 10_000),
    ),
    slots=200,
    faults=7,
    beats=2,
)


def tier(name: str, seed: int, by: float, say: Say) -> dict[str, Scenario]:
    """The scenarios of a tier by name, in order; `by`: so many times as long as usual."""
    return {"smoke": _smoke, "gate": _gate, "nightly": _nightly, "soak": _soak}[name](seed, by, say)


def _smoke(seed: int, by: float, say: Say) -> dict[str, Scenario]:
    return {
        "little": partial(_played, scaled(_LITTLE, by), seed=seed, say=say),
        "cuts": partial(cuts, count=_times(20, by), seconds=10, seed=seed),
        "stock-cuts": partial(stock_cuts, count=40, seconds=6, seed=seed, bad=12),
    }


def _gate(seed: int, by: float, say: Say) -> dict[str, Scenario]:
    return {
        "mix": partial(mix, seconds=120 * by, seed=seed, slots=int(1500 * by), faults=int(30 * by), say=say),
        **{drama.name: partial(_played, scaled(drama, by), seed=seed, say=say) for drama in ALONE},
        "n14-zones": partial(zones, seed=seed, say=say),
        **{
            f"n16-disk-{fsync}": partial(full_disk, seconds=30 * by, seed=seed, fsync=fsync, say=say)
            for fsync in ("everysec", "always")
        },
        "n18-eviction": eviction,
        "kills": _kills(seed, _times(10, by), _times(1_000, by), say),
        "overlap": partial(overlap, seconds=90 * by, seed=seed, faults=int(20 * by), say=say),
        "restarts": _restarts(seed, _times(3, by), say),
        "stop": _stop(seed, _times(2, by), say),
        "cuts": partial(cuts, count=_times(200, by), seconds=16, seed=seed),
        "takeover": partial(takeover, rounds=_times(10, by), seed=seed),
        "stock-cuts": partial(stock_cuts, count=200, seconds=12, seed=seed, bad=101),
        "stock-lockless": partial(lockless, seconds=12),
        "stock-stopped": partial(stopped_holder, stops=3),
        "plain-celery": partial(plain_celery, kills=10),
        "old-consumer": partial(old_consumer, kills=20, seed=seed),
        **_requests(seed, _times(200, by), say),
    }


def _nightly(seed: int, by: float, say: Say) -> dict[str, Scenario]:
    return {
        "night": partial(_played, scaled(NIGHT, by), seed=seed, say=say),
        "kills": _kills(seed, _times(100, by), _times(20_000, by), say),
        "overlap": partial(overlap, seconds=300 * by, seed=seed, faults=int(80 * by), say=say),
        "restarts": _restarts(seed, _times(20, by), say),
        "stop": _stop(seed, _times(5, by), say),
        "mix": partial(mix, seconds=400 * by, seed=seed, slots=int(5_000 * by), faults=int(100 * by), say=say),
        "takeover": partial(takeover, rounds=_times(30, by), seed=seed),
        **_requests(seed, _times(2_000, by), say),
    }


def _soak(seed: int, by: float, say: Say) -> dict[str, Scenario]:
    return {"soak": partial(_played, scaled(SOAK, by), seed=seed, say=say)}


def _kills(seed: int, kills: int, jobs: int, say: Say) -> Scenario:
    drama = Drama("kills", 0, (), beats=2, rate=25.0, longest=3.0, recovers=True)
    return partial(_played, drama, seed=seed, say=say, plot=killing(seed, kills, jobs))


def _restarts(seed: int, restarts: int, say: Say) -> Scenario:
    drama = Drama("restarts", 0, (), beats=2, rate=8.0, recorder=True)
    return partial(_played, drama, seed=seed, say=say, plot=restarting(seed, restarts))


def _stop(seed: int, stops: int, say: Say) -> Scenario:
    drama = Drama("stop", 0, (), beats=2, rate=15.0, conf={"worker_soft_shutdown_timeout": 30})
    return partial(_played, drama, seed=seed, say=say, plot=stopping(seed, stops))


def _requests(seed: int, requests: int, say: Say) -> dict[str, Scenario]:
    return {
        "stats": partial(stats, requests=requests, seed=seed, say=say),
        "stats-old": partial(old_stats, requests=requests // 2, seed=seed, say=say),
    }


def _played(drama: Drama, logs: Path, binary: ServerBinary, *, seed: int, say: Say, **how: object) -> Report:
    return play(drama, logs, binary, seed, say, **how)  # type: ignore[arg-type]


def _times(count: int, by: float) -> int:
    return max(1, round(count * by))
