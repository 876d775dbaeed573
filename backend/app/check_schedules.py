"""`./check_schedules.sh`: what is really in Redis, who leads, which workers answer, and the last runs.

Exit status: 0 healthy, 1 no schedules, 2 Redis doesn't answer or no beat leads.
"""

import argparse
import json
import locale
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import redis
from django.db import DatabaseError

from app.core.bootstrap import boot
from app.core.celery_app import celery_app
from app.core.settings import get_settings
from livebeat import ScheduleStore, StoredSchedule, clock, leader
from livebeat.beat.leader import TOKEN_PREFIX
from livebeat.connection import link
from livebeat.errors import Language, LivebeatError, SeedFileError
from livebeat.rules import describe
from livebeat.rules.zone import zone as zone_of
from livebeat.seedfile import SeedFile, differences, plan, problem_of

HEALTHY, NO_SCHEDULES, DOWN = 0, 1, 2
_PING_SECONDS = 1.0

_WORDS: dict[Language, dict[str, str]] = {
    "ko": {
        "title": "📅 Celery Beat 스케줄 확인",
        "now": "⏰ 현재 시간",
        "list": "📋 등록된 스케줄 목록:",
        "none": "⚠️  등록된 스케줄이 없습니다.",
        "task": "태스크",
        "args": "인자",
        "rule": "스케줄",
        "zone": "시간대",
        "state": "상태",
        "on": "활성",
        "off": "일시정지",
        "aside": "제외됨",
        "description": "설명",
        "last": "마지막 실행",
        "next": "다음 실행",
        "left": "남은 시간",
        "origin": "출처",
        "file": "파일과 차이",
        "edited": "실행 중에 수정됨",
        "missing": "실행 중에 삭제됨",
        "pending": "파일이 바뀌었지만 아직 적용되지 않음",
        "never": "없음",
        "beat": "💓 Beat",
        "no_beat": "❌ 실행 중인 Beat가 없습니다. ./run_celery_beat.sh 로 시작하세요.",
        "foreign": "⚠️  Livebeat가 아닌 Beat가 잠금을 가지고 있습니다",
        "workers": "👷 Worker",
        "no_workers": "⚠️  응답하는 Worker가 없습니다. ./run_celery_worker.sh 로 시작하세요.",
        "runs": "🕘 최근 작업:",
        "no_database": "⚠️  데이터베이스에 연결할 수 없어 최근 작업을 표시할 수 없습니다.",
        "no_redis": "❌ Redis에 연결할 수 없습니다",
        "bad_file": "⚠️  스케줄 파일",
    },
    "en": {
        "title": "📅 Celery Beat schedules",
        "now": "⏰ Now",
        "list": "📋 Schedules:",
        "none": "⚠️  There are no schedules.",
        "task": "task",
        "args": "arguments",
        "rule": "schedule",
        "zone": "zone",
        "state": "state",
        "on": "enabled",
        "off": "paused",
        "aside": "set aside",
        "description": "description",
        "last": "last run",
        "next": "next run",
        "left": "time left",
        "origin": "origin",
        "file": "against the file",
        "edited": "edited live",
        "missing": "deleted live",
        "pending": "the file was changed, and that is not applied yet",
        "never": "none",
        "beat": "💓 Beat",
        "no_beat": "❌ No beat is running. Start one with ./run_celery_beat.sh.",
        "foreign": "⚠️  A beat that is not Livebeat's holds the lock",
        "workers": "👷 Workers",
        "no_workers": "⚠️  No worker answers. Start one with ./run_celery_worker.sh.",
        "runs": "🕘 Last runs:",
        "no_database": "⚠️  The database does not answer, so the last runs can't be shown.",
        "no_redis": "❌ Redis does not answer",
        "bad_file": "⚠️  Schedules file",
    },
}


@dataclass(frozen=True)
class Report:
    """Everything that the command shows. `runs` is None where the database doesn't answer."""

    now: datetime
    schedules: list[StoredSchedule]
    differences: dict[str, str]
    file_problem: LivebeatError | None
    leader: str | None
    workers: list[str]
    runs: list[dict[str, Any]] | None

    @property
    def status(self) -> int:
        """The exit status."""
        if not (self.leader or "").startswith(TOKEN_PREFIX):
            return DOWN
        return HEALTHY if self.schedules else NO_SCHEDULES


def gather() -> Report:
    """Ask Redis, the workers, the file and the database.

    Raises:
        redis.RedisError: Redis doesn't answer.
    """
    settings = get_settings()
    at, found, problem = link(celery_app), {}, problem_of(link(celery_app))
    try:
        file = SeedFile.read(Path(settings.livebeat_schedules_file))
        found = differences(plan(at, file, settings.livebeat_seed_policy))
    except SeedFileError as error:
        problem = error
    answers = celery_app.control.ping(timeout=_PING_SECONDS)
    return Report(
        now=clock.now(),
        schedules=ScheduleStore(celery_app).list(),
        differences=found,
        file_problem=problem,
        leader=leader(celery_app),
        workers=sorted(name for answer in answers for name in answer),
        runs=_last_runs(),
    )


def _last_runs() -> list[dict[str, Any]] | None:
    boot()
    from app.history.queries import recent_runs  # Django's models exist only after boot

    try:
        rows, _ = recent_runs(limit=5)
        return [
            {
                "id": row.id,
                "schedule": row.schedule,
                "task": row.task,
                "state": row.state,
                "at": (row.finished_at or row.started_at or row.dispatched_at),
            }
            for row in rows
        ]
    except DatabaseError:
        return None


