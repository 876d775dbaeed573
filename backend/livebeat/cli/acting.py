"""`livebeat pause`, `resume` and `trigger`: what one does to a schedule by hand. Each change tells who made it."""

import getpass
from typing import Any

from celery import Celery

from livebeat.cli.instants import parsed, shown
from livebeat.cli.output import DONE, plain, write
from livebeat.connection import link
from livebeat.errors import Language
from livebeat.store import ScheduleStore

#: The way in that events name.
ORIGIN = "shell"
_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "paused": "{name} is paused until somebody resumes it.",
        "paused_until": "{name} is paused until {until}.",
        "resumed": "{name} runs again, next {at}.",
        "over": "{name} is not paused, and has no further slot.",
        "triggered": "{name} was sent as run {run}.",
    },
    "ko": {
        "paused": "{name}: 다시 시작할 때까지 일시정지합니다.",
        "paused_until": "{name}: {until}까지 일시정지합니다.",
        "resumed": "{name}: 다시 실행합니다. 다음 실행 {at}",
        "over": "{name}: 일시정지 상태가 아니며 더 실행할 시각이 없습니다.",
        "triggered": "{name}: 실행 {run}(으)로 보냈습니다.",
    },
}


def add_parsers(commands: Any) -> list[Any]:
    """The three commands' own arguments; returns their parsers."""
    pause = commands.add_parser(
        "pause",
        help="stop dispatching a schedule",
        description="Stops dispatching a schedule until somebody resumes it, or until an instant. Slots in between don't "
        "run, and are not made up for. One that is paused takes over the new note and end.",
    )
    pause.add_argument("--note", default="", help="why, for those who look at it later")
    pause.add_argument(
        "--until", metavar="INSTANT", help="when it is resumed by itself (ISO 8601; the app's time zone)"
    )
    resume = commands.add_parser(
        "resume",
        help="dispatch a paused schedule again",
        description="Dispatches a schedule again, from its next slot on.",
    )
    trigger = commands.add_parser(
        "trigger",
        help="run a schedule's task once, now",
        description="Sends a schedule's task once, now, paused or not. Its slots stay as they are.",
    )
    parsers = [pause, resume, trigger]
    for command in parsers:
        command.add_argument("name", metavar="NAME", help="the schedule")
    return parsers


def run(app: Celery, options: Any, language: Language) -> int:
    """Do it; returns the exit status."""
    store, zone, words, name = ScheduleStore(app), link(app).zone, _WORDS[language], plain(options.name)
    if options.command == "trigger":
        sent = store.trigger(options.name, by=user(), origin=ORIGIN)
        write(words["triggered"].format(name=name, run=sent.run_id))
    elif options.command == "pause":
        until = parsed(options.until, zone) if options.until else None
        store.pause(options.name, note=options.note, until=until, by=user(), origin=ORIGIN)
        word, at = ("paused_until", shown(until, zone)) if until else ("paused", "")
        write(words[word].format(name=name, until=at))
    else:
        resumed = store.resume(options.name, by=user(), origin=ORIGIN)
        following = resumed.next_at
        line = words["resumed" if following else "over"]
        write(line.format(name=name, at=shown(following, zone) if following else ""))
    return DONE


def user() -> str:
    """Who types; '' where the system has no name for it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
