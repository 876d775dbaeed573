"""What Redis and the run table hold, read raw: the product's own account, to be compared with the evidence."""

import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis
from celery import Celery
from redbeat.decoder import RedBeatJSONDecoder

from chaos.conservation import Entry, Snapshot
from chaos.history import Dispatch, Ending, Health, Row, Skip, to_ms
from chaos.tap import QUEUE, TAKEN, parse, slot_of
from livebeat import clock
from livebeat.beat.heartbeat import SILENCE, newest
from livebeat.connection import link

INDEX, EVENTS, LEDGER = "redbeat::schedule", "livebeat:events", "livebeat:ledger"
DEAD, UNACKED = "livebeat:dead-messages", "unacked"
_TERMINAL = {f"run.{end}": end for end in ("succeeded", "failed", "lost", "cancelled", "expired")}


def snapshot(client: "redis.Redis", *, ledgered: bool) -> Snapshot:
    """All of it, at rest."""
    texts: Any = [*client.lrange(QUEUE, 0, -1), *client.lrange(TAKEN, 0, -1)]
    scores: Any = client.zrange(INDEX, 0, -1, withscores=True)
    ledger: Any = client.zrange(LEDGER, 0, -1)
    return Snapshot(
        entries={key.removeprefix("redbeat:"): _entry(client, key, score) for key, score in scores},
        messages=tuple(parse(text, 0.0) for text in texts),
        news=news(client),
        skips=skips(client),
        ledger=frozenset(ledger) if ledgered else None,
    )


def news(client: "redis.Redis") -> tuple[Dispatch, ...]:
    """Every dispatch of a slot that the event stream tells of, with the server's stamp."""
    return tuple(
        Dispatch(data["schedule"], slot_of(data["slot"]), data["run"], at)
        for kind, data, at in events(client)
        if kind == "run.queued" and data["slot"]
    )


def endings(client: "redis.Redis") -> tuple[Ending, ...]:
    """Every terminal event, but for those of runs that somebody queued again by hand after they had ended."""
    found: dict[str, list[Ending]] = defaultdict(list)
    for kind, data, at in events(client):
        if kind == "run.requeued":
            found.pop(data["run"], None)
        elif kind in _TERMINAL:
            found[data["run"]].append(Ending(data["run"], _TERMINAL[kind], str(data.get("error") or ""), at))
    return tuple(ending for endings in found.values() for ending in endings)


def visible(client: "redis.Redis") -> frozenset[str]:
    """The ids of all that waits somewhere: in the ledger, on the queue, in a worker's hand, set aside."""
    queued: Any = client.lrange(QUEUE, 0, -1)
    in_hand: Any = client.hvals(UNACKED)
    texts = [*queued, *(json.dumps(json.loads(text)[0]) for text in in_hand)]
    ids = [json.loads(text)["headers"]["id"] for text in texts]
    return frozenset([*client.zrange(LEDGER, 0, -1), *client.hkeys(DEAD), *ids])


def rows(database: Path) -> tuple[Row, ...]:
    """The platform's run table, in an SQLite file."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        found = connection.execute("SELECT id, schedule, slot, state FROM history_run").fetchall()
    return tuple(Row(run, schedule, _utc_ms(slot), state) for run, schedule, slot, state in found)


def health(app: Celery) -> Health:
    """What a health check hears just now."""
    at = clock.now().timestamp() * 1000
    try:
        found = newest(link(app))
    except redis.RedisError as error:
        return Health(at, False, f"Redis doesn't answer: {error}")
    if found is None or found[1] > SILENCE:
        return Health(at, False, "no beat has ticked lately")
    return Health(at, not found[0].holds, found[0].holds)


def skips(client: "redis.Redis") -> tuple[Skip, ...]:
    """Every range of slots that the event stream says were passed over."""
    return tuple(
        Skip(data["name"], slot_of(data["from"]) or 0, slot_of(data["to"]) or 0, data["reason"], at)
        for kind, data, at in events(client)
        if kind == "slot.skipped"
    )


def is_recorded(client: "redis.Redis") -> bool:
    """Whether a recorder has read and acknowledged every event."""
    groups: Any = client.xinfo_groups(EVENTS)
    last = client.xinfo_stream(EVENTS)["last-generated-id"]
    return any(
        group["name"] == "recorder" and not group["pending"] and group["last-delivered-id"] == last for group in groups
    )


def events(client: "redis.Redis") -> list[tuple[str, dict[str, Any], float]]:
    """The whole stream, oldest first: type, data, the server's stamp in ms."""
    entries: Any = client.xrange(EVENTS)
    return [(fields["type"], json.loads(fields["data"]), float(name.split("-")[0])) for name, fields in entries]


def _entry(client: "redis.Redis", key: str, score: float) -> Entry:
    fields: Any = client.hgetall(key)
    meta = json.loads(fields.get("meta") or "{}", cls=RedBeatJSONDecoder)
    ours = json.loads(fields.get("livebeat") or "{}")
    last, due = meta.get("last_run_at"), ours.get("next")
    return Entry(
        count=meta.get("total_run_count") or 0,
        last=to_ms(last) if last else None,
        next=round(due * 1000) if due is not None else None,
        score=round(score * 1000),
    )


def _utc_ms(text: str | None) -> int | None:
    """Django's form of an instant in SQLite: UTC without saying so."""
    return to_ms(datetime.fromisoformat(text).replace(tzinfo=UTC)) if text else None
