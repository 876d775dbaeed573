"""What every measurement shares: its settings, the order of systems, and the record of every single run."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from bench.servers import ROOT, RunFailedError, Site
from launcher.servers.binaries import ServerBinary

Row = dict[str, Any]
_Kind = TypeVar("_Kind")
_PACKAGES = ("celery", "kombu", "celery-redbeat", "redis", "hiredis", "django-celery-beat", "apscheduler")


@dataclass(frozen=True)
class Bench:
    """`runs` of each, `n` schedules (`million` stores `stored`), on `binary`, recorded under `out`."""

    runs: int
    n: int
    stored: int
    out: Path
    binary: ServerBinary

    def site(self) -> Site:
        """A fresh place for one run."""
        return Site(self.binary)

    def record(self, what: str, run: int, system: str, measure: Callable[[], Row], *, n: int | None = None) -> None:
        """Measure once, with `n` of whatever is counted, and append the row to `<what>.jsonl`.

        A run that failed is a row with the reason.
        """
        row: Row = {"what": what, "system": system, "n": self.n if n is None else n, "run": run, "at": _now()}
        row["load"] = round(os.getloadavg()[0], 2)
        print(f"{what} {run + 1}: {system} …", end=" ", flush=True, file=sys.stderr)
        try:
            row |= measure()
        except RunFailedError as error:
            row["failed"] = str(error)
        except Exception as error:  # one run must not end a series of hours
            row["failed"] = f"{type(error).__name__}: {error}"
        print(_brief(row), file=sys.stderr)
        with (self.out / f"{what}.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    def begin(self, what: str) -> None:
        """Forget an earlier session's runs, and note where this one takes place."""
        self.out.mkdir(parents=True, exist_ok=True)
        row = {"what": what, "machine": machine(self.binary)}
        (self.out / f"{what}.jsonl").write_text(json.dumps(row) + "\n")


def interleaved(runs: int, systems: Sequence[_Kind]) -> Iterator[tuple[int, _Kind]]:
    """Every system once within each run, in turn forwards and backwards: a slow minute of the machine meets all."""
    for run in range(runs):
        for system in systems if run % 2 == 0 else systems[::-1]:
            yield run, system


def machine(binary: ServerBinary) -> dict[str, Any]:
    """What a figure needs beside it."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "server": f"{binary.kind} {binary.major}.{binary.minor}",
        "versions": {"livebeat": _own_version(), **{name: version(name) for name in _PACKAGES}},
    }


def quantile(values: Sequence[float], share: float) -> float:
    """The value that `share` of the values don't exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _own_version() -> str:
    """The version, and the commit where this is a checkout."""
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+changes", "--exclude=*"]
    try:
        commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return version("livebeat")
    return f"{version('livebeat')} at {commit}"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _brief(row: Row) -> str:
    shown = {name: value for name, value in row.items() if isinstance(value, int | float | str)}
    return " ".join(
        f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in shown.items()
        if name not in ("what", "system", "run", "at")
    )
