"""What can be found in the old system: each kind with its severity, what it means, and what to do, in Korean and English."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from livebeat.errors import Language

#: `note`: nothing to do, but good to know; only the others change the exit status.
Severity = Literal["note", "warning", "error"]
_ORDER = ("error", "warning", "note")


@dataclass(frozen=True)
class Kind:
    """One kind of finding. `what` and `do` are templates over the finding's facts."""

    severity: Severity
    what: dict[Language, str]
    do: dict[Language, str]


@dataclass(frozen=True)
class Finding:
    """One finding; counts and names, never what a secret or a message says."""

    kind: str
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def severity(self) -> Severity:
        """The kind's."""
        return KINDS[self.kind].severity

    def what(self, language: Language) -> str:
        """What was found."""
        return KINDS[self.kind].what[language].format(**self.facts)

    def do(self, language: Language) -> str:
        """What to do about it."""
        return KINDS[self.kind].do[language].format(**self.facts)


class Findings:
    """Collects what was found, and the figures that are told in any case."""

    def __init__(self) -> None:
        self._found: list[Finding] = []
        self.figures: dict[str, Any] = {}

    def add(self, kind: str, **facts: Any) -> None:
        """One more."""
        self._found.append(Finding(kind, facts))

    def __iter__(self) -> Iterator[Finding]:
        """The worst first, else as they were found."""
        return iter(sorted(self._found, key=lambda found: _ORDER.index(found.severity)))

    @property
    def worst(self) -> Severity | None:
        """The worst severity; None where nothing was found."""
        return next((found.severity for found in self), None)


def _kind(severity: Severity, ko: str, do_ko: str, en: str, do_en: str) -> Kind:
    return Kind(severity, {"ko": ko, "en": en}, {"ko": do_ko, "en": do_en})


_MIGRATE_KO, _MIGRATE = (
    "가이드의 migrate --fake-initial 단계를 진행하세요.",
    "Go on with the guide's migrate --fake-initial.",
)

