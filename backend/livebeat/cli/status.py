"""`livebeat status`: who leads, what waits, what is set aside and why. Answers whatever else is broken but Redis."""

import json
from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Any

from celery import Celery

from livebeat.cli.output import DONE, LOOK, plain, write
from livebeat.cli.state import State, read_state
from livebeat.connection import link
from livebeat.errors import Language, LivebeatError
from livebeat.rules.zone import zone

SHOWN = 20

_WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "leader": "leader: {host}, process {pid}, term {term}, last tick {age:.1f} s ago",
        "quiet": "leader: {token} (no heartbeat)",
        "no_leader": "leader: none. Start one with celery beat.",
        "foreign": "leader: FOREIGN, {token}. It is not Livebeat's; nothing is dispatched until it ends.",
        "standby": "standby: {host}, process {pid}, last tick {age:.1f} s ago",
        "silent": "silent: {host}, process {pid}, {role}, no tick for {age:.0f} s",
        "holds": "dispatch: HELD ({holds}) by {host}, process {pid}",
        "foreign_hold": "a beat that is not Livebeat's has the lock",
        "clock_hold": "Redis' clock stepped back; it goes on once the clock has caught up",
        "schedules": "schedules: {schedules} ({paused} paused, {finished} finished, {aside} set aside)",
        "next": "next due: {at} {name}",
        "overdue": "OVERDUE: {count}, the oldest since {at} {name}",
        "ledger": "ledger: {ledger} unfinished runs",
        "given_up": "GIVEN UP: {count} runs and messages. See them, and why, with livebeat dead.",
        "unledgered": "ledger: off ({reason})",
        "plain": "PLAIN WORKERS on queue '{queue}': {workers}. They don't call livebeat.install(app): until they are gone, "
        "messages of this queue don't go through the ledger, and none is pushed again; a run that is lost with its worker "
        "is not repeated. Stop them, or start them with the app that calls it.",
        "unchecked": "CONSUMERS NOT CHECKED: the leader can't ask the workers which queues they consume ({error}). Until it "
        "can, messages that nobody claims are not pushed again.",
        "workers": "workers: {count} with livebeat.install",
        "uncached": "slow path: messages are built one by one ({reason})",
        "seed": "SCHEDULES FILE: {reason}",
        "backfill": "backfill: {name}, {done} of {total} runs ended, {sent} sent ({id})",
        "events": "event stream: {events} entries",
        "unread": "EVENTS UNREAD: group '{group}', for {minutes:.0f} minutes. What reads for it doesn't run, or hangs; the "
        "stream keeps everything for it meanwhile. Start it; if it is gone for good: redis-cli XGROUP DESTROY {stream} {group}",
        "mark": "clock: newest dispatch {at}",
        "ahead": "CLOCK: the newest dispatch, {at}, lies {seconds:.3f} s ahead of Redis' clock; dispatch waits for it",
        "aside": "set aside: {name}: {reason}",
        "more": "… and {count} more",
        "unreadable": "UNREADABLE: {key}: {error}",
        "none": "none",
    },
    "ko": {
        "leader": "리더: {host}, 프로세스 {pid}, 임기 {term}, 마지막 동작 {age:.1f}초 전",
        "quiet": "리더: {token} (하트비트 없음)",
        "no_leader": "리더: 없음. celery beat로 시작하세요.",
        "foreign": "리더: 외부 Beat {token}. Livebeat가 아닙니다. 종료될 때까지 아무것도 실행하지 않습니다.",
        "standby": "대기: {host}, 프로세스 {pid}, 마지막 동작 {age:.1f}초 전",
        "silent": "멈춤: {host}, 프로세스 {pid}, {role}, {age:.0f}초 동안 동작 없음",
        "holds": "실행: 보류 중 ({holds}), {host}, 프로세스 {pid}",
        "foreign_hold": "Livebeat가 아닌 Beat가 락을 가지고 있습니다",
        "clock_hold": "Redis 시계가 뒤로 갔습니다. 따라잡으면 다시 실행합니다",
        "schedules": "스케줄: {schedules}개 (일시정지 {paused}, 종료 {finished}, 제외 {aside})",
        "next": "다음 실행: {at} {name}",
        "overdue": "지연: {count}개, 가장 오래된 것 {at} {name}",
        "ledger": "원장: 끝나지 않은 실행 {ledger}개",
        "given_up": "포기한 실행과 메시지: {count}개. livebeat dead로 이유를 확인하세요.",
        "unledgered": "원장: 사용 안 함 ({reason})",
        "plain": "일반 Worker: 큐 '{queue}'를 {workers}이(가) 처리하고 있습니다. livebeat.install(app)을 호출하지 않으므로 사라질 "
        "때까지 이 큐의 메시지는 원장을 거치지 않고 다시 전송되지 않습니다. Worker와 함께 유실된 실행은 반복되지 않습니다. "
        "종료하거나 livebeat.install을 호출하는 앱으로 다시 시작하세요.",
        "unchecked": "Worker 확인 실패: 리더가 Worker에게 처리 중인 큐를 물을 수 없습니다 ({error}). 그동안 아무도 가져가지 않은 "
        "메시지는 다시 전송되지 않습니다.",
        "workers": "Worker: livebeat.install 적용 {count}개",
        "uncached": "느린 경로: 메시지를 하나씩 만듭니다 ({reason})",
        "seed": "스케줄 파일: {reason}",
        "backfill": "백필: {name}, 전체 {total}건 중 종료 {done}건, 전송 {sent}건 ({id})",
        "events": "이벤트 스트림: {events}건",
        "unread": "읽지 않은 이벤트: 그룹 '{group}', {minutes:.0f}분 동안. 읽는 프로세스가 꺼졌거나 멈췄고, 그동안 스트림은 이벤트를 "
        "모두 보관합니다. 다시 시작하거나, 더 이상 쓰지 않으면: redis-cli XGROUP DESTROY {stream} {group}",
        "mark": "시계: 마지막 실행 {at}",
        "ahead": "시계: 마지막 실행 시각 {at}이 Redis 시계보다 {seconds:.3f}초 앞섭니다. 그때까지 실행을 보류합니다",
        "aside": "제외됨: {name}: {reason}",
        "more": "… 외 {count}개",
        "unreadable": "읽을 수 없음: {key}: {error}",
        "none": "없음",
    },
}


