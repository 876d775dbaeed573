"""`PYTHONPATH=tests:backend python -m replay`: replay the known holes, or put what was replayed into docs/time.md."""

import argparse
import json
import signal
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

from launcher.servers.valkey import EmbeddedValkey
from livebeat import clock
from replay.cases import CASES
from replay.page import Replayed, put, tables
from replay.picture import picture
from replay.players import Sent, play_ours, play_stock
from support.redis_servers import chosen

_PROJECT = Path(__file__).resolve().parents[2]
_RECORD, _PAGE = _PROJECT / "var" / "replay.json", _PROJECT / "docs" / "time.md"


def main() -> int:
    """0 where all was played, or published."""
    parser = argparse.ArgumentParser("python -m replay", description="Clock changes, RedBeat beside Livebeat.")
    parser.add_argument("--record", type=Path, default=_RECORD, metavar="FILE", help="what was sent (var/replay.json)")
    parser.add_argument("--publish", action="store_true", help="play nothing; put what FILE holds into docs/time.md")
    arguments = parser.parse_args()
    if arguments.publish:
        record = json.loads(arguments.record.read_text())
        replayed = _read(record)
        put(_PAGE, "replay", f"{tables(replayed)}\n\n{record['made']}")
        _PAGE.with_suffix(".svg").write_text(picture(replayed), encoding="utf-8")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server ends, too
    record = _play()
    arguments.record.parent.mkdir(exist_ok=True)
    arguments.record.write_text(json.dumps(record))
    sys.stdout.write(f"{tables(_read(record))}\n\n{record['made']}\n")
    return 0


def _play() -> dict[str, Any]:
    """Every case by both, as JSON."""
    played: dict[str, dict[str, dict[str, list[float]]]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="lb-replay-") as folder,
        EmbeddedValkey(Path(folder), binary=chosen(), durable=False) as server,
    ):
        for case in CASES:
            began = clock.monotonic()
            both = {"stock": play_stock(case, server.client_url), "ours": play_ours(case)}
            played[case.title] = {
                who: {name: list(map(clock.to_epoch, at)) for name, at in sent.items()} for who, sent in both.items()
            }
            sys.stderr.write(f"{case.title}: {clock.monotonic() - began:.0f} s\n")
    packages = ", ".join(f"{name} {version(name)}" for name in ("livebeat", "celery-redbeat", "celery", "tzdata"))
    return {"made": f"Replayed on {clock.now():%Y-%m-%d} with {packages}.", "played": played}


def _read(record: dict[str, Any]) -> Replayed:
    played = record["played"]
    return [(case, *(_sent(played[case.title][who]) for who in ("stock", "ours"))) for case in CASES]


def _sent(record: dict[str, list[float]]) -> Sent:
    return {name: list(map(clock.from_epoch, at)) for name, at in record.items()}


if __name__ == "__main__":
    sys.exit(main())
