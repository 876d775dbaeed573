"""What the doctor can find: each kind with its severity, what it means, and what to do, in English and Korean."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from livebeat.errors import Language, LivebeatError

#: `note`: nothing to do, but good to know; only `warning` and `error` change the exit status.
Severity = Literal["note", "warning", "error"]
#: Subjects kept of each kind; the rest is counted.
SHOWN = 20


@dataclass(frozen=True)
class Kind:
    """One kind of finding. `what` and `do` are by language."""

    severity: Severity
    what: dict[Language, str]
    do: dict[Language, str]


@dataclass
class Finding:
    """Everything found of one kind: how many, and the first of them as (subject, detail)."""

    kind: str
    count: int = 0
    subjects: list[tuple[str, LivebeatError | None]] = field(default_factory=list)

    @property
    def severity(self) -> Severity:
        """The kind's."""
        return KINDS[self.kind].severity


class Findings:
    """Collects, so that memory and output stay small whatever the size of the database."""

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}

    def add(self, kind: str, subject: str, detail: LivebeatError | None = None) -> None:
        """One more of a kind; `detail` says what is special about this one."""
        finding = self._found.setdefault(kind, Finding(kind))
        finding.count += 1
        if len(finding.subjects) < SHOWN:
            finding.subjects.append((subject, detail))

    def listed(self) -> list[Finding]:
        """The worst first, then in the order of `KINDS`."""
        order = {"error": 0, "warning": 1, "note": 2}
        kinds = list(KINDS)
        return sorted(self._found.values(), key=lambda found: (order[found.severity], kinds.index(found.kind)))

    def __contains__(self, kind: str) -> bool:
        return kind in self._found


def detail(en: str, ko: str) -> LivebeatError:
    """What is special about one subject, in both languages."""
    return LivebeatError(reason_en=en, reason_ko=ko)


def _kinds(rows: Iterable[tuple[str, Severity, str, str, str, str]]) -> dict[str, Kind]:
    return {
        name: Kind(severity, {"en": what, "ko": what_ko}, {"en": do, "ko": do_ko})
        for name, severity, what, do, what_ko, do_ko in rows
    }


