"""What is thrown at a living system: messages that no worker can use, and entries that end a stock beat."""

import json
import random

import redis

from chaos.stage import QUEUE, Stage
from support import poison

_GOOD = {
    "name": "poison",
    "task": "chaos.mark",
    "args": ["poison"],
    "kwargs": {},
    "options": {},
    "enabled": True,
    "schedule": {"__type__": "interval", "every": 5.0, "relative": False},
}
#: Fields of an entry's `definition` that spoil it, by name.
DEFINITIONS: dict[str, str] = {
    "no JSON": "{",
    "no object": "[]",
    "unknown type of schedule": json.dumps({**_GOOD, "schedule": {"__type__": "moon"}}),
    "unknown key": json.dumps({**_GOOD, "surprise": 1}),
    "never occurs": json.dumps(
        {
            **_GOOD,
            "schedule": {
                "__type__": "crontab",
                "minute": "0",
                "hour": "0",
                "day_of_week": "*",
                "day_of_month": "30",
                "month_of_year": "2",
            },
        }
    ),
    "the lock as queue": json.dumps({**_GOOD, "options": {"queue": "redbeat::lock"}}),
    "the unacknowledged as queue": json.dumps({**_GOOD, "options": {"queue": "unacked"}}),
    "an id for all runs": json.dumps({**_GOOD, "options": {"task_id": "one"}}),
    "a task that nobody knows": json.dumps({**_GOOD, "task": ""}),
}


def throw(stage: Stage, choice: int) -> str:
    """One of them, now; returns its name."""
    chance = random.Random(choice)
    kind = chance.choice((_message, _definition, _key))
    return kind(stage.client, chance)


def _message(client: "redis.Redis", chance: random.Random) -> str:
    name = chance.choice(sorted(poison.corpus()))
    client.lpush(QUEUE, poison.corpus()[name][0])
    return f"message: {name}"


def _definition(client: "redis.Redis", chance: random.Random) -> str:
    name = chance.choice(sorted(DEFINITIONS))
    key = f"redbeat:poison {name}"
    client.hset(key, mapping={"definition": DEFINITIONS[name], "meta": "{}"})
    client.zadd("redbeat::schedule", {key: 1})
    return f"entry: {name}"


def _key(client: "redis.Redis", chance: random.Random) -> str:
    """An index that names what is no entry, or nothing."""
    name = chance.choice(("text", "list", "nothing", "redbeat::schedule"))
    key = name if name.startswith("redbeat") else f"redbeat:poison {name}"
    if name == "text":
        client.set(key, "text")
    elif name == "list":
        client.delete(key)
        client.rpush(key, "a", "b")
    client.zadd("redbeat::schedule", {key: 1})
    return f"index: {name}"
