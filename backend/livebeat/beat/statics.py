"""Static `beat_schedule` entries, as RedBeat treats them: stored at start, and removed once they leave the settings.

Unlike RedBeat, a live edit or pause survives a restart unless the static definition itself changed.
"""

import json
import logging
from typing import Any, cast

import redis
from celery import Celery
from celery.beat import Scheduler

from livebeat.celery_rules import from_celery
from livebeat.connection import Link
from livebeat.errors import LivebeatError, ScheduleNotFoundError
from livebeat.spec import ScheduleSpec
from livebeat.store import ScheduleStore

logger = logging.getLogger(__name__)


def apply_statics(app: Celery, link: Link, store: ScheduleStore) -> None:
    """Bring the store in line with the app's `beat_schedule`. An unusable entry is logged and left out."""
    keys, client = link.keys, link.client
    wanted = _wanted(app)
    try:
        known = cast("set[str]", client.smembers(keys.statics))
    except redis.ResponseError as error:
        logger.error("beat_schedule is left out: %s is no set (%s). Delete or rename that key.", keys.statics, error)  # noqa: TRY400
        return
    applied = cast("dict[str, str]", client.hgetall(keys.static_definitions))
    for name in known - wanted.keys():
        try:
            store.delete(name, origin="beat_schedule")
        except (ScheduleNotFoundError, LivebeatError) as error:
            logger.debug("Static schedule %r was gone already: %s", name, error)
        client.srem(keys.statics, name)
        client.hdel(keys.static_definitions, name)
    for name, entry in wanted.items():
        try:
            spec = _spec(name, entry)
            text = json.dumps(spec.to_json(), sort_keys=True, ensure_ascii=False)
            if name in known and applied.get(name) == text:
                continue
            store.put(spec, origin="beat_schedule")
        except LivebeatError as error:
            logger.error("beat_schedule entry %r can't be used: %s", name, error)  # noqa: TRY400
            continue
        client.sadd(keys.statics, name)
        client.hset(keys.static_definitions, name, text)


def _wanted(app: Celery) -> dict[str, Any]:
    """The settings' entries, with Celery's own default one where it installs it."""

    class _Defaults(Scheduler):
        def setup_schedule(self) -> None:
            self.entries: dict[str, Any] = {}

        def update_from_dict(self, entries: dict[str, Any]) -> None:
            self.entries.update(entries)

    defaults = _Defaults(app)
    defaults.install_default_entries(app.conf.beat_schedule or {})
    return {**defaults.entries, **(app.conf.beat_schedule or {})}


def _spec(name: str, entry: dict[str, Any]) -> ScheduleSpec:
    return ScheduleSpec(
        name=name,
        task=entry.get("task", ""),
        recurrence=from_celery(entry.get("schedule")),
        args=tuple(entry.get("args") or ()),
        kwargs=entry.get("kwargs") or {},
        options=entry.get("options") or {},
        enabled=entry.get("enabled", True),
    )
