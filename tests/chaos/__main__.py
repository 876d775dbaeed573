"""The command behind `./run_chaos.sh`: runs scenarios one after another, prints what they found, keeps the evidence."""

import argparse
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from chaos.controls import lockless, stopped_holder
from chaos.cuts import cuts, stock_cuts
from chaos.report import Report
from chaos.scenarios import mix, takeover, workers
from chaos.stage import server
from launcher.servers.binaries import ServerBinary

_OUT = Path(__file__).resolve().parents[2] / "var" / "chaos"
Scenario = Callable[[Path, ServerBinary], Report]


def tiers(seed: int) -> dict[str, dict[str, Scenario]]:
    """Each tier's scenarios by name, in order."""
    return {
        "smoke": {
            "mix": partial(mix, seconds=25, seed=seed, slots=300, faults=5),
            "cuts": partial(cuts, count=20, seconds=10, seed=seed),
            "stock-cuts": partial(stock_cuts, count=40, seconds=6, seed=seed, bad=12),
        },
        "gate": {
            "mix": partial(mix, seconds=400, seed=seed, slots=5000, faults=100),
            "cuts": partial(cuts, count=200, seconds=16, seed=seed),
            "stock-cuts": partial(stock_cuts, count=200, seconds=12, seed=seed, bad=101),
            "takeover": partial(takeover, rounds=30, seed=seed),
            "workers": partial(workers, seconds=40, seed=seed, slots=500, faults=8),
            "stock-lockless": partial(lockless, seconds=12),
            "stock-stopped": partial(stopped_holder, stops=3),
        },
    }


def main() -> int:
    """0 where every bar held."""
    arguments = _arguments()
    # So that every `with` ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        binary = server(arguments.server)
    except LookupError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    chosen = tiers(arguments.seed)[arguments.tier]
    broken = []
    for name in arguments.scenario or chosen:
        _say(f"{name}: running on {binary.kind} {binary.major}.{binary.minor}, seed {arguments.seed} …")
        report = chosen[name](arguments.out / name, binary)
        report.save(arguments.out / name)
        _say(f"{report.text()}\n")
        if not report.held:
            broken.append(name)
    _say(f"broken: {', '.join(broken)}" if broken else "every bar held")
    _say(f"evidence: {arguments.out}")
    return 1 if broken else 0


def _arguments() -> argparse.Namespace:
    names = list(tiers(0)["gate"])
    parser = argparse.ArgumentParser("run_chaos.sh")
    parser.add_argument("scenario", nargs="*", help=f"of {', '.join(names)}; all of the tier where none is named")
    parser.add_argument("--tier", choices=("smoke", "gate"), default="smoke")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", choices=("valkey", "redis"), default="valkey")
    parser.add_argument("--out", type=lambda text: Path(text).resolve(), default=_OUT)
    arguments = parser.parse_args()
    unknown = set(arguments.scenario) - set(tiers(0)[arguments.tier])
    if unknown:
        parser.error(f"the {arguments.tier} tier has no {', '.join(sorted(unknown))}")
    return arguments


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
