"""`livebeat plan`, `apply` and `export`: a `schedules.json` compared with what is live, applied, and written anew."""

import json
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, cast, get_args

from celery import Celery

from livebeat.cli.output import DONE, FAILED, LOOK, plain, write
from livebeat.connection import Link, link
from livebeat.errors import ConfigurationError, Language
from livebeat.rules import Recurrence, describe
from livebeat.rules.zone import zone
from livebeat.seedfile import (
    Difference,
    OvertakenError,
    Plan,
    Planned,
    SeedFile,
    SeedPolicy,
    apply,
    export,
    parse,
    plan,
)
from livebeat.seedfile.doubts import day_doubts

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "create": "create",
        "change": "change",
        "remove": "remove",
        "same": "as it is",
        "edited": "left as edited live",
        "deleted": "deleted live, stays so",
        "kept": "not in the file any more, but edited live: stays, and is the file's no longer",
        "unread": "can't be read, stays; save it again or delete it",
        "forget": "neither in the file nor live",
        "file": "{field}: {live} → {file}",
        "overwritten": "{field}: {live} → {file}, over what was edited live",
        "live": "{field}: stays {live}; the file says {file}",
        "next": "next {at}",
        "unknown": "the app has no task {task}; a worker would drop its messages",
        "nothing": "Nothing to do.",
        "waiting": "Nothing was changed. Do it with livebeat apply.",
        "applied": "Applied.",
        "overtaken": "Another copy of the file began to be applied meanwhile; this one was left in the middle. Look at the plan.",
        "no_file": "no file is named, and livebeat_seed_file isn't set; name one",
    },
    "ko": {
        "create": "생성",
        "change": "변경",
        "remove": "삭제",
        "same": "그대로",
        "edited": "실행 중에 수정된 대로 유지",
        "deleted": "실행 중에 삭제됨, 그대로 둠",
        "kept": "파일에서 빠졌지만 실행 중에 수정됨: 유지하며, 더 이상 파일이 관리하지 않음",
        "unread": "읽을 수 없어 그대로 둠. 다시 저장하거나 삭제하세요",
        "forget": "파일에도 실행 중에도 없음",
        "file": "{field}: {live} → {file}",
        "overwritten": "{field}: {live} → {file} (실행 중에 수정된 값을 덮어씀)",
        "live": "{field}: {live} 유지 (파일: {file})",
        "next": "다음 실행 {at}",
        "unknown": "앱에 {task} 태스크가 없습니다. Worker가 메시지를 버리게 됩니다",
        "nothing": "할 일이 없습니다.",
        "waiting": "아무것도 변경하지 않았습니다. livebeat apply로 적용하세요.",
        "applied": "적용했습니다.",
        "overtaken": "그 사이에 다른 사본이 적용되기 시작하여 중간에 멈췄습니다. livebeat plan으로 확인하세요.",
        "no_file": "파일을 지정하지 않았고 livebeat_seed_file 설정도 없습니다. 파일을 지정하세요",
    },
}
_SIGNS = {"create": "+", "change": "~", "remove": "-", "same": "=", "edited": "!", "deleted": "!", "kept": "!",
          "unread": "!", "forget": "="}  # fmt: skip


def add_parsers(commands: Any) -> list[Any]:
    """The three commands' own arguments; returns their parsers."""
    planning = commands.add_parser(
        "plan",
        help="what applying a schedules.json would do",
        description="Shows what livebeat apply would do, field by field, and who wins. Exit status 0 nothing to do, 3 "
        "changes are waiting, 1 the file can't be applied.",
    )
    applying = commands.add_parser(
        "apply",
        help="apply a schedules.json",
        description="Applies the file as the leading beat would: what was changed in it wins, what was edited live and not "
        "in the file survives. Exit status 0 applied, 1 it can't be.",
    )
    for command in (planning, applying):
        command.add_argument("file", metavar="FILE", type=Path, nargs="?", help="without it the beat's")
        command.add_argument(
            "--policy", choices=get_args(SeedPolicy), help="without it the app's (livebeat_seed_policy)"
        )
        command.add_argument("--force", action="store_true", help="also where more than half of the schedules are gone")
        command.add_argument("--json", action="store_true", help="for programs")
    exporting = commands.add_parser(
        "export",
        help="the live schedules as a schedules.json",
        description="Writes the schedules as a file that livebeat apply takes: without names all but those of beat_schedule.",
    )
    exporting.add_argument("names", metavar="NAME", nargs="*", help="only these schedules")
    return [planning, applying, exporting]


