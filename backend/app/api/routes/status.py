"""`/api/scheduler/status`: who works and who leads. `/api/scheduler/beat/restart`: another beat leads, none is ended.

`status` keeps the old promise never to fail: whatever is down, it answers 200 and says so.
"""

import logging
from typing import Any, cast

from fastapi import APIRouter

from app.access.scopes import Scope
from app.api.access import needs
from app.api.engine import redis_link
from app.api.language import Reader
from app.api.routing import OrmRoute
from app.api.workers import answering_workers
from app.core.celery_app import celery_app
from livebeat import hand_over
from livebeat.beat.leader import TOKEN_PREFIX
from livebeat.connection import Link
from livebeat.errors import Language

router = APIRouter(prefix="/scheduler", tags=["scheduler"], route_class=OrmRoute)
logger = logging.getLogger(__name__)

_NO_WORKER: dict[Language, str] = {
    "ko": "Celery worker가 실행되지 않았습니다. 'celery -A app.core.celery_app worker' 명령으로 시작하세요.",
    "en": "No Celery worker is running. Start one with 'celery -A app.core.celery_app worker'.",
}
_HANDED_OVER: dict[Language, tuple[str, str]] = {
    "ko": ("✅ Celery Beat가 재시작되었습니다!", "5초 후 상태를 확인해주세요."),
    "en": ("✅ Celery Beat was restarted!", "Check the status in 5 seconds."),
}
_NO_BEAT: dict[Language, tuple[str, str]] = {
    "ko": ("실행 중인 Celery Beat가 없습니다.", "./run_celery_beat.sh 로 시작하세요."),
    "en": ("No Celery Beat is running.", "Start one with ./run_celery_beat.sh."),
}
_FOREIGN_BEAT: dict[Language, tuple[str, str]] = {
    "ko": (
        "Livebeat가 아닌 Celery Beat가 락을 가지고 있어 재시작할 수 없습니다.",
        "그 Beat를 종료하세요. 락이 풀리면 Livebeat가 이어받습니다.",
    ),
    "en": (
        "A Celery Beat that is not Livebeat's holds the lock, so nothing was restarted.",
        "Stop that beat; Livebeat takes over once the lock is free.",
    ),
}


@router.get("/status")
@needs(Scope.VIEWER)
def status(reader: Reader) -> dict[str, Any]:
    """Workers, beat and the names of all schedules. Always 200: `error` says what is down."""
    try:
        return _status(reader)
    except Exception as error:  # whatever it is: the old promise
        reason = " ".join(str(error).split()) or type(error).__name__
        logger.warning("the status can't be told: %s", reason)
        return {
            "workers": {"active": False, "count": 0},
            "beat": {"active": False, "lock_ttl": None},
            "error": reason,
            "message": _NO_WORKER[reader],
        }


@router.post("/beat/restart")
@needs(Scope.ADMIN)
def restart_beat(reader: Reader) -> dict[str, Any]:
    """Let another beat lead, or the same one anew: what a restart was good for, without ending a process.

    `lock_removed` and `beat_restarted` say that a leader of ours was there to be asked; it lets go of the lock within
    a second. A lock that somebody else's beat holds is left alone.
    """
    of = redis_link()
    token, ttl = _lock(of)
    asked = hand_over(celery_app) is not None
    message, note = (_HANDED_OVER if asked else _FOREIGN_BEAT if token else _NO_BEAT)[reader]
    return {
        "message": message,
        "previous_ttl": ttl,
        "lock_removed": asked,
        "killed_processes": [],
        "beat_restarted": asked,
        "note": note,
    }


def _status(reader: Reader) -> dict[str, Any]:
    of = redis_link()
    token, ttl = _lock(of)
    names = sorted(of.keys.name(key) for key in cast("list[str]", of.client.zrange(of.keys.schedule, 0, -1)))
    workers = answering_workers()
    ours = token is not None and token.startswith(TOKEN_PREFIX)
    told: dict[str, Any] = {
        "workers": {
            "active": workers.active is not None,
            "count": len(workers.active or ()),
            "details": workers.active,
        },
        "beat": {
            "active": ours,
            "lock_ttl": ttl,
            "leader": token if ours else None,
            "foreign": token if token and not ours else None,
        },
        "registered_tasks": workers.registered,
        "beat_schedule": names,
    }
    return told if workers.active is not None else {**told, "message": _NO_WORKER[reader]}


def _lock(of: Link) -> tuple[str | None, int | None]:
    """Who holds the leader lock, and the whole seconds (at least 1) that are left of it; None where it has no end."""
    pipeline = of.client.pipeline(transaction=True)
    pipeline.get(of.keys.lock)
    pipeline.pttl(of.keys.lock)
    token, milliseconds = pipeline.execute()
    return token, -(-milliseconds // 1000) if milliseconds > 0 else None
