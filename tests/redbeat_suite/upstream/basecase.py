"""Where RedBeat's tests get what they test: RedBeat's own classes, with our code between them and what they read.

What is saved lies in Redis as the engine would have written it, and each rule was one of ours in between. Redis is the
test process's real server, where RedBeat's own suite has a fake one.
"""

from typing import Any, ClassVar
from unittest import TestCase

import redbeat.decoder
import redbeat.schedulers
import redbeat.schedules
from celery.contrib.testing.app import TestApp
from celery.schedules import crontab, schedule
from redis import Redis

from livebeat import clock
from livebeat.cadence import adopted
from livebeat.celery_rules import from_celery, from_redbeat, to_celery
from livebeat.connection import link
from livebeat.entry import FIELDS, Raw, decode, encode_definition, encode_meta, encode_ours


class RedBeatJSONEncoder(redbeat.decoder.RedBeatJSONEncoder):
    """RedBeat's; a rule is written as ours writes it."""

    def default(self, obj: Any) -> Any:
        is_rule = isinstance(obj, crontab | schedule | redbeat.schedules.rrule)
        return super().default(to_celery(from_celery(obj)) if is_rule else obj)


class RedBeatJSONDecoder(redbeat.decoder.RedBeatJSONDecoder):
    """RedBeat's; a rule is read as ours reads it."""

    def dict_to_object(self, d: Any) -> Any:
        is_rule = d.get("__type__") in {"interval", "crontab", "rrule"}
        return to_celery(from_redbeat(d)) if is_rule else super().dict_to_object(d)


class rrule(redbeat.schedules.rrule):  # noqa: N801  RedBeat's name
    """RedBeat's, as it is after it was one of our rules."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__dict__.update(vars(to_celery(from_celery(self))))


class RedBeatSchedulerEntry(redbeat.schedulers.RedBeatSchedulerEntry):
    """RedBeat's; what it wrote is read by our code and written again."""

    def save(self) -> Any:
        saved = super().save()
        self._through_livebeat()
        return saved

    def _next_instance(self, *args: Any, **kwargs: Any) -> Any:
        entry = super()._next_instance(*args, **kwargs)
        self._through_livebeat()
        return entry

    __next__ = next = _next_instance

    def _through_livebeat(self) -> None:
        client, zone = self.app.redbeat_redis, str(self.app.timezone)
        raw = Raw(*(text or "" for text in client.hmget(self.key, FIELDS)))
        if not raw.definition:
            return
        now = clock.now()
        stored = adopted(decode(self.name, raw, zone), zone, now, hint=now)
        definition = encode_definition(stored.spec)
        # Where RedBeat says that there are no arguments, we say that there are none of them; Celery calls both alike.
        assert definition == raw.definition.replace('"args": null', '"args": []', 1)
        meta = encode_meta(stored.last_run_at, stored.total_runs)
        texts = {"definition": definition, "meta": meta, "livebeat": encode_ours(stored, definition)}
        client.hset(self.key, mapping=texts)


def get_redis(app: Any) -> Any:
    """The engine's client by RedBeat's settings; RedBeat's own where a test put a mock in its place."""
    theirs = redbeat.schedulers.get_redis(app)
    is_real = isinstance(getattr(theirs, "wrapped_connection", theirs), Redis)
    return link(app).client if is_real else theirs


class AppCase(TestCase):
    config_dict: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        self.app = TestApp(config=self.config_dict) if self.config_dict else TestApp()
        self.setup()  # type: ignore[attr-defined]


class RedBeatCase(AppCase):
    redis_url: ClassVar[str]

    def setup(self) -> None:
        prefix = "rb-tests:"
        self.app.conf.add_defaults({"REDBEAT_KEY_PREFIX": prefix, "redbeat_key_prefix": prefix})
        self.app.redbeat_redis = Redis.from_url(self.redis_url, decode_responses=True)
        self.addCleanup(self.app.redbeat_redis.close)

    def create_entry(
        self, name: Any = None, task: Any = None, s: Any = None, run_every: float = 60, **kwargs: Any
    ) -> RedBeatSchedulerEntry:
        rule = schedule(run_every=run_every) if s is None else s
        return RedBeatSchedulerEntry(name or "test", task or "tasks.test", rule, app=self.app, **kwargs)
