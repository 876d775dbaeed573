"""The command behind `./run_chaos.sh`: runs scenarios one after another, prints what they found, keeps the evidence."""

import argparse
import signal
import sys
from pathlib import Path

from chaos.publish import place, publish
from chaos.stage import server
from chaos.tiers import MINUTES, tier
from livebeat import clock

_PROJECT = Path(__file__).resolve().parents[2]
_OUT, _PAGE = _PROJECT / "var" / "chaos", _PROJECT / "docs" / "reliability.md"


def main() -> int:
    """0 where every bar held."""
    arguments = _arguments()
    if arguments.publish:
        return _publish(arguments.out)
    # So that every `with` ends what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        binary = server(arguments.server)
    except LookupError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    scenarios = tier(arguments.tier, arguments.seed, arguments.minutes / MINUTES[arguments.tier], _say)
    broken = []
    for name in arguments.scenario or scenarios:
        _say(f"{name}: running on {binary.kind} {binary.major}.{binary.minor}, seed {arguments.seed} …")
        began = clock.monotonic()
        report = scenarios[name](arguments.out / name, binary)
        report.save(arguments.out / name, place(binary, arguments.seed))
        _say(f"{report.text()}\n       took: {clock.monotonic() - began:.0f} s\n")
        if not report.held:
            broken.append(name)
    _say(f"broken: {', '.join(broken)}" if broken else "every bar held")
    _say(f"evidence: {arguments.out}")
    return 1 if broken else 0


def _publish(out: Path) -> int:
    try:
        published = publish(out, _PAGE)
    except LookupError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    _say(f"in {_PAGE}: {', '.join(published)}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("run_chaos.sh")
    parser.add_argument("scenario", nargs="*", help="of the tier; all of it where none is named")
    parser.add_argument("--tier", choices=tuple(MINUTES), default="smoke")
    parser.add_argument(
        "--minutes", type=float, help="how long the whole tier takes, about: all is shortened or lengthened"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--server", choices=("valkey", "redis"), default="valkey")
    parser.add_argument("--out", type=lambda text: Path(text).resolve(), default=_OUT)
    parser.add_argument("--publish", action="store_true", help="run nothing; put what the folder holds into the docs")
    arguments = parser.parse_args()
    arguments.minutes = arguments.minutes or MINUTES[arguments.tier]
    known = tier(arguments.tier, 0, 1.0, _say)
    unknown = set(arguments.scenario) - set(known)
    if unknown:
        names = ", ".join(known)
        parser.error(f"the {arguments.tier} tier has no {', '.join(sorted(unknown))}; it has {names}")
    return arguments


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
