"""`livebeat dead`: what was given up and why; queues a run again, or forgets it."""

from collections.abc import Callable, Sequence
from typing import Any

from celery import Celery

from livebeat.cli.output import DONE, LOOK, plain, write
from livebeat.connection import Link, link
from livebeat.delivery.dead import DeadMessage, dead_messages, drop, find, revive
from livebeat.errors import Language, ScheduleNotFoundError, SpecError
from livebeat.store import ScheduleStore

_ALL = "all"
_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "none": "Nothing was given up.",
        "run": "{at:%Y-%m-%d %H:%M:%S} UTC  {id}  run of {task}, queue {queue}: {reason}",
        "message": "{at:%Y-%m-%d %H:%M:%S} UTC  {id}  message on queue {queue}: {reason}",
        "advice": "Repair what is wrong, then: livebeat dead --retry ID, or all. Or: livebeat dead --drop ID, or all.",
        "revived": "{id} is queued again.",
        "beside": "{id} stays here: run {other} is under way, and the two must not run at once. Retry it when that has ended.",
        "gone": "{id} was dealt with by somebody else.",
        "dropped": "{id} is forgotten.",
    },
    "ko": {
        "none": "보관된 메시지가 없습니다.",
        "run": "{at:%Y-%m-%d %H:%M:%S} UTC  {id}  {task} 실행, 큐 {queue}: {reason}",
        "message": "{at:%Y-%m-%d %H:%M:%S} UTC  {id}  큐 {queue}의 메시지: {reason}",
        "advice": "원인을 고친 뒤 livebeat dead --retry ID(또는 all)로 다시 실행하거나, livebeat dead --drop ID(또는 all)로 "
        "지우세요.",
        "revived": "{id}: 다시 큐에 넣었습니다.",
        "beside": "{id}: 동시에 실행할 수 없는 실행 {other}이(가) 진행 중이어서 그대로 둡니다. 끝난 뒤 다시 시도하세요.",
        "gone": "{id}: 이미 처리되었습니다.",
        "dropped": "{id}: 지웠습니다.",
    },
}


def add_parser(commands: Any) -> Any:
    """The command's own arguments; returns its parser."""
    command = commands.add_parser(
        "dead",
        help="what was given up: lost runs, and messages that can't be used",
        description="Lists them with the reason; exit status 3 where there are any.",
    )
    what = command.add_mutually_exclusive_group()
    what.add_argument(
        "--retry", nargs="+", metavar="ID", help="queue these runs again, under their ids; all: every run"
    )
    what.add_argument("--drop", nargs="+", metavar="ID", help="forget these for good; all: everything")
    return command


def run(app: Celery, options: Any, language: Language) -> int:
    """List, retry or drop; returns the exit status."""
    at, words = link(app), _WORDS[language]
    if options.retry:
        chosen = _chosen(at, options.retry, lambda dead: dead.run is not None)
        return max([_retry(app, dead, words) for dead in chosen], default=DONE)
    if options.drop:
        for dead in _chosen(at, options.drop, lambda _: True):
            drop(at, dead)
            write(words["dropped"].format(id=plain(dead.id)))
        return DONE
    found = sorted(dead_messages(at), key=lambda dead: dead.at)
    for dead in found:
        write(_line(dead, words, language))
    write(words["advice" if found else "none"])
    return LOOK if found else DONE


def _retry(app: Celery, dead: DeadMessage, words: dict[str, str]) -> int:
    answer = revive(link(app), dead, alone=_must_be_alone(app, dead))
    said = "gone" if not answer else "revived" if answer == dead.id else "beside"
    write(words[said].format(id=plain(dead.id), other=plain(answer)))
    return LOOK if said == "beside" else DONE


def _must_be_alone(app: Celery, dead: DeadMessage) -> bool:
    """Whether its schedule lets no two of its runs be under way at once."""
    name = dead.run.schedule if dead.run else None
    try:
        return name is not None and ScheduleStore(app).get(name).spec.overlap != "allow"
    except (ScheduleNotFoundError, SpecError):
        return False


def _chosen(at: Link, ids: Sequence[str], is_meant: Callable[[DeadMessage], bool]) -> list[DeadMessage]:
    if list(ids) == [_ALL]:
        return [dead for dead in dead_messages(at) if is_meant(dead)]
    return [find(at, run_id) for run_id in ids]


def _line(dead: DeadMessage, words: dict[str, str], language: Language) -> str:
    known = dead.run
    task = plain(known.task) if known else "?"
    reason = plain(dead.reasons[language])
    return words["run" if known else "message"].format(
        at=dead.at, id=plain(dead.id), task=task, queue=plain(dead.queue), reason=reason
    )