def add_parser(commands: Any) -> Any:
    """The command's own arguments; returns its parser."""
    command = commands.add_parser(
        "status",
        help="who leads, what waits, what is set aside and why",
        description="Exit status 0 all is well, 3 something needs a look (no leader, a foreign one, dispatch held, "
        "schedules overdue or set aside, runs given up, workers without livebeat.install, events that nobody reads, a "
        "schedules file that can't be applied), 1 Redis or the app can't be used.",
    )
    command.add_argument("--json", action="store_true", help="for programs")
    return command


def run(app: Celery, options: Any, language: Language) -> int:
    """Print the state; returns the exit status."""
    state = read_state(app)
    zone_ = zone(str(app.timezone))
    stream = link(app).keys.events
    text = _as_json(state) if options.json else "\n".join(_as_text(state, zone_, _WORDS[language], language, stream))
    write(text)
    return DONE if state.is_well else LOOK


def _as_text(state: State, zone_: tzinfo, words: dict[str, str], language: Language, stream: str) -> Iterable[str]:
    yield from _beat_lines(state, words)
    yield words["schedules"].format(
        schedules=state.schedules, paused=state.paused, finished=state.finished, aside=len(state.set_aside)
    )
    if state.next_due:
        yield words["next"].format(at=_at(state.next_due[0], zone_), name=plain(state.next_due[1]))
    if state.overdue and state.oldest:
        oldest, name = state.oldest
        yield words["overdue"].format(count=state.overdue, at=_at(oldest, zone_), name=plain(name))
    yield from _delivery_lines(state, words)
    facts = state.leading
    if facts is not None and facts.uncached:
        yield words["uncached"].format(reason="; ".join(facts.uncached))
    if state.seed_problem is not None:
        yield words["seed"].format(reason=plain(state.seed_problem.text(language)))
    for one in state.backfills[:SHOWN]:
        yield words["backfill"].format(name=plain(one.name), done=one.done, total=one.total, sent=one.sent, id=one.id)
    yield from _event_lines(state, words, stream)
    if state.mark is not None:
        ahead = (state.mark - state.now).total_seconds()
        yield words["ahead" if state.clock_held else "mark"].format(at=_at(state.mark, zone_), seconds=ahead)
    for name, reason in list(state.set_aside.items())[:SHOWN]:
        yield words["aside"].format(name=plain(name), reason=plain(reason.text(language)))
    if len(state.set_aside) > SHOWN:
        yield words["more"].format(count=len(state.set_aside) - SHOWN)
    for key, error in state.unreadable.items():
        yield words["unreadable"].format(key=key, error=plain(error))


