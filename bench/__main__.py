"""`python -m bench`: run the measurements, print and write the report; `--publish` puts it into the docs."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from bench import backlog, burst, cost, heat, jobs, million, refresh, report, rules, stages, starts, timing
from bench.harness import Bench
from bench.servers import ROOT, RunFailedError, server_binary

MEASUREMENTS: dict[str, Callable[[Bench], None]] = {
    "dispatch": burst.dispatch,
    "peers": burst.peers,
    "dispatch-cron": burst.dispatch_cron,
    "dispatch-mixed": burst.dispatch_mixed,
    "first-tick": burst.first_tick,
    "aof": burst.aof,
    "slowlog": burst.slowlog,
    "lateness": timing.lateness,
    "edit": timing.edit,
    "idle": cost.idle,
    "start-up": cost.start_up,
    "memory": cost.memory,
    "takeover": timing.takeover,
    "jobs": jobs.jobs,
    "refresh": refresh.refresh,
    "thousand-posts": refresh.thousand_posts,
    "starts": starts.starts,
    "backlog": backlog.backlog,
    "profile": stages.profile,
    "million": million.million,
    "load": heat.load,
    "rules": rules.rules,
}
PAGE = ROOT / "docs" / "performance.md"


def main() -> int:
    """Returns the exit code: 1 where a run failed."""
    options = _options()
    try:
        if options.publish:
            print("in docs/performance.md:", ", ".join(report.publish(options.out, PAGE)))
            return 0
        bench = Bench(options.runs, options.n, options.stored, options.out, server_binary(options.server))
        for what in options.what:
            bench.begin(what)
            MEASUREMENTS[what](bench)
    except RunFailedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    print(report.write(options.out))
    return int(any("failed" in row for what in options.what for row in report.load(options.out, what)[1]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/run.sh",
        description="Measure the engine beside its peers, each run on a server of its own (docs/performance.md).",
    )
    parser.add_argument(
        "--what",
        type=_names,
        default=list(MEASUREMENTS),
        metavar="NAME,…",
        help=f"of {', '.join(MEASUREMENTS)}; default all, about two hours",
    )
    parser.add_argument("--runs", type=int, default=7, help="repetitions; the slower measurements make fewer (7)")
    parser.add_argument("--n", type=int, default=10_000, help="schedules (10000)")
    parser.add_argument("--stored", type=int, default=1_000_000, help="schedules that `million` stores (1000000)")
    parser.add_argument(
        "--server", choices=("valkey", "redis"), default="valkey", help="the embedded Valkey, or PATH's"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results", metavar="FOLDER", help="bench/results")
    parser.add_argument("--publish", action="store_true", help="measure nothing; put what FOLDER holds into the docs")
    options = parser.parse_args()
    options.out = options.out.resolve()
    return options


def _names(text: str) -> list[str]:
    names = text.split(",")
    unknown = [name for name in names if name not in MEASUREMENTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(MEASUREMENTS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
