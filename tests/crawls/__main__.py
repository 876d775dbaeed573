"""Crawl a large simulated site twice with real workers; in the second crawl one of them is killed.

    PYTHONPATH=backend:tests python -m crawls --complexes 100 --listings 200 --rate 20
    PYTHONPATH=backend:tests python -m crawls.histories --listings 1000

Prints a line a bar and ends with 1 where one didn't hold.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from launcher.servers.valkey import EmbeddedValkey
from simulators import naver_land, world
from support.serving import serving

_PROJECT = Path(__file__).resolve().parents[2]


def main() -> int:
    """0 where every bar held."""
    given = _arguments()
    with (
        tempfile.TemporaryDirectory(prefix="lb-crawls-") as name,
        EmbeddedValkey(Path(name) / "valkey", durable=False) as valkey,
        serving(naver_land.create_app(size=(given.complexes, given.listings))) as land,
    ):
        folder = Path(name)
        token = folder / "land-token"
        token.write_text(world.land_token(naver_land.time.time(), 24 * 3600), encoding="ascii")
        (folder / "data").mkdir()
        environment = {
            "LIVEBEAT_DATA_DIR": str(folder / "data"),
            "LIVEBEAT_LOG_DIR": str(folder / "logs"),
            "REDIS_URL": valkey.client_url,
            "DATABASE_URL": f"sqlite:///{folder / 'crawls.sqlite3'}",
            "NAVER_LAND_URL": land.url,
            "NAVER_LAND_TOKEN_FILE": str(token),
            "NAVER_LAND_REQUESTS_PER_SECOND": str(given.rate),
            "NAVER_LAND_SECONDS_BETWEEN_COMPLEXES": "0",
            "DJANGO_SETTINGS_MODULE": "app.django_project.settings",
            "PYTHONPATH": f"{_PROJECT / 'backend'}:{_PROJECT / 'tests'}",
        }
        os.environ.update(environment)  # noqa: TID251  before anything of the platform reads its settings
        from crawls.bars import Stage

        results = Stage(land, environment, given.rate, (given.complexes, given.listings), folder / "data").run()
    for line in results:
        sys.stdout.write(f"{line}\n")
    return 0 if all(line.held for line in results) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m crawls", description="The bars of the crawl.")
    parser.add_argument("--complexes", type=int, default=100, help="complexes of the simulated site (default 100)")
    parser.add_argument("--listings", type=int, default=200, help="listings of each (default 200)")
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second over all workers (default 20)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
