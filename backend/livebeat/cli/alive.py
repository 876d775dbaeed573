"""`livebeat alive`: whether a beat's ticks go on, for containers and supervisors. One line, and an exit status."""

import socket
from typing import Any

from celery import Celery

from livebeat.beat.heartbeat import SILENCE, Beat, newest
from livebeat.cli.output import DONE, FAILED, write
from livebeat.connection import link
from livebeat.errors import Language

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "none": "{where}: no beat has given a sign of life. Start one with celery beat.",
        "silent": "{where}: the beat with process {pid} has not ticked for {age:.0f} s. Restart it.",
        "alive": "{where}: {role}, process {pid}, last tick {age:.1f} s ago",
        "any": "any host",
    },
    "ko": {
        "none": "{where}: 동작한 Beat가 없습니다. celery beat로 시작하세요.",
        "silent": "{where}: Beat(프로세스 {pid})가 {age:.0f}초 동안 멈춰 있습니다. 재시작하세요.",
        "alive": "{where}: {role}, 프로세스 {pid}, 마지막 동작 {age:.1f}초 전",
        "any": "모든 호스트",
    },
}


def add_parser(commands: Any) -> Any:
    """The command's own arguments; returns its parser."""
    command = commands.add_parser(
        "alive",
        help="whether a beat's ticks go on; for health checks",
        description="Exit status 0 while the beat of this host ticks, leading or standing by; 1 when its newest "
        "heartbeat is too old, there is none, or Redis doesn't answer.",
    )
    where = command.add_mutually_exclusive_group()
    where.add_argument("--host", help="of this host name; without it, this host's", default=socket.gethostname())
    where.add_argument("--any", action="store_true", help="of any host")
    command.add_argument(
        "--seconds", type=float, default=SILENCE, help=f"how old the newest heartbeat may be; {SILENCE:g} by default"
    )
    return command


def run(app: Celery, options: Any, language: Language) -> int:
    """Print one line; returns the exit status."""
    words = _WORDS[language]
    found = newest(link(app), None if options.any else options.host)
    where = words["any"] if options.any else options.host
    kind, facts = _verdict(found, options.seconds)
    write(words[kind].format(where=where, **facts))
    return DONE if kind == "alive" else FAILED


def _verdict(found: tuple[Beat, float] | None, seconds: float) -> tuple[str, dict[str, Any]]:
    if found is None:
        return "none", {}
    beat, age = found
    return "alive" if age <= seconds else "silent", {"pid": beat.pid, "role": beat.role, "age": age}
