"""`livebeat import-beat`: bring schedules in from the file of Celery's PersistentScheduler.

It only shows what it would do, unless `--apply` says to do it. Nothing is ever changed or removed.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from celery import Celery

from livebeat.cli.output import DONE, LOOK, write
from livebeat.connection import link
from livebeat.errors import Language
from livebeat.rules import describe
from livebeat.rules.zone import zone
from livebeat.seedfile.importing import Step, apply, plan
from livebeat.seedfile.persistent import Candidate, read_persistent

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "create": "create",
        "same": "as it is",
        "left": "left",
        "skip": "skipped",
        "differs": "one of this name is there and says something else",
        "next": "next",
        "due": "due at once, it was missed",
        "off": "paused",
        "unknown": "the app has no task {task}; a worker would drop its messages",
        "dry": "Nothing was changed. Do it with --apply.",
        "applied": "Done.",
        "empty": "The file holds no schedules.",
    },
    "ko": {
        "create": "생성",
        "same": "그대로",
        "left": "유지",
        "skip": "제외",
        "differs": "같은 이름의 다른 스케줄이 이미 있습니다",
        "next": "다음 실행",
        "due": "놓친 실행이 있어 바로 실행됩니다",
        "off": "일시정지",
        "unknown": "앱에 {task} 태스크가 없습니다. Worker가 메시지를 버리게 됩니다",
        "dry": "아무것도 변경하지 않았습니다. 적용하려면 --apply를 붙이세요.",
        "applied": "완료했습니다.",
        "empty": "파일에 스케줄이 없습니다.",
    },
}
_SIGNS = {"create": "+", "same": "=", "left": "!", "skip": "!"}


def add_parser(commands: Any) -> Any:
    """The command's own arguments; returns its parser."""
    command = commands.add_parser(
        "import-beat",
        help="from the file of Celery's PersistentScheduler (celerybeat-schedule)",
        description="Brings the schedules of a stopped celery beat over: they go on where it stopped, so nothing runs "
        "early or again. A schedule that is there already is left as it is. The file is only read.",
    )
    command.add_argument(
        "--from-now", action="store_true", help="count from now: what was missed since that beat stopped stays missed"
    )
    command.add_argument("file", metavar="FILE", type=Path)
    command.add_argument("--apply", action="store_true", help="do it; without this it is only shown")
    return command


def run(app: Celery, options: Any, language: Language) -> int:
    """Show, or bring in; returns the exit status."""
    candidates = read_persistent(options.file, link(app).zone)
    if options.from_now:
        candidates = [replace(candidate, progress=None) for candidate in candidates]
    unknown = _unknown_tasks(app, candidates, language)
    steps = plan(app, candidates)
    if options.apply:
        steps = apply(app, steps, by=options.file.name)
    now = link(app).now()
    for line in _report(app, steps, unknown, now, language, applied=options.apply):
        write(line)
    return LOOK if unknown or any(step.action in {"left", "skip"} for step in steps) else DONE


def _unknown_tasks(app: Celery, candidates: Iterable[Candidate], language: Language) -> dict[str, str]:
    return {
        candidate.name: _WORDS[language]["unknown"].format(task=candidate.spec.task)
        for candidate in candidates
        if candidate.spec is not None and candidate.spec.task not in app.tasks
    }


def _report(
    app: Celery, steps: Sequence[Step], unknown: dict[str, str], now: datetime, language: Language, *, applied: bool
) -> Iterable[str]:
    words = _WORDS[language]
    for step in steps:
        yield f"{_SIGNS[step.action]} {words[step.action]}: {step.name}{_details(step, now, link(app).zone, language)}"
        if step.name in unknown:
            yield f"    ? {unknown[step.name]}"
    if not steps:
        yield words["empty"]
        return
    counts = Counter(step.action for step in steps)
    yield ", ".join(f"{words[action]} {counts[action]}" for action in _SIGNS if counts[action])  # type: ignore[index]
    if applied or counts["create"]:
        yield words["applied"] if applied else words["dry"]


def _details(step: Step, now: datetime, zone_name: str, language: Language) -> str:
    words = _WORDS[language]
    if step.problem is not None:
        return f" — {step.problem.text(language)}"
    if step.spec is None:
        return ""
    rule = step.spec.recurrence
    rule_zone = getattr(rule, "timezone", None) or zone_name
    parts = [step.spec.task, f"{describe(rule, language)} ({rule_zone})"]
    if step.action == "left":
        parts.append(words["differs"])
    elif step.action == "create" or step.action == "same":
        parts.append(_when(step, now, zone_name, words))
    return f" — {', '.join(parts)}"


def _when(step: Step, now: datetime, zone_name: str, words: dict[str, str]) -> str:
    if step.next_at is None:
        return words["off"]
    if step.next_at <= now:
        return words["due"]
    return f"{words['next']} {step.next_at.astimezone(zone(zone_name)):%Y-%m-%d %H:%M:%S}"
