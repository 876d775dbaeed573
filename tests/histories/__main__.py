"""`python -m histories`: many random histories of a schedules file on a server of their own, beside the model.

    cd tests && PYTHONPATH=.:../backend ../.venv/bin/python -m histories --runs 10000 --seed 1

Exit status 0: no difference; 1: at least one, and the histories that have them are told.
"""

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from histories.story import DifferenceError, Story
from launcher.servers.valkey import EmbeddedValkey
from support.engine import make_app

ACTS = 25
_SHOWN = 5


def main() -> int:
    """Play them; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m histories", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10_000, help="histories (10,000)")
    parser.add_argument("--seed", type=int, default=1, help="of the first; each has its own, one more (1)")
    parser.add_argument("--acts", type=int, default=ACTS, help=f"things that happen in each ({ACTS})")
    options = parser.parse_args()
    logging.disable()  # what the leaders say of stale and broken copies
    started, acts, different = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory(prefix="lb-histories-") as name:
        folder = Path(name)
        with EmbeddedValkey(folder / "valkey", durable=False) as server:
            app = make_app(server.client_url)
            for run in range(options.runs):
                try:
                    acts += Story(app, folder, options.seed + run).play(options.acts)
                except DifferenceError as error:
                    different += 1
                    if different <= _SHOWN:
                        print(f"\nseed {options.seed + run}:\n{error}", flush=True)  # noqa: T201
                if (run + 1) % 100 == 0 or run + 1 == options.runs:
                    seconds = time.monotonic() - started
                    print(  # noqa: T201
                        f"{run + 1} histories, {acts} acts compared, {different} with differences, {seconds / 60:.1f} min",
                        flush=True,
                    )
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
