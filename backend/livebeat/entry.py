"""A schedule as it lies in Redis: RedBeat's `definition` and `meta`, byte for byte in RedBeat's form, and ours beside.

`definition` and `meta` never hold anything of ours: an unknown key there kills a stock beat. What RedBeat can't
express stays in the `livebeat` field, with the nearest form in `definition`. Where somebody saved the entry without
us (the digest in ours no longer fits), the definition wins in the fields that it expresses.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redbeat.decoder import RedBeatJSONDecoder, RedBeatJSONEncoder

from livebeat import clock
from livebeat.celery_rules import as_left, is_redbeat_exact, to_celery
from livebeat.errors import SpecError
from livebeat.spec import ScheduleSpec

FIELDS = ("definition", "meta", "livebeat")
#: The score of what must not be dispatched; stock RedBeat ignores scores below zero, too.
OUT_OF_RANGE = -1.0


@dataclass(frozen=True)
class Raw:
    """The three texts as read; '' where a field was absent."""

    definition: str = ""
    meta: str = ""
    livebeat: str = ""

    @property
    def digests(self) -> list[str]:
        """SHA-1 of each as Redis computes it, '' for an absent one."""
        return [digest(text) if text else "" for text in (self.definition, self.meta, self.livebeat)]


@dataclass(frozen=True)
class StoredSchedule:
    """A schedule with its state.

    `next_at` is the slot that its score stands for, None while it can't be dispatched. `revision` counts its
    changes; `incarnation` tells it from an earlier schedule of the same name. `problem` says why it is set aside.
    """

    spec: ScheduleSpec
    revision: int
    incarnation: str
    next_at: datetime | None
    last_run_at: datetime | None
    total_runs: int
    origin: str
    by: str
    changed_at: datetime | None
    problem: str | None
    #: Written by us and untouched since; else `next_at` is only a hint.
    ours: bool
    #: Whether a stock RedBeat would run it at the same instants.
    redbeat_exact: bool
    raw: Raw


def digest(text: str) -> str:
    """SHA-1 in hex, as Redis' `sha1hex` gives it: a fingerprint, not a safeguard."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def encode_definition(spec: ScheduleSpec) -> str:
    """RedBeat's `definition`, by RedBeat's own encoder, in RedBeat's order."""
    definition = {
        "name": spec.name,
        "task": spec.task,
        "args": list(spec.args),
        "kwargs": dict(spec.kwargs),
        "options": dict(spec.options),
        "schedule": to_celery(spec.recurrence),
        "enabled": spec.enabled,
    }
    return json.dumps(definition, cls=RedBeatJSONEncoder)


def encode_meta(last_run_at: datetime | None, total_runs: int | None) -> str:
    """RedBeat's `meta`; the count only where a run has been counted, as RedBeat does."""
    meta: dict[str, Any] = {"last_run_at": last_run_at}
    if total_runs:
        meta["total_run_count"] = total_runs
    return json.dumps(meta, cls=RedBeatJSONEncoder)


def encode_ours(stored: StoredSchedule, definition: str) -> str:
    """Our JSON beside `definition`."""
    spec = stored.spec
    ours = {
        "v": 1,
        "incarnation": stored.incarnation,
        "revision": stored.revision,
        "next": clock.to_epoch(stored.next_at) if stored.next_at else None,
        "digest": digest(definition),
        "recurrence": spec.recurrence.to_json(),
        "redbeat_exact": stored.redbeat_exact,
        "catchup": spec.catchup,
        "labels": list(spec.labels),
        "description": spec.description,
        "origin": stored.origin,
        "by": stored.by,
        "at": stored.changed_at.isoformat() if stored.changed_at else None,
        "problem": stored.problem,
    }
    return json.dumps(ours, ensure_ascii=False)


def decode(name: str, raw: Raw, app_zone: str) -> StoredSchedule:
    """The schedule of an entry's three texts.

    Raises:
        SpecError: they can't be understood; says why.
    """
    definition = _object("definition", raw.definition)
    if definition.get("name", name) != name:
        raise SpecError("definition", f"is of {definition['name']!r}, but lies under the key of {name!r}")
    last_run_at, total_runs = _meta(raw.meta)
    ours = _object("livebeat", raw.livebeat) if raw.livebeat else {}
    trusted = bool(ours) and ours.get("digest") == digest(raw.definition)
    spec = ScheduleSpec(
        name=name,
        task=definition.get("task") or "",
        recurrence=as_left(ours, trusted, definition.get("schedule"), last_run_at, app_zone),
        args=definition.get("args") or (),
        kwargs=definition.get("kwargs") or {},
        options=definition.get("options") or {},
        enabled=bool(definition.get("enabled", True)),
        catchup=ours.get("catchup", "one"),
        labels=tuple(ours.get("labels", ())),
        description=ours.get("description", ""),
    )
    next_score = ours.get("next")
    return StoredSchedule(
        spec=spec,
        revision=int(ours.get("revision", 0)),
        incarnation=str(ours.get("incarnation", "")),
        next_at=clock.from_epoch(next_score) if next_score is not None else None,
        last_run_at=last_run_at,
        total_runs=total_runs,
        origin=str(ours.get("origin", "redbeat")),
        by=str(ours.get("by", "")),
        changed_at=datetime.fromisoformat(ours["at"]) if ours.get("at") else None,
        problem=ours.get("problem") if trusted else None,
        ours=trusted,
        redbeat_exact=is_redbeat_exact(spec.recurrence, app_zone),
        raw=raw,
    )


def _meta(text: str) -> tuple[datetime | None, int]:
    if not text:
        return None, 0
    try:
        meta = json.loads(text, cls=RedBeatJSONDecoder)
        last_run_at = meta.get("last_run_at")
        count = int(meta.get("total_run_count") or 0)
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise SpecError("meta", f"can't be read: {error}") from None
    if isinstance(last_run_at, datetime):
        return last_run_at.astimezone(UTC), count
    return None, count


def _object(field: str, text: str) -> dict[str, Any]:
    try:
        data = json.loads(text)
    except ValueError as error:
        raise SpecError(field, f"is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise SpecError(field, "is not a JSON object")
    return data