def as_text(report: Report, language: Language) -> Iterable[str]:
    """The report's lines for a person."""
    words = _WORDS[language]
    zone = ZoneInfo(str(celery_app.timezone))
    yield words["title"]
    yield f"{words['now']}: {report.now.astimezone(zone):%Y-%m-%d %H:%M:%S %A} ({zone.key})"
    yield ""
    if report.schedules:
        yield words["list"]
        for stored in report.schedules:
            yield ""
            yield from _schedule_lines(stored, report, words, language)
    else:
        yield words["none"]
    there = {stored.spec.name for stored in report.schedules}
    for kind in ("missing", "pending"):
        gone = [name for name, found in report.differences.items() if found == kind and name not in there]
        if gone:
            yield f"\n{words['file']}: {', '.join(gone)} ({words[kind]})"
    if report.file_problem:
        yield f"\n{words['bad_file']}: {report.file_problem.text(language)}"
    yield ""
    yield from _process_lines(report, words)
    yield from _run_lines(report, words, zone)


def _schedule_lines(stored: StoredSchedule, report: Report, words: dict[str, str], language: Language) -> Iterable[str]:
    spec = stored.spec
    name = getattr(spec.recurrence, "timezone", None) or str(celery_app.timezone)
    zone = zone_of(name)
    yield f"🔹 {spec.name}"
    yield f"   {words['task']}: {spec.task}"
    if spec.args or spec.kwargs:
        arguments = [json.dumps(value, ensure_ascii=False) for value in spec.args]
        arguments += [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in spec.kwargs.items()]
        yield f"   {words['args']}: {', '.join(arguments)}"
    yield f"   {words['rule']}: {describe(spec.recurrence, language)} ({name})"
    if spec.description:
        yield f"   {words['description']}: {spec.description}"
    yield f"   {words['state']}: {_state(stored, words)}"
    yield f"   {words['last']}: {_at(stored.last_run_at if stored.total_runs else None, zone, words)}"
    yield f"   {words['next']}: {_at(stored.next_at, zone, words)}"
    if stored.next_at:
        yield f"   {words['left']}: {_duration(stored.next_at - report.now, language)}"
    origin = f"{stored.origin} ({stored.by})" if stored.by else stored.origin
    yield f"   {words['origin']}: {origin}"
    if spec.name in report.differences:
        yield f"   {words['file']}: {words[report.differences[spec.name]]}"


def _process_lines(report: Report, words: dict[str, str]) -> Iterable[str]:
    if not report.leader:
        yield words["no_beat"]
    elif report.leader.startswith(TOKEN_PREFIX):
        yield f"{words['beat']}: {report.leader}"
    else:
        yield f"{words['foreign']}: {report.leader}"
    yield f"{words['workers']}: {', '.join(report.workers)}" if report.workers else words["no_workers"]


def _run_lines(report: Report, words: dict[str, str], zone: ZoneInfo) -> Iterable[str]:
    if report.runs is None:
        yield words["no_database"]
        return
    yield words["runs"] if report.runs else f"{words['runs']} {words['never']}"
    for run in report.runs:
        yield f"   {run['state']:<10} {_at(run['at'], zone, words)}  {run['schedule'] or '-'}  {run['task']}"


def _state(stored: StoredSchedule, words: dict[str, str]) -> str:
    if stored.problem:
        return f"{words['aside']}: {stored.problem}"
    return words["on"] if stored.spec.enabled else words["off"]


def _at(instant: datetime | None, zone: tzinfo, words: dict[str, str]) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S %A}" if instant else words["never"]


def _duration(left: timedelta, language: Language) -> str:
    minutes = max(int(left.total_seconds()) // 60, 0)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if language == "ko":
        return f"{days}일 {hours}시간 {minutes}분" if days else f"{hours}시간 {minutes}분"
    return f"{days} d {hours} h {minutes} min" if days else f"{hours} h {minutes} min"


def as_json(report: Report) -> str:
    """The report for a program."""
    return json.dumps(
        {
            "status": report.status,
            "leader": report.leader,
            "workers": report.workers,
            "file_problem": str(report.file_problem) if report.file_problem else None,
            "differences": report.differences,
            "schedules": [
                {
                    **stored.spec.to_json(),
                    "words": {language: describe(stored.spec.recurrence, language) for language in ("ko", "en")},
                    "revision": stored.revision,
                    "next_at": stored.next_at,
                    "last_run_at": stored.last_run_at,
                    "total_runs": stored.total_runs,
                    "origin": stored.origin,
                    "by": stored.by,
                    "problem": stored.problem,
                }
                for stored in report.schedules
            ],
            "runs": report.runs,
        },
        ensure_ascii=False,
        indent=2,
        default=lambda value: value.isoformat(),
    )


def main(arguments: list[str] | None = None) -> int:
    """Print the report; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="check_schedules.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--lang", choices=("ko", "en"), help="language; without it the locale's")
    options = parser.parse_args(arguments)
    language: Language = options.lang or ("en" if (locale.getlocale()[0] or "ko").startswith("en") else "ko")
    try:
        report = gather()
    except redis.RedisError as error:
        sys.stderr.write(f"{_WORDS[language]['no_redis']}: {error}\n")
        return DOWN
    text = as_json(report) if options.json else "\n".join(as_text(report, language))
    sys.stdout.write(f"{text}\n")
    return report.status


if __name__ == "__main__":
    sys.exit(main())