def run(app: Celery, options: Any, language: Language) -> int:
    """`plan`, `apply` and `export`; returns the exit status."""
    at, words = link(app), _WORDS[language]
    if options.command == "export":
        sys.stdout.buffer.write(export(at, options.names or None).encode())  # a file is UTF-8, whatever the terminal is
        return DONE
    file = SeedFile.read(_path(app, options, language))
    policy = cast("SeedPolicy", options.policy or app.conf.get("livebeat_seed_policy", "merge"))
    applies = options.command == "apply"
    try:
        found = (apply if applies else plan)(at, file, policy, force=options.force)
    except OvertakenError:
        write(words["overtaken"])
        return FAILED
    doubts = _doubts(app, file, language)
    if options.json:
        write(json.dumps({**found.to_json(), "doubts": doubts}, ensure_ascii=False, indent=2))
    else:
        for line in _report(at, found, doubts, language, applied=applies):
            write(line)
    return LOOK if found.changes and not applies else DONE


def _path(app: Celery, options: Any, language: Language) -> Path:
    path = options.file or app.conf.get("livebeat_seed_file")
    if not path:
        raise ConfigurationError(reason=_WORDS[language]["no_file"])
    return Path(path)


def _doubts(app: Celery, file: SeedFile, language: Language) -> dict[str, str]:
    """What somebody should look at, by name: a day that may have been meant otherwise, a task that no worker knows."""
    specs = parse(file.text, file.path)
    unknown = _WORDS[language]["unknown"]
    tasks = {name: unknown.format(task=spec.task) for name, spec in specs.items() if spec.task not in app.tasks}
    return {**day_doubts(file.text, specs.values(), language), **tasks}


def _report(at: Link, found: Plan, doubts: dict[str, str], language: Language, *, applied: bool) -> Iterable[str]:
    words, zone_ = _WORDS[language], zone(at.zone)
    counts: Counter[str] = Counter()
    for step in found.steps:
        kind = "edited" if step.merged.action == "same" and step.merged.differences else step.merged.action
        counts[kind] += 1
        if kind not in {"same", "forget"} or step.name in doubts:
            yield f"{_SIGNS[kind]} {words[kind]}: {plain(step.name)}{_details(step, zone_, at.zone, language)}"
        for one in step.merged.differences:
            yield f"    {_difference(one, words, language)}"
        if step.name in doubts:
            yield f"    ? {plain(doubts[step.name])}"
    if counts:
        yield ", ".join(f"{words[kind]} {counts[kind]}" for kind in _SIGNS if counts[kind])
    if found.changes:
        yield words["applied" if applied else "waiting"]
    else:
        yield words["nothing"]


def _details(step: Planned, zone_: tzinfo, zone_name: str, language: Language) -> str:
    spec = step.merged.spec
    if spec is None:
        return ""
    rule_zone = getattr(spec.recurrence, "timezone", None) or zone_name
    parts = [spec.task, f"{describe(spec.recurrence, language)} ({rule_zone})"]
    if step.next_at is not None:
        parts.append(_WORDS[language]["next"].format(at=_at(step.next_at, zone_)))
    return plain(f" — {', '.join(parts)}")


def _difference(one: Difference, words: dict[str, str], language: Language) -> str:
    kind = "live" if one.wins == "live" else "overwritten" if one.edited else "file"
    return plain(words[kind].format(field=one.field, live=_value(one.live, language), file=_value(one.file, language)))


def _value(value: Any, language: Language) -> str:
    if isinstance(value, Recurrence):
        return describe(value, language)
    if isinstance(value, datetime):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False, default=dict)


def _at(instant: datetime, zone_: tzinfo) -> str:
    return f"{instant.astimezone(zone_):%Y-%m-%d %H:%M:%S}"