KINDS = _kinds(
    [
        (
            "broker",
            "error",
            "The engine can't write this app's broker and its schedules in one step.",
            "Let broker_url and redbeat_redis_url name one Redis server; the database may differ.",
            "브로커와 스케줄 저장소를 한 번에 쓸 수 없습니다.",
            "broker_url과 redbeat_redis_url이 같은 Redis 서버를 가리키게 하세요. 데이터베이스 번호는 달라도 됩니다.",
        ),
        (
            "server-version",
            "error",
            "The Redis server is older than 6.2, which Celery 5.7 and the engine need.",
            "Upgrade to Redis 6.2 or later, or to any Valkey.",
            "Redis 서버가 6.2보다 오래되었습니다. Celery 5.7과 엔진에는 6.2 이상이 필요합니다.",
            "Redis 6.2 이상 또는 Valkey로 업그레이드하세요.",
        ),
        (
            "eviction",
            "error",
            "The server removes keys when its memory is full: schedules and messages vanish without a word.",
            "Set maxmemory-policy to noeviction; keep caches on another server.",
            "메모리가 가득 차면 서버가 키를 삭제합니다. 스케줄과 메시지가 말없이 사라집니다.",
            "maxmemory-policy를 noeviction으로 설정하고 캐시는 다른 서버에 두세요.",
        ),
        (
            "persistence",
            "warning",
            "The server writes nothing to disk: a restart loses all schedules and every waiting message.",
            "Set appendonly yes (appendfsync everysec is enough).",
            "서버가 디스크에 아무것도 저장하지 않습니다. 재시작하면 모든 스케줄과 대기 중인 메시지가 사라집니다.",
            "appendonly yes로 설정하세요 (appendfsync everysec이면 충분합니다).",
        ),
        (
            "snapshots-only",
            "note",
            "The server keeps snapshots, but no append-only file: a crash loses what changed since the last one.",
            "Set appendonly yes if slots must not run again, or be lost, after a crash of the server.",
            "서버가 스냅샷만 저장합니다. 비정상 종료되면 마지막 스냅샷 이후의 변경이 사라집니다.",
            "서버 장애 뒤에 실행이 중복되거나 빠지면 안 된다면 appendonly yes로 설정하세요.",
        ),
        (
            "unknown-setting",
            "note",
            "The server doesn't tell how it is set up (CONFIG is not allowed).",
            "Check its persistence by hand.",
            "서버가 설정을 알려 주지 않습니다 (CONFIG 명령이 허용되지 않음).",
            "영속성 설정을 직접 확인하세요.",
        ),
        (
            "foreign-lock",
            "warning",
            "A beat that is not Livebeat's holds the lock; Livebeat dispatches nothing until it is gone.",
            "Stop that beat before the first start of Livebeat's. If it was killed, delete the key: the lock outlives it.",
            "Livebeat가 아닌 Beat가 락을 가지고 있습니다. 그동안 Livebeat는 아무것도 실행하지 않습니다.",
            "Livebeat를 처음 시작하기 전에 그 Beat를 종료하세요. 강제 종료된 경우 락이 남으므로 키를 삭제하세요.",
        ),
        (
            "plain-worker",
            "warning",
            "Workers without livebeat.install(app) consume these queues: their messages don't go through the ledger, and a "
            "run that is lost with its worker is not repeated.",
            "Stop these workers, or start them with the app that calls livebeat.install.",
            "livebeat.install(app) 없이 실행된 Worker가 이 큐를 처리합니다. 메시지가 원장을 거치지 않아 Worker와 함께 유실된 실행은 "
            "반복되지 않습니다.",
            "그 Worker를 종료하거나 livebeat.install을 호출하는 앱으로 다시 시작하세요.",
        ),
        (
            "lock-type",
            "error",
            "The key of the leader lock holds something that is no lock, so no beat can ever take it.",
            "Delete that key; a schedule may not have the lock's name.",
            "리더 락의 키에 락이 아닌 값이 있어 어떤 Beat도 락을 얻을 수 없습니다.",
            "그 키를 삭제하세요. 스케줄 이름은 락의 키와 겹칠 수 없습니다.",
        ),
        (
            "index-type",
            "error",
            "The key of RedBeat's index holds no sorted set: no schedule can be found.",
            "Delete that key, then save each schedule again.",
            "RedBeat 인덱스 키가 정렬된 집합이 아니어서 스케줄을 찾을 수 없습니다.",
            "그 키를 삭제한 뒤 스케줄을 다시 저장하세요.",
        ),
        (
            "statics-type",
            "error",
            "The key of RedBeat's static names holds no set: a stock beat dies at its start.",
            "Delete that key; it is made anew from beat_schedule.",
            "RedBeat의 정적 스케줄 목록 키가 집합이 아닙니다. 기본 RedBeat Beat는 시작할 때 종료됩니다.",
            "그 키를 삭제하세요. beat_schedule에서 다시 만들어집니다.",
        ),
        (
            "orphan",
            "warning",
            "Members of the index without an entry: the schedule was deleted by hand, or evicted. It does not run.",
            "Save the schedule again, or remove the member with ZREM.",
            "인덱스에는 있지만 항목이 없습니다. 직접 삭제되었거나 제거(eviction)되었으며 실행되지 않습니다.",
            "스케줄을 다시 저장하거나 ZREM으로 인덱스에서 제거하세요.",
        ),
        (
            "zombie",
            "error",
            "Entries that are not in the index: nothing runs them. The index may have been deleted.",
            "Save each again (for instance with PUT, or RedBeatSchedulerEntry.from_key(key).save()), or delete it.",
            "인덱스에 없는 항목입니다. 실행되지 않습니다. 인덱스가 삭제되었을 수 있습니다.",
            "다시 저장하거나 (PUT 또는 RedBeatSchedulerEntry.from_key(key).save()) 삭제하세요.",
        ),
        (
            "name",
            "error",
            "Names that no schedule may have: they land on a key which is no schedule, or can't be printed.",
            "Remove the member from the index with ZREM, and save the schedule under another name.",
            "스케줄에 쓸 수 없는 이름입니다. 스케줄이 아닌 키와 겹치거나 출력할 수 없는 문자가 있습니다.",
            "ZREM으로 인덱스에서 제거하고 다른 이름으로 저장하세요.",
        ),
        (
            "unreadable",
            "error",
            "Entries that can't be understood: Livebeat sets them aside, a stock beat ends with an exception.",
            "Save each again with a rule that can be used, or delete it.",
            "해석할 수 없는 항목입니다. Livebeat는 제외하고 계속하지만 기본 RedBeat Beat는 예외로 종료됩니다.",
            "사용 가능한 규칙으로 다시 저장하거나 삭제하세요.",
        ),
        (
            "refused",
            "error",
            "Schedules that may not be dispatched: Livebeat sets them aside.",
            "Correct the field that is named, or delete the schedule.",
            "실행이 허용되지 않는 스케줄입니다. Livebeat는 실행에서 제외합니다.",
            "표시된 항목을 고치거나 스케줄을 삭제하세요.",
        ),
        (
            "unknown-key",
            "warning",
            "Keys in `definition` or `meta` that RedBeat doesn't know. Livebeat passes over them; a stock beat dies.",
            "Save the schedule again: what isn't RedBeat's goes.",
            "`definition`이나 `meta`에 RedBeat가 모르는 키가 있습니다. Livebeat는 무시하지만 기본 Beat는 종료됩니다.",
            "스케줄을 다시 저장하세요. RedBeat의 것이 아닌 키는 사라집니다.",
        ),
        (
            "task",
            "warning",
            "Tasks that this app doesn't register: their messages are dropped by a worker that doesn't know them.",
            "Correct the name, or make sure that workers of another app consume that queue.",
            "이 앱에 등록되지 않은 태스크입니다. 이 태스크를 모르는 Worker는 메시지를 버립니다.",
            "이름을 고치거나 다른 앱의 Worker가 그 큐를 처리하는지 확인하세요.",
        ),
        (
            "late-score",
            "warning",
            "Due times later than rule and last run say: a stock beat skips slots of these.",
            "Nothing: Livebeat finds the right slot by itself. Expect the times on the right.",
            "예정 시각이 규칙과 마지막 실행으로 계산한 시각보다 늦습니다. 기본 Beat라면 그 사이의 실행을 건너뜁니다.",
            "할 일은 없습니다. Livebeat가 올바른 시각을 다시 계산합니다. 오른쪽 시각에 실행됩니다.",
        ),
        (
            "early-score",
            "note",
            "Due times earlier than rule and last run say, as RedBeat writes them when an interval is saved again.",
            "Nothing: neither a stock beat nor Livebeat runs them before the times on the right.",
            "예정 시각이 계산한 시각보다 이릅니다. RedBeat가 간격 스케줄을 다시 저장할 때 이렇게 기록합니다.",
            "할 일은 없습니다. 기본 Beat도 Livebeat도 오른쪽 시각 전에는 실행하지 않습니다.",
        ),
        (
            "never",
            "note",
            "Rules without any further instant: these schedules are over.",
            "Delete them if nobody misses them.",
            "더 이상 실행할 시각이 없는 규칙입니다. 끝난 스케줄입니다.",
            "필요 없으면 삭제하세요.",
        ),
        (
            "disabled-overdue",
            "warning",
            "Disabled and overdue: a stock beat loads each of them on every tick, so they slow down all others.",
            "Nothing: Livebeat takes them out of the due range.",
            "비활성이면서 예정 시각이 지났습니다. 기본 Beat는 매번 이 항목들을 읽느라 나머지가 느려집니다.",
            "할 일은 없습니다. Livebeat가 실행 대상에서 제외합니다.",
        ),
        (
            "overdue",
            "note",
            "Overdue now: Livebeat runs the latest missed slot of each when it starts.",
            "Pause what must not run late before the first start.",
            "예정 시각이 지났습니다. Livebeat는 시작할 때 놓친 실행 중 마지막 것을 실행합니다.",
            "늦게 실행되면 안 되는 것은 처음 시작하기 전에 일시정지하세요.",
        ),
        (
            "inexact",
            "warning",
            "Rules that RedBeat can't keep whole: a stock beat would run them at other times than Livebeat.",
            "Before going back to a stock beat, look at each.",
            "RedBeat가 온전히 저장할 수 없는 규칙입니다. 기본 Beat는 다른 시각에 실행합니다.",
            "기본 Beat로 되돌리기 전에 하나씩 확인하세요.",
        ),
        (
            "lossy",
            "warning",
            "Recurrence rules that RedBeat may have shortened when it saved them: it keeps neither the n of an nth "
            "weekday nor a time zone, only an offset.",
            "Compare each with what was meant, and save it again where they differ.",
            "RedBeat가 저장하면서 일부를 잃었을 수 있는 규칙입니다. n번째 요일의 n과 시간대(오프셋만 남음)가 저장되지 않습니다.",
            "원래 의도와 비교하고 다르면 다시 저장하세요.",
        ),
        (
            "setting",
            "note",
            "Settings that Livebeat doesn't use.",
            "Remove them once no stock beat uses this app any more.",
            "Livebeat가 사용하지 않는 설정입니다.",
            "기본 Beat를 더 이상 쓰지 않으면 제거하세요.",
        ),
        (
            "not-all",
            "note",
            "The database holds so many keys that not all were looked at.",
            "Entries outside the index may exist among the others.",
            "키가 너무 많아 일부만 확인했습니다.",
            "나머지에 인덱스 밖의 항목이 더 있을 수 있습니다.",
        ),
    ]
)
