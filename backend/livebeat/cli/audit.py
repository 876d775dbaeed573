"""`livebeat doctor`: prints what the audit of an existing RedBeat database found."""

import json
from collections.abc import Iterable
from typing import Any

from celery import Celery

from livebeat.cli.output import plain, write
from livebeat.connection import link
from livebeat.doctor import KINDS, Audit, Finding, audit
from livebeat.errors import Language

CLEAN, WARNINGS, ERRORS = 0, 1, 2
_STATUS = {None: CLEAN, "note": CLEAN, "warning": WARNINGS, "error": ERRORS}

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "error": "ERROR",
        "warning": "WARNING",
        "note": "NOTE",
        "do": "Do: ",
        "more": "… and {count} more",
        "looked": "Looked at {count} schedules of {key}. Nothing was written.",
        "clean": "Nothing to report.",
    },
    "ko": {
        "error": "오류",
        "warning": "경고",
        "note": "참고",
        "do": "조치: ",
        "more": "… 외 {count}개",
        "looked": "{key}의 스케줄 {count}개를 확인했습니다. 아무것도 변경하지 않았습니다.",
        "clean": "문제가 없습니다.",
    },
}


def add_parser(commands: Any) -> Any:
    """The command's own arguments; returns its parser."""
    command = commands.add_parser(
        "doctor",
        help="audit an existing RedBeat database and its server, before adopting it or at any time",
        description="Only reads; writes nothing, takes no lock. Exit status 0 nothing found but notes, 1 warnings, "
        "2 errors, or it could not look.",
    )
    command.add_argument("--json", action="store_true", help="for programs")
    return command


def run(app: Celery, options: Any, language: Language) -> int:
    """Print the findings; returns the exit status."""
    found = audit(app)
    text = _as_json(found) if options.json else "\n".join(_as_text(found, link(app).keys.schedule, language))
    write(text)
    return _STATUS[found.worst]


def _as_text(found: Audit, key: str, language: Language) -> Iterable[str]:
    words = _WORDS[language]
    for finding in found.findings:
        yield from _lines(finding, language)
        yield ""
    if not found.findings:
        yield words["clean"]
    yield words["looked"].format(count=found.schedules, key=key)


def _lines(finding: Finding, language: Language) -> Iterable[str]:
    words, kind = _WORDS[language], KINDS[finding.kind]
    yield f"{words[kind.severity]} {finding.kind} ({finding.count}): {kind.what[language]}"
    yield f"  {words['do']}{kind.do[language]}"
    for subject, special in finding.subjects:
        yield f"  - {plain(subject)}" + (f": {plain(special.text(language))}" if special else "")
    if finding.count > len(finding.subjects):
        yield f"  {words['more'].format(count=finding.count - len(finding.subjects))}"


def _as_json(found: Audit) -> str:
    findings = [
        {
            "kind": finding.kind,
            "severity": finding.severity,
            "count": finding.count,
            "what": KINDS[finding.kind].what,
            "do": KINDS[finding.kind].do,
            "subjects": [
                {"subject": subject, "detail": {"en": one.text("en"), "ko": one.text("ko")} if one else None}
                for subject, one in finding.subjects
            ],
        }
        for finding in found.findings
    ]
    told = {"status": _STATUS[found.worst], "schedules": found.schedules, "findings": findings}
    return json.dumps(told, ensure_ascii=False, indent=2)
