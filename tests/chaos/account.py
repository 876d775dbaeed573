"""What a Redis holds, read raw: the product's own account, to be compared with the evidence."""

import json
from typing import Any

import redis
from redbeat.decoder import RedBeatJSONDecoder

from chaos.conservation import Entry, Snapshot
from chaos.history import Dispatch, Skip, to_ms
from chaos.tap import QUEUE, TAKEN, parse, slot_of

INDEX, EVENTS, LEDGER = "redbeat::schedule", "livebeat:events", "livebeat:ledger"


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
    """Every dispatch that the event stream tells of, with the server's stamp."""
    return tuple(
        Dispatch(data["schedule"], slot_of(data["slot"]), data["run"], at)
        for kind, data, at in _events(client)
        if kind == "run.queued"
    )


def skips(client: "redis.Redis") -> tuple[Skip, ...]:
    """Every range of slots that the event stream says were passed over."""
    return tuple(
        Skip(data["name"], slot_of(data["from"]) or 0, slot_of(data["to"]) or 0, data["reason"], at)
        for kind, data, at in _events(client)
        if kind == "slot.skipped"
    )


def _events(client: "redis.Redis") -> list[tuple[str, dict[str, Any], float]]:
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
