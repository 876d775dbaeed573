"""`python -m launcher up | status | down | run NAME`.

Exit codes of `up`: 0 stopped by a signal; 1 something failed, kept failing, or a second signal cut the stop
short; 2 nothing was started (a taken port, a folder, a setting, another copy).
"""

import argparse
import os
import sys
from collections.abc import Sequence

from launcher import control
from launcher.alone import run
from launcher.commands import ALONE
from launcher.errors import LauncherError
from launcher.output import Console
from launcher.settings import read_settings
from launcher.up import up

#: What `--without` takes: these can be run by hand in another terminal instead.
OPTIONAL = ("beat", "worker", "recorder", "flower", "bridge")

_SETTINGS = """\
settings (environment, else .env in the project folder):
  API_HOST, API_PORT    where the API listens (127.0.0.1, 8000)
  LIVEBEAT_DATA_DIR     where data lives (var; relative to the project folder)
  REDIS_URL, REDIS_HOST          a Redis or Valkey of your own (none: an embedded one)
  DATABASE_URL, POSTGRES_HOST    a database of your own (none: SQLite; embedded-postgres:// also works)
  RUN_BRIDGE            true: run the bridge, too
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m launcher",
        description="Run Livebeat whole: servers, API, beat, worker, recorder, Flower.",
        epilog=_SETTINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser(
        "up",
        help="start everything and stay until Ctrl-C",
        epilog=_SETTINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo = start.add_mutually_exclusive_group()
    demo.add_argument(
        "--demo",
        dest="demo",
        action="store_true",
        default=None,
        help="simulators and invented rows, also in servers of your own (default: only in embedded ones)",
    )
    demo.add_argument("--no-demo", dest="demo", action="store_false", help="no simulators, no invented rows")
    start.add_argument(
        "--without", action="append", default=[], choices=OPTIONAL, help="leave a process out, to run it by hand"
    )
    commands.add_parser("status", help="who runs in the data folder (exit 3: nobody)")
    commands.add_parser("down", help="stop who runs in the data folder")
    alone = commands.add_parser("run", help="become one process, as run_*.sh do", add_help=False)
    alone.add_argument("name", choices=sorted(ALONE))
    alone.add_argument("arguments", nargs=argparse.REMAINDER, help="added to the process's own")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = _parser().parse_args(arguments)
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    console = Console(sys.stdout, colours=sys.stdout.isatty() and "NO_COLOR" not in os.environ)
    try:
        settings = read_settings(os.environ)
        if given.command == "run":
            run(given.name, settings, given.arguments, os.environ)
        if given.command == "status":
            return control.status(settings.data_dir, console)
        if given.command == "down":
            return control.down(settings.data_dir, console)
        return up(settings, console, demo=given.demo, without=frozenset(given.without))
    except LauncherError as error:
        console.say(f"livebeat: {error}")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
