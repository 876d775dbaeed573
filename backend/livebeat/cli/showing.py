"""`livebeat show` and `preview`: a schedule in words with its next instants, and what an edit would change of them."""

import json
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from celery import Celery

from livebeat.cli.instants import parsed, shown
from livebeat.cli.output import DONE, plain, write
from livebeat.connection import link
from livebeat.entry import StoredSchedule
from livebeat.errors import Language, LivebeatError
from livebeat.lookahead import Upcoming, preview, upcoming
from livebeat.rules import Cron, Interval, Once, Recurrence, RRule, describe, from_json
from livebeat.spec import POLICIES, ScheduleSpec
from livebeat.store import ScheduleStore

_COUNT = 10

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "none": "There are no schedules.",
        "rule": "rule: {rule} ({zone})",
        "task": "task: {task}{args}",
        "options": "options: {options}",
        "policies": "policies: {policies}",
        "labels": "labels: {labels}",
        "changed": "revision {revision}, changed {at} by {by} ({origin})",
        "runs": "runs: {count}, the last for {at}",
        "never": "runs: none yet",
        "paused": "PAUSED since {at}{by}{until}{note}",
        "by": " by {by}",
        "until": ", until {until}",
        "off": "PAUSED",
        "problem": "SET ASIDE: {problem}",
        "over": "finished: no further slot",
        "next": "next:",
        "before": "before:",
        "after": "after:",
        "gone": "gone: {count}, the first {at}",
        "new": "new: {count}, the first {at}",
        "same": "No slot changes.",
        "nothing": "  none",
        "unsaved": "Nothing was saved.",
    },
    "ko": {
        "none": "스케줄이 없습니다.",
        "rule": "규칙: {rule} ({zone})",
        "task": "태스크: {task}{args}",
        "options": "옵션: {options}",
        "policies": "정책: {policies}",
        "labels": "라벨: {labels}",
        "changed": "리비전 {revision}, {at}에 {by} 변경 ({origin})",
        "runs": "실행: {count}회, 마지막 슬롯 {at}",
        "never": "실행: 아직 없음",
        "paused": "일시정지: {at}부터{by}{until}{note}",
        "by": ", {by}",
        "until": ", {until}까지",
        "off": "일시정지",
        "problem": "제외됨: {problem}",
        "over": "종료: 더 실행할 시각이 없습니다",
        "next": "다음 실행:",
        "before": "변경 전:",
        "after": "변경 후:",
        "gone": "사라짐: {count}개, 처음 {at}",
        "new": "추가됨: {count}개, 처음 {at}",
        "same": "바뀌는 슬롯이 없습니다.",
        "nothing": "  없음",
        "unsaved": "아무것도 저장하지 않았습니다.",
    },
}


def add_parsers(commands: Any) -> list[ArgumentParser]:
    """The two commands' own arguments; returns their parsers."""
    show = commands.add_parser(
        "show",
        help="a schedule in words, with its next instants; or all, a line each",
        description="Shows a schedule: its rule in words, its policies, its next instants with what the clocks do there. "
        "Without a name every schedule has a line.",
    )
    show.add_argument("name", metavar="NAME", nargs="?", help="the schedule")
    edit = commands.add_parser(
        "preview",
        help="what an edit of a schedule's time would change",
        description="Shows a schedule's next instants as they are and as they would be after an edit. Saves nothing.",
    )
    edit.add_argument("name", metavar="NAME", help="the schedule")
    rule = edit.add_mutually_exclusive_group()
    rule.add_argument("--cron", metavar="EXPRESSION", help="five fields, or six with seconds first")
    rule.add_argument("--every", metavar="SECONDS", type=float, help="an interval")
    rule.add_argument("--rrule", metavar="RULE", help="a rule of RFC 5545, such as FREQ=WEEKLY;BYDAY=MO")
    rule.add_argument("--once", metavar="INSTANT", help="a single instant, ISO 8601")
    rule.add_argument("--recurrence", metavar="JSON", help="any rule, as a schedules file writes it")
    edit.add_argument("--timezone", metavar="ZONE", help="for --cron and --rrule (default: the app's)")
    edit.add_argument("--start", metavar="INSTANT", help="no slot before it")
    edit.add_argument("--end", metavar="INSTANT", help="no slot after it")
    for command in (show, edit):
        command.add_argument("--count", type=int, default=_COUNT, help="instants shown (default: %(default)s)")
        command.add_argument("--json", action="store_true", help="for programs")
    return [show, edit]


def run(app: Celery, options: Any, language: Language) -> int:
    """Print it; returns the exit status."""
    store, at = ScheduleStore(app), link(app)
    if options.command == "preview":
        stored = store.get(options.name)
        _preview(stored, _edited(stored.spec, options, at.zone), at.now(), at.zone, options, language)
    elif options.name:
        _show(store.get(options.name), at.now(), at.zone, options, language)
    else:
        _show_all(store.list(), at.zone, options, language)
    return DONE


def _edited(spec: ScheduleSpec, options: Any, zone: str) -> ScheduleSpec:
    instants = {name: parsed(text, zone) for name in ("start", "end") if (text := getattr(options, name))}
    rule = _rule(options, zone)
    return spec.with_changes(recurrence=rule or spec.recurrence, **instants)


