"""`livebeat`, or `python -m livebeat`: look at the engine and at its Redis, work on schedules, and bring them in.

`status`, `alive`, `doctor`, `show`, `preview`, `plan` and `export` only read, and so does `dead` unless it is told what to retry or drop.

Exit status: 0 all is well, or done; 1 the file, the app or its Redis can't be used (nothing was changed unless the
message says otherwise), or `alive` found no living beat; 2 wrong usage; 3 something needs a look. `doctor` has its own:
0 nothing found, 1 warnings, 2 errors.
"""

import argparse
import locale
import sys
from collections.abc import Callable, Sequence
from typing import Any

import redis
from celery import Celery
from celery.app.utils import find_app

from livebeat.cli import acting, alive, audit, backfilling, dead, importing, plan, showing, status
from livebeat.cli.output import FAILED
from livebeat.errors import Language, LivebeatError

__all__ = ["main", "parser"]

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "no_app": "The Celery app {app} can't be loaded: {error}",
        "no_redis": "Redis does not answer: {error}",
        "partly": "Some may have been written; the same command goes on from there.",
    },
    "ko": {
        "no_app": "Celery 앱 {app}을(를) 불러올 수 없습니다: {error}",
        "no_redis": "Redis가 응답하지 않습니다: {error}",
        "partly": "일부는 저장되었을 수 있습니다. 같은 명령을 다시 실행하면 이어집니다.",
    },
}
_COMMANDS: dict[str, Callable[[Celery, Any, Language], int]] = {
    "status": status.run,
    "alive": alive.run,
    "doctor": audit.run,
    "dead": dead.run,
    "show": showing.run,
    "preview": showing.run,
    "pause": acting.run,
    "resume": acting.run,
    "trigger": acting.run,
    "backfill": backfilling.run,
    "plan": plan.run,
    "apply": plan.run,
    "export": plan.run,
    "import-beat": importing.run,
}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="livebeat", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    parsers = [
        status.add_parser(commands),
        alive.add_parser(commands),
        audit.add_parser(commands),
        dead.add_parser(commands),
        *showing.add_parsers(commands),
        *acting.add_parsers(commands),
        backfilling.add_parser(commands),
        *plan.add_parsers(commands),
        importing.add_parser(commands),
    ]
    for command in parsers:
        command.add_argument("-A", "--app", required=True, help="the Celery app, as for celery -A")
        command.add_argument("--lang", choices=("ko", "en"), help="language; without it the locale's")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    options = parser().parse_args(arguments)
    language: Language = options.lang or ("ko" if (locale.getlocale()[0] or "").startswith("ko") else "en")
    words = _WORDS[language]
    try:
        app = _load(options.app)
    except Exception as error:  # the app's own code runs here
        sys.stderr.write(words["no_app"].format(app=options.app, error=f"{type(error).__name__}: {error}") + "\n")
        return _failed(options)
    try:
        return _COMMANDS[options.command](app, options, language)
    except LivebeatError as error:
        sys.stderr.write(error.text(language) + "\n")
    except redis.RedisError as error:
        writes = options.command == "apply" or getattr(options, "apply", False)
        partly = f" {words['partly']}" if writes else ""
        sys.stderr.write(words["no_redis"].format(error=error) + partly + "\n")
    return _failed(options)


def _failed(options: Any) -> int:
    return audit.ERRORS if options.command == "doctor" else FAILED


def _load(name: str) -> Celery:
    found: Celery = find_app(name)  # looks in the working folder, too, as celery -A does
    found.loader.import_default_modules()
    found.finalize(auto=True)
    return found