KINDS = {
    "database-down": _kind(
        "error",
        "데이터베이스를 확인할 수 없습니다: {reason}",
        "DATABASE_URL 또는 POSTGRES_* 설정이 기존 시스템과 같은지 확인하세요.",
        "The database can't be looked at: {reason}",
        "Give DATABASE_URL or POSTGRES_* the old system's values.",
    ),
    "no-tables": _kind(
        "warning",
        "기존 시스템의 테이블이 하나도 없습니다.",
        "다른 데이터베이스를 보고 있지 않은지 확인하세요. 새로 시작하는 것이라면 migrate가 테이블을 만듭니다.",
        "There are no tables of the old system.",
        "Make sure that this is the right database; for a fresh start migrate makes the tables.",
    ),
    "missing-table": _kind(
        "error",
        "테이블이 없습니다: {tables}",
        "migrate --fake-initial은 초기 테이블이 모두 있어야 동작합니다. 기존 백오피스의 마이그레이션을 먼저 적용하세요.",
        "Tables are missing: {tables}",
        "migrate --fake-initial needs all of them: apply the old back office's migrations first.",
    ),
    "missing-column": _kind(
        "error",
        "열이 없습니다: {columns}",
        "기존 백오피스의 마이그레이션을 먼저 적용하세요.",
        "Columns are missing: {columns}",
        "Apply the old back office's migrations first.",
    ),
    "no-request-table": _kind(
        "note",
        "요청 테이블(ops_tracking_statsrefreshrequest)이 없습니다. 2026년 5월 이전 버전입니다.",
        "할 일은 없습니다. migrate가 만듭니다.",
        "There is no table of requests (ops_tracking_statsrefreshrequest): this is the version before May 2026.",
        "Nothing: migrate makes it.",
    ),
    "taken-over": _kind(
        "note",
        "이 데이터베이스는 이미 인수되었습니다 (django_migrations에 velog가 있음).",
        "할 일은 없습니다.",
        "This database was taken over already (django_migrations knows velog).",
        "Nothing.",
    ),
    "duplicates": _kind(
        "warning",
        "같은 게시글·같은 날짜의 통계가 여러 개입니다: {groups}건 (남는 행 {surplus}개).",
        "할 일은 없습니다. migrate가 가장 최근 행에 가장 큰 값을 남기고 합칩니다. 먼저 백업하세요.",
        "{groups} posts have more than one row of statistics on a day ({surplus} rows too many).",
        "Nothing: migrate keeps of each the row changed last, with the highest counts. Make a backup first.",
    ),
    "odd-dates": _kind(
        "warning",
        "날짜가 한국 자정이 아닌 통계가 {count}개 있습니다.",
        "그대로 남으며 그날의 새 통계와 합쳐지지 않습니다. 필요하면 직접 고치세요.",
        "{count} rows of statistics have a date that is not midnight in Korea.",
        "They stay as they are, beside the day's new row; correct them by hand if they matter.",
    ),
    "missing-key": _kind(
        "error",
        "{setting} 설정이 없거나 32바이트가 아닙니다. 사용자 {users}명의 토큰에 필요합니다.",
        "기존 시스템의 값을 그대로 설정하세요.",
        "{setting} is not set, or not 32 bytes long; the tokens of {users} users need it.",
        "Give it the old system's value.",
    ),
    "unreadable-tokens": _kind(
        "error",
        "{setting}(으)로 복호화할 수 없는 토큰을 가진 사용자가 {users}명입니다 (전체 {of}명 중).",
        "거의 전부라면 키가 다릅니다. 기존 시스템의 값인지 확인하세요. 일부라면 그 사용자는 다시 로그인해야 합니다.",
        "{users} of {of} users have tokens that {setting} can't decrypt.",
        "Where it is nearly all of them, the key is another: compare it with the old system's. Else these users must sign in again.",
    ),
    "plain-tokens": _kind(
        "warning",
        "평문 토큰을 가진 사용자가 {users}명입니다. Node API가 암호화하기 전에 중단되었습니다.",
        "할 일은 없습니다. 다음 새로고침이 암호화합니다.",
        "{users} users have tokens in plain text: the Node API stopped before it encrypted them.",
        "Nothing: the next refresh encrypts them.",
    ),
    "rows-under-way": _kind(
        "warning",
        "QUEUED 또는 PROCESSING 상태의 요청이 {count}개 있습니다.",
        "기존 컨슈머가 끝낼 때까지 기다리세요. 중단된 요청이라면 그 사용자의 다음 요청이 정리합니다.",
        "{count} requests are QUEUED or PROCESSING.",
        "Let the old consumer end them; a dead one is closed by its user's next request.",
    ),
    "timescale": _kind(
        "note",
        "TimescaleDB {version}, 통계 테이블은 하이퍼테이블입니다 (청크 {chunks}개).",
        _MIGRATE_KO,
        "TimescaleDB {version}; the statistics are a hypertable ({chunks} chunks).",
        _MIGRATE,
    ),
    "timescale-plain": _kind(
        "note",
        "TimescaleDB {version}이(가) 있고 통계 테이블은 일반 테이블입니다. migrate가 하이퍼테이블로 바꿉니다.",
        "행이 많으면 오래 걸립니다. 한가한 시간에 migrate를 실행하세요.",
        "TimescaleDB {version} is there, and the statistics are a plain table: migrate makes it a hypertable.",
        "That takes long for many rows: run migrate in a quiet hour.",
    ),
    "compressed": _kind(
        "error",
        "압축된 청크가 {chunks}개 있습니다. 유일성 제약을 추가할 수 없습니다.",
        "migrate 전에 decompress_chunk로 압축을 푸세요.",
        "{chunks} chunks are compressed: no unique constraint can be added.",
        "Decompress them (decompress_chunk) before migrate.",
    ),
    "redis-down": _kind(
        "error",
        "Redis를 확인할 수 없습니다: {reason}",
        "REDIS_HOST·REDIS_PORT·REDIS_PASSWORD·REDIS_DB(또는 REDIS_URL, BRIDGE_REDIS_URL)를 확인하세요.",
        "Redis can't be looked at: {reason}",
        "Check REDIS_HOST, REDIS_PORT, REDIS_PASSWORD, REDIS_DB (or REDIS_URL, BRIDGE_REDIS_URL).",
    ),
    "redis-version": _kind(
        "error",
        "Redis {version}: 6.2 이상이 필요합니다.",
        "Redis 6.2 이상 또는 Valkey로 업그레이드하세요.",
        "Redis {version}: 6.2 or later is needed.",
        "Upgrade to Redis 6.2 or later, or to any Valkey.",
    ),
    "apart": _kind(
        "note",
        "예전 목록은 스케줄과 다른 Redis(또는 데이터베이스)에 있습니다.",
        "할 일은 없습니다. 브리지가 두 단계로 옮깁니다.",
        "The old lists are on another Redis, or in another database, than the schedules.",
        "Nothing: the bridge moves what is on them in two steps.",
    ),
    "no-list": _kind(
        "error",
        "{key}: 목록이 아니라 {type}입니다.",
        "REDIS_KEY_PREFIX가 맞는지, 다른 프로그램이 이 키를 쓰는지 확인하세요.",
        "{key} is no list but a {type}.",
        "Check REDIS_KEY_PREFIX, and what else uses this key.",
    ),
    "malformed": _kind(
        "warning",
        "{key}: 요청으로 해석할 수 없는 항목이 {count}개 있습니다.",
        "브리지가 이유와 함께 :failed로 옮깁니다.",
        "{key} holds {count} items that are no requests.",
        "The bridge moves them to :failed with the reason.",
    ),
    "unknown-users": _kind(
        "warning",
        "{key}: 데이터베이스에 없거나 비활성인 사용자의 요청이 {count}개 있습니다.",
        "그 요청은 이유와 함께 실패합니다. 데이터베이스와 Redis가 같은 환경의 것인지 확인하세요.",
        "{key} holds {count} requests of users that the database doesn't know, or that are switched off.",
        "These fail with that reason. Make sure that database and Redis belong together.",
    ),
    "repeated": _kind(
        "note",
        "{key}: 같은 사용자의 요청이 겹친 것이 {count}개 있습니다.",
        "할 일은 없습니다. 브리지가 하나로 합칩니다.",
        "{key} holds {count} requests of users that have another one there.",
        "Nothing: the bridge makes one of them.",
    ),
    "left-over": _kind(
        "warning",
        "{key}에 항목이 {count}개 있습니다. 처리 중이거나 중단된 컨슈머가 남긴 것입니다.",
        "기존 컨슈머를 종료한 뒤에도 남아 있으면 가이드의 명령으로 대기 목록에 되돌리세요.",
        "{key} holds {count} items: under way, or left behind by a consumer that died.",
        "What is there after the old consumer has ended: move it back to the main list with the guide's command.",
    ),
    "not-all": _kind(
        "note",
        "{key}: 항목 {count}개 중 {looked}개만 확인했습니다.",
        "나머지도 같은 방법으로 처리됩니다.",
        "{key}: only {looked} of {count} items were looked at.",
        "The others are dealt with in the same way.",
    ),
    "consumer": _kind(
        "warning",
        "기존 컨슈머로 보이는 연결이 {count}개 있습니다 ({command}로 대기 중, 이 데이터베이스): {addresses}",
        "전환할 때 종료하세요. 브리지와 함께 실행해도 되지만 같은 사용자가 동시에 처리될 수 있습니다.",
        "{count} connections look like old consumers (waiting with {command} in this database): {addresses}",
        "Stop them for the switch. They may run beside the bridge, but then a user may be refreshed by both at once.",
    ),
    "clients-unknown": _kind(
        "note",
        "서버가 연결 목록을 알려 주지 않아 기존 컨슈머가 실행 중인지 확인할 수 없습니다.",
        "기존 컨슈머가 실행 중인지 직접 확인하세요 (ps aux | grep consumer).",
        "The server doesn't tell who is connected: whether an old consumer runs can't be seen.",
        "Look for it by hand (ps aux | grep consumer).",
    ),
}