def _event_lines(state: State, words: dict[str, str], stream: str) -> Iterable[str]:
    yield words["events"].format(events=state.events)
    for group, since in sorted(state.unread.items()):
        minutes = (state.now - since).total_seconds() / 60
        yield words["unread"].format(group=plain(group), minutes=minutes, stream=stream)


def _delivery_lines(state: State, words: dict[str, str]) -> Iterable[str]:
    facts = state.leading
    if facts is not None and facts.unledgered:
        yield words["unledgered"].format(reason=facts.unledgered)
    else:
        yield words["ledger"].format(ledger=state.ledger)
    if state.given_up:
        yield words["given_up"].format(count=state.given_up)
    yield words["workers"].format(count=len(state.workers))
    for queue, names in sorted(state.plain.items()):
        yield words["plain"].format(queue=plain(queue), workers=plain(", ".join(names)))
    if facts is not None and facts.unchecked:
        yield words["unchecked"].format(error=plain(facts.unchecked))


def _beat_lines(state: State, words: dict[str, str]) -> Iterable[str]:
    leading = state.leading
    if state.holder is None:
        yield words["no_leader"]
    elif state.is_foreign:
        yield words["foreign"].format(token=plain(state.holder))
    elif leading is None:
        yield words["quiet"].format(token=state.holder)
    else:
        term = leading.token.rpartition(":")[2]
        yield words["leader"].format(host=leading.host, pid=leading.pid, term=term, age=state.age(leading))
    for beat in state.beats:
        if state.is_silent(beat):
            yield words["silent"].format(host=beat.host, pid=beat.pid, role=beat.role, age=state.age(beat))
        elif beat is not leading:
            yield words["standby"].format(host=beat.host, pid=beat.pid, age=state.age(beat))
        if beat.holds and not state.is_silent(beat):
            holds = words.get(f"{beat.holds}_hold", beat.holds)
            yield words["holds"].format(holds=holds, host=beat.host, pid=beat.pid)


def _at(instant: datetime, zone_: tzinfo) -> str:
    return f"{instant.astimezone(zone_):%Y-%m-%d %H:%M:%S}"


def _as_json(state: State) -> str:
    told = {
        "well": state.is_well,
        "now": state.now,
        "leader": {"token": state.holder, "foreign": state.is_foreign, "ttl_seconds": state.holder_seconds},
        "beats": [
            {**vars(beat), "age_seconds": round(state.age(beat), 3), "silent": state.is_silent(beat)}
            for beat in state.beats
        ],
        "schedules": {
            "count": state.schedules,
            "paused": state.paused,
            "finished": state.finished,
            "set_aside": {name: _texts(why) for name, why in state.set_aside.items()},
        },
        "next_due": _slot(state.next_due),
        "overdue": {"count": state.overdue, "oldest": _slot(state.oldest) if state.overdue else None},
        "ledger": state.ledger,
        "given_up": state.given_up,
        "workers": [{**vars(worker), "received": len(worker.received)} for worker in state.workers],
        "plain": state.plain,
        "seed_problem": _texts(state.seed_problem) if state.seed_problem else None,
        "backfills": [backfill.facts() for backfill in state.backfills],
        "events": state.events,
        "unread": {group: since.isoformat() for group, since in state.unread.items()},
        "mark": state.mark,
        "unreadable": state.unreadable,
    }
    return json.dumps(told, ensure_ascii=False, indent=2, default=lambda value: value.isoformat())


def _texts(error: LivebeatError) -> dict[str, str]:
    return {"en": error.text("en"), "ko": error.text("ko")}


def _slot(found: tuple[datetime, str] | None) -> dict[str, Any] | None:
    return {"at": found[0], "name": found[1]} if found else None
