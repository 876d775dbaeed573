"""The server, the broker, the lock and the settings: what decides whether the engine can work here at all. Only reads."""

from typing import Any

import redis
from celery import Celery
from kombu.exceptions import OperationalError

from livebeat.connection import Link
from livebeat.delivery.consumers import own_queues, plain_workers
from livebeat.doctor.findings import Findings, detail
from livebeat.errors import ConfigurationError
from livebeat.keys import TOKEN_PREFIX

OLDEST = (6, 2)
_SECONDS = 5.0
#: RedBeat's and Celery's settings that only a stock beat uses, with their names in the app's configuration.
_UNUSED = {
    "redbeat_lock_timeout": (
        "the lock of a Livebeat that was killed ends after 5 s",
        "강제 종료된 Livebeat의 락은 5초 뒤에 풀립니다",
    ),
    "beat_max_loop_interval": (
        "a Livebeat sleeps until something is due, half a second at most",
        "Livebeat는 다음 예정 시각까지, 최대 0.5초만 기다립니다",
    ),
}


def check_server(link: Link, findings: Findings) -> None:
    """Version, eviction, persistence."""
    info: dict[str, Any] = link.client.info()
    shown = str(info.get("redis_version", ""))
    if _version(shown) < OLDEST:
        findings.add("server-version", shown)
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if policy != "noeviction":
        limit = int(info.get("maxmemory", 0))
        findings.add("eviction", policy, None if limit else _no_limit())
    if not info.get("aof_enabled"):
        _check_snapshots(link, findings)


def check_broker(link: Link, findings: Findings) -> None:
    """Whether one script reaches the broker's list and the schedule."""
    try:
        _reach(link.app)
        _ = link.broker
    except ConfigurationError as error:
        findings.add("broker", "broker_url", error)
    except (redis.RedisError, OperationalError, OSError) as error:
        findings.add("broker", "broker_url", detail(f"it does not answer: {error}", f"응답하지 않습니다: {error}"))


def _reach(app: Celery) -> None:
    """Try the broker once; kombu would go on trying."""
    with app.connection_for_write() as connection:
        if connection.transport.driver_type == "redis":
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=_SECONDS)


def check_lock(link: Link, findings: Findings) -> None:
    """Who holds the lock, and whether RedBeat's own keys are of the right type."""
    keys, client = link.keys, link.client
    for key, wanted, kind in (
        (keys.lock, "string", "lock-type"),
        (keys.schedule, "zset", "index-type"),
        (keys.statics, "set", "statics-type"),
    ):
        found = str(client.type(key))
        if found not in {wanted, "none"}:
            findings.add(kind, key, detail(f"it is a {found}", f"형식: {found}"))
        elif kind == "lock-type" and found == "string":
            _check_holder(link, findings)


def check_consumers(link: Link, findings: Findings) -> None:
    """What the leading beat wrote down about who consumes; nobody is asked here."""
    if link.client.type(link.keys.plain) in {"hash", "none"}:
        own = own_queues(link, ())
        for queue, names in sorted(plain_workers(link).items()):
            if queue in own:
                findings.add("plain-worker", queue, detail(", ".join(names), ", ".join(names)))


def check_settings(app: Celery, findings: Findings) -> None:
    """Settings that only a stock beat reads."""
    given = {name.lower() for name in app.conf.changes}
    for name, (en, ko) in _UNUSED.items():
        if name in given:
            findings.add("setting", name, detail(en, ko))


def _check_holder(link: Link, findings: Findings) -> None:
    holder, milliseconds = str(link.client.get(link.keys.lock) or ""), int(link.client.pttl(link.keys.lock))
    if not holder or holder.startswith(TOKEN_PREFIX):
        return
    en = f"it ends in {milliseconds / 1000:.0f} s" if milliseconds > 0 else "it never ends by itself"
    ko = f"{milliseconds / 1000:.0f}초 뒤에 풀립니다" if milliseconds > 0 else "저절로 풀리지 않습니다"
    findings.add("foreign-lock", link.keys.lock, detail(f"held by {holder}; {en}", f"보유자 {holder}, {ko}"))


def _check_snapshots(link: Link, findings: Findings) -> None:
    try:
        save = link.client.config_get("save").get("save", "")
    except redis.ResponseError:  # a managed server, or a user with few rights
        findings.add("unknown-setting", "save")
        return
    findings.add("snapshots-only" if save else "persistence", "appendonly no")


def _no_limit() -> Any:
    return detail("no maxmemory is set, so nothing is removed yet", "maxmemory가 없어 아직 삭제되지는 않습니다")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdecimal())
