"""`./check_old_system.sh`: what the old consumer's database and Redis hold in store for the switch. Only reads.

Exit status: 0 nothing found but notes, 1 warnings, 2 errors, or it could not look.
"""

import argparse
import json
import locale
import sys
from collections.abc import Iterable

import redis
from django.db import DatabaseError, InterfaceError

from app.check_old_system.database import check_database
from app.check_old_system.findings import Findings
from app.check_old_system.queue import check_queue
from livebeat.errors import Language

CLEAN, WARNINGS, ERRORS = 0, 1, 2
_STATUS = {None: CLEAN, "note": CLEAN, "warning": WARNINGS, "error": ERRORS}
_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "error": "ERROR",
        "warning": "WARNING",
        "note": "NOTE",
        "do": "Do",
        "counted": "Counted",
        "written": "Nothing was written.",
        "users": "users",
        "posts": "posts",
        "statistics": "rows of statistics",
        "redis": "Redis",
    },
    "ko": {
        "error": "오류",
        "warning": "경고",
        "note": "참고",
        "do": "조치",
        "counted": "집계",
        "written": "아무것도 변경하지 않았습니다.",
        "users": "사용자",
        "posts": "게시글",
        "statistics": "통계 행",
        "redis": "Redis",
    },
}


def main(arguments: list[str] | None = None) -> int:
    """Print the findings; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="check_old_system.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--lang", choices=("ko", "en"), help="language; without it the locale's")
    options = parser.parse_args(arguments)
    language: Language = options.lang or ("en" if (locale.getlocale()[0] or "ko").startswith("en") else "ko")
    findings = look()
    text = as_json(findings) if options.json else "\n".join(as_text(findings, language))
    sys.stdout.write(f"{text}\n")
    return _STATUS[findings.worst]


def look() -> Findings:
    """Everything that can be looked at; what can't is a finding itself."""
    findings = Findings()
    known = False
    try:
        known = check_database(findings)
    except (DatabaseError, InterfaceError) as error:
        findings.add("database-down", reason=_line(error))
    try:
        check_queue(findings, users_known=known)
    except redis.RedisError as error:
        findings.add("redis-down", reason=_line(error))
    return findings


def as_text(findings: Findings, language: Language) -> Iterable[str]:
    """For people."""
    words = _WORDS[language]
    for finding in findings:
        yield f"{words[finding.severity]} {finding.kind}: {finding.what(language)}"
        yield f"  {words['do']}: {finding.do(language)}"
    figures = dict(findings.figures)
    lists = figures.pop("lists", {})
    told = [*(f"{words[name]} {value}" for name, value in figures.items()), *(f"{key} {n}" for key, n in lists.items())]
    yield f"{words['counted']}: {', '.join(told)}. {words['written']}" if told else words["written"]


def as_json(findings: Findings) -> str:
    """For programs."""
    told = [
        {
            "kind": finding.kind,
            "severity": finding.severity,
            "facts": finding.facts,
            "what": {"en": finding.what("en"), "ko": finding.what("ko")},
            "do": {"en": finding.do("en"), "ko": finding.do("ko")},
        }
        for finding in findings
    ]
    whole = {"status": _STATUS[findings.worst], "figures": findings.figures, "findings": told}
    return json.dumps(whole, ensure_ascii=False, indent=2)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
