"""Where a dispatch spends its time: the beat's own loop in this process, each stage's function timed where it is called.

A stage's time is its own: what it spends in another stage counts there. Timing costs about half a microsecond a call.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from typing import Any

from bench.burst import LEAD, stored
from bench.harness import Bench, Row
from bench.sample import make_app
from bench.servers import RunFailedError
from bench.systems import LIVEBEAT
from livebeat import LiveBeatScheduler, install

#: Stage → where its function is looked up when it is called. Follows the engine: a name that is gone is an error.
STAGES = {
    "wait": "livebeat.beat.wake:Wake.wait",
    "find what is due": "livebeat.beat.dispatch:Dispatcher._due",
    "read the entries": "livebeat.beat.prepare:Preparation.read",
    "decode": "livebeat.beat.prepare:decode",
    "decide": "livebeat.beat.prepare:decide",
    "message": "livebeat.beat.template:Templates.message",
    "rest of an item": "livebeat.beat.prepare:Preparation.item",
    "send the script": "livebeat.connection:Talk.say",
    "await the reply": "livebeat.connection:Talk.hear",
}
_WAIT = "wait"


class Stopwatch:
    """Seconds of each stage, while installed."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner: list[float] = []
        self._originals: list[tuple[Any, str, Any]] = []

    def install(self) -> None:
        """Raises RunFailedError where a stage's function is gone."""
        for stage, where in STAGES.items():
            module, _, path = where.partition(":")
            owner = import_module(module)
            *outer, name = path.split(".")
            try:
                for part in outer:
                    owner = getattr(owner, part)
                original = owner.__dict__[name]
            except (AttributeError, KeyError):
                raise RunFailedError(f"{where} is gone: bench/stages.py must follow the engine") from None
            self._originals.append((owner, name, original))
            setattr(owner, name, self._timed(stage, original))

    def remove(self) -> None:
        """Put everything back."""
        for owner, name, original in self._originals:
            setattr(owner, name, original)

    def _timed(self, stage: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._inner.append(0.0)
            started = time.perf_counter()
            try:
                return original(*args, **kwargs)
            finally:
                spent = time.perf_counter() - started
                self.seconds[stage] += spent - self._inner.pop()
                if self._inner:
                    self._inner[-1] += spent

        return timed


def profile(bench: Bench) -> None:
    """Microseconds a message in each stage, in all and after the due instant; and Redis' own in its scripts."""
    for run in range(min(bench.runs, 3)):
        bench.record("profile", run, LIVEBEAT.name, lambda: _profile(bench))


def _profile(bench: Bench) -> Row:
    with stored(bench, LIVEBEAT, bench.n, lead=LEAD) as (site, planned):
        app = make_app(site.url)
        install(app)
        scheduler = LiveBeatScheduler(app)
        site.client.config_resetstat()
        watch = Stopwatch()
        watch.install()
        started = time.perf_counter()
        try:
            while time.time() < planned[0].due:
                scheduler.tick()
            due, before = time.perf_counter(), dict(watch.seconds)
            while site.waiting() < bench.n:
                scheduler.tick()
            ended = time.perf_counter()
        finally:
            watch.remove()
        script = site.client.info("commandstats").get("cmdstat_evalsha", {})
        scheduler.close()
    in_all = _spent(watch.seconds, ended - started)
    after = _spent({stage: s - before.get(stage, 0) for stage, s in watch.seconds.items()}, ended - due)
    parts = {
        stage: {"us_each": in_all[stage] / bench.n * 1e6, "after_us_each": after[stage] / bench.n * 1e6}
        for stage in in_all
    }
    parts["in Redis' scripts, at the same time"] = {"us_each": script.get("usec", 0) / bench.n}
    return {"parts": parts}


def _spent(seconds: dict[str, float], window: float) -> dict[str, float]:
    """Each stage's seconds and what no stage accounts for, waiting left out."""
    stages = {stage: s for stage, s in seconds.items() if stage != _WAIT}
    return {**stages, "everything else": window - sum(seconds.values()), "all": window - seconds.get(_WAIT, 0)}