def _rule(options: Any, zone: str) -> Recurrence | None:
    """The rule that was typed; None where there is none."""
    if options.cron is not None:
        return Cron(options.cron, timezone=options.timezone)
    if options.rrule is not None:
        return RRule(options.rrule, timezone=options.timezone)
    if options.every is not None:
        return Interval(seconds=options.every)
    if options.once is not None:
        return Once(parsed(options.once, zone))
    return from_json(_object(options.recurrence)) if options.recurrence is not None else None


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise LivebeatError(
            reason_en=f"--recurrence is no JSON: {error}", reason_ko=f"--recurrence가 JSON이 아닙니다: {error}"
        ) from None


def _show_all(found: Sequence[StoredSchedule], zone: str, options: Any, language: Language) -> None:
    for stored in found:
        if options.json:
            write(_json(_facts(stored, language)))
            continue
        state = shown(stored.next_at, zone) if stored.next_at else _state(stored, zone, language)
        write(f"{plain(stored.spec.name)}  {state}  {describe(stored.spec.rule, language)}")
    if not found and not options.json:
        write(_WORDS[language]["none"])


def _show(stored: StoredSchedule, now: datetime, zone: str, options: Any, language: Language) -> None:
    coming = upcoming(stored, now, options.count, language, zone=zone)
    if options.json:
        write(_json({**_facts(stored, language), "upcoming": [_instant(each) for each in coming]}))
        return
    words = _WORDS[language]
    for line in _lines(stored, zone, language):
        write(line)
    if coming:
        write(words["next"])
    for line in _listed(coming):
        write(line)


def _lines(stored: StoredSchedule, zone: str, language: Language) -> Iterable[str]:
    spec, words = stored.spec, _WORDS[language]
    yield plain(spec.name) + (f": {plain(spec.description)}" if spec.description else "")
    if state := _state(stored, zone, language):
        yield state
    rule_zone = getattr(spec.recurrence, "timezone", None) or zone
    yield words["rule"].format(rule=describe(spec.recurrence, language), zone=rule_zone)
    given = [*map(repr, spec.args), *(f"{name}={value!r}" for name, value in spec.kwargs.items())]
    yield words["task"].format(task=plain(spec.task), args=f"({plain(', '.join(given))})" if given else "")
    if spec.options:
        yield words["options"].format(options=plain(_json(spec.options)))
    yield words["policies"].format(
        policies=", ".join(f"{name} {value}" for name, value in _policies(spec, zone).items())
    )
    if spec.labels:
        yield words["labels"].format(labels=plain(", ".join(spec.labels)))
    if stored.total_runs and stored.last_run_at:
        yield words["runs"].format(count=stored.total_runs, at=shown(stored.last_run_at, zone))
    else:
        yield words["never"]
    if stored.changed_at:
        at, by = shown(stored.changed_at, zone), plain(stored.by or "?")
        yield words["changed"].format(revision=stored.revision, at=at, by=by, origin=plain(stored.origin))


def _policies(spec: ScheduleSpec, zone: str) -> dict[str, Any]:
    """What applies of them: catch-up always, each other where it isn't the default."""
    chosen = {name: getattr(spec, name) for name in ("catchup", "catchup_window", *POLICIES)}
    return {
        name: shown(value, zone) if isinstance(value, datetime) else value
        for name, value in chosen.items()
        if name == "catchup" or value != POLICIES.get(name)
    }


def _state(stored: StoredSchedule, zone: str, language: Language) -> str:
    """Why a schedule has no next slot; '' for one that runs."""
    words, pause = _WORDS[language], stored.pause
    if stored.problem:
        return words["problem"].format(problem=plain(stored.problem))
    if not stored.spec.enabled and pause is None:
        return words["off"]
    if pause is not None:
        by = words["by"].format(by=plain(pause.by)) if pause.by else ""
        until = words["until"].format(until=shown(pause.until, zone)) if pause.until else ""
        note = f": {plain(pause.note)}" if pause.note else ""
        return words["paused"].format(at=shown(pause.at, zone), by=by, until=until, note=note)
    return "" if stored.next_at else words["over"]


def _preview(
    stored: StoredSchedule, spec: ScheduleSpec, now: datetime, zone: str, options: Any, language: Language
) -> None:
    found = preview(stored, spec, now, options.count, language, zone=zone)
    if options.json:
        told = {name: [_instant(each) for each in getattr(found, name)] for name in ("before", "after")}
        write(_json({**told, "lost": found.lost, "gained": found.gained}))
        return
    words = _WORDS[language]
    for name, coming in (("before", found.before), ("after", found.after)):
        write(words[name])
        for line in _listed(coming) if coming else [words["nothing"]]:
            write(line)
    for word, instants in (("gone", found.lost), ("new", found.gained)):
        if instants:
            write(words[word].format(count=len(instants), at=shown(instants[0], zone)))
    if found.before == found.after:
        write(words["same"])
    write(words["unsaved"])


def _listed(coming: Iterable[Upcoming]) -> Iterable[str]:
    for each in coming:
        yield f"  {each.local.isoformat(sep=' ', timespec='seconds')}" + (f"  {each.shift}" if each.shift else "")


def _instant(each: Upcoming) -> dict[str, Any]:
    return {"at": each.at, "local": each.local, "shift": each.shift}


def _facts(stored: StoredSchedule, language: Language) -> dict[str, Any]:
    spec = stored.spec.to_json()
    return {
        **spec,
        "in_words": describe(stored.spec.rule, language),
        "next_at": stored.next_at,
        "last_run_at": stored.last_run_at if stored.total_runs else None,
        "total_runs": stored.total_runs,
        "pause": stored.pause.to_json() if stored.pause else None,
        "problem": stored.problem,
        "revision": stored.revision,
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda one: one.isoformat())
