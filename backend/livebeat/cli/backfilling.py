"""`livebeat backfill`: runs the slots of a past range, shows how far that is, and cancels it."""

import json
import threading
from collections.abc import Iterable
from itertools import islice
from typing import Any

from celery import Celery

from livebeat.backfill import Backfill, Backfills
from livebeat.backfill.record import RATE
from livebeat.cli.acting import ORIGIN, user
from livebeat.cli.instants import parsed, shown
from livebeat.cli.output import DONE, LOOK, plain, write
from livebeat.connection import link
from livebeat.errors import Language, LivebeatError

_SHOWN = 5
#: Seconds between two looks of `--watch`.
_PERIOD = 0.5

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "planned": "{total} slots of {name} from {start} to {end}, {overlap}, {rate:g} a second at most:",
        "more": "… and {count} more",
        "dry": "Nothing was sent. Do it without --dry-run.",
        "started": "Backfill {id} of {name} is started: {total} slots, {overlap}, {rate:g} a second at most.",
        "advice": "Watch it: livebeat backfill --watch {id}. End it: livebeat backfill --cancel {id}.",
        "line": "{id}  {name}  {state}: {sent} of {total} sent, {done} ended{ended}{why}",
        "none": "There are no backfills.",
        "running": "running",
        "finished": "finished",
        "cancelled": "cancelled",
        "allow": "side by side",
        "one_at_a_time": "one at a time",
        "succeeded": "succeeded",
        "failed": "failed",
        "lost": "lost",
        "expired": "expired",
    },
    "ko": {
        "planned": "{name}: {start}부터 {end}까지 슬롯 {total}개, {overlap}, 초당 최대 {rate:g}개",
        "more": "… 외 {count}개",
        "dry": "아무것도 보내지 않았습니다. 실행하려면 --dry-run을 빼세요.",
        "started": "{name}: 백필 {id}을(를) 시작했습니다. 슬롯 {total}개, {overlap}, 초당 최대 {rate:g}개",
        "advice": "진행 상황: livebeat backfill --watch {id}. 중단: livebeat backfill --cancel {id}.",
        "line": "{id}  {name}  {state}: {total}개 중 {sent}개 보냄, {done}개 끝남{ended}{why}",
        "none": "백필이 없습니다.",
        "running": "진행 중",
        "finished": "완료",
        "cancelled": "취소됨",
        "allow": "동시에",
        "one_at_a_time": "한 번에 하나씩",
        "succeeded": "성공",
        "failed": "실패",
        "lost": "유실",
        "expired": "만료",
    },
}


def add_parser(commands: Any) -> Any:
    """The command's own arguments; returns its parser."""
    command = commands.add_parser(
        "backfill",
        help="run the slots of a past range; list, watch or cancel that",
        description="Has the beat send the slots of a schedule in a range, as they would have run: each task gets its slot, "
        "the schedule itself stays as it is, paused or not. Exit status 0 done, 3 with --watch: it was cancelled, or not "
        "every run succeeded.",
    )
    command.add_argument("name", metavar="NAME", nargs="?", help="the schedule")
    command.add_argument(
        "--from", dest="start", metavar="INSTANT", help="the first slot, ISO 8601; the app's time zone"
    )
    command.add_argument(
        "--to", dest="end", metavar="INSTANT", help="the last slot; a date alone means all of that day"
    )
    command.add_argument("--rate", type=float, default=RATE, help="runs sent a second, at most (default: %(default)g)")
    command.add_argument("--dry-run", action="store_true", help="only show what would be sent")
    overlap = command.add_mutually_exclusive_group()
    overlap.add_argument(
        "--one-at-a-time",
        dest="overlap",
        action="store_const",
        const="one_at_a_time",
        help="each run waits until no run of the schedule is under way (default where the schedule has a rule of overlap)",
    )
    overlap.add_argument(
        "--side-by-side", dest="overlap", action="store_const", const="allow", help="runs don't wait for each other"
    )
    what = command.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="all backfills, or the schedule's, the newest first")
    what.add_argument("--watch", metavar="ID", help="show how far it is until it has ended")
    what.add_argument("--cancel", metavar="ID", help="send no more of it; runs that were sent go on")
    command.add_argument("--json", action="store_true", help="for programs")
    return command


def run(app: Celery, options: Any, language: Language) -> int:
    """Start, list, watch or cancel; returns the exit status."""
    backfills = Backfills(app)
    if options.watch:
        return _watch(backfills, options, language)
    if options.cancel:
        _write([backfills.cancel(options.cancel, by=user(), origin=ORIGIN)], options, language)
    elif options.list:
        found = backfills.list(options.name)
        _write(found, options, language)
        if not found and not options.json:
            write(_WORDS[language]["none"])
    else:
        _start(app, backfills, options, language)
    return DONE


def _start(app: Celery, backfills: Backfills, options: Any, language: Language) -> None:
    if not (options.name and options.start and options.end):
        raise LivebeatError(
            reason_en="Name a schedule and a range: livebeat backfill NAME --from INSTANT --to INSTANT. "
            "Or use --list, --watch ID or --cancel ID.",
            reason_ko="스케줄과 기간을 지정하세요: livebeat backfill NAME --from 시각 --to 시각. "
            "또는 --list, --watch ID, --cancel ID를 사용하세요.",
        )
    zone, words = link(app).zone, _WORDS[language]
    start, end = parsed(options.start, zone), parsed(options.end, zone, last=True)
    given = {"overlap": options.overlap, "rate": options.rate, "dry_run": options.dry_run}
    backfill = backfills.start(options.name, start, end, **given, by=user(), origin=ORIGIN)
    if options.json:
        _write([backfill], options, language)
        return
    facts = {**backfill.facts(), "name": plain(backfill.name), "overlap": words[backfill.overlap]}
    if not options.dry_run:
        write(words["started"].format(**facts))
        write(words["advice"].format(id=backfill.id))
        return
    write(words["planned"].format(**{**facts, "start": shown(start, zone), "end": shown(end, zone)}))
    for slot in islice(backfill.slots(), _SHOWN):
        write(f"  {shown(slot, zone)}")
    if backfill.total > _SHOWN:
        write(f"  {words['more'].format(count=backfill.total - _SHOWN)}")
    write(words["dry"])


def _watch(backfills: Backfills, options: Any, language: Language) -> int:
    pause, told = threading.Event(), ""
    while True:
        backfill = backfills.get(options.watch)
        line = _line(backfill, language)
        if line != told:
            _write([backfill], options, language)
            told = line
        if backfill.state != "running":
            is_well = backfill.state == "finished" and backfill.ended.get("succeeded", 0) == backfill.total
            return DONE if is_well else LOOK
        pause.wait(_PERIOD)


def _write(found: Iterable[Backfill], options: Any, language: Language) -> None:
    for backfill in found:
        if options.json:
            write(json.dumps({**backfill.facts(), "why": dict(backfill.why) or None}, ensure_ascii=False))
        else:
            write(_line(backfill, language))


def _line(backfill: Backfill, language: Language) -> str:
    words = _WORDS[language]
    ended = ", ".join(f"{words[end]} {count}" for end, count in backfill.ended.items())
    why = plain(backfill.why[language]) if backfill.why else ""
    facts = {**backfill.facts(), "name": plain(backfill.name), "state": words[backfill.state]}
    return words["line"].format(**{**facts, "ended": f" ({ended})" if ended else "", "why": f" — {why}" if why else ""})
