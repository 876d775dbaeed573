"""Schedules whose runs fail again and again are paused, as their `pause_after_failures` asks, with a note that says why.

The script that ends a run counts its schedule's failures in a row, and names the schedule once they are enough; this is
the leading beat's part. Harmless to repeat.
"""

import logging
from typing import cast

from livebeat.connection import Link
from livebeat.errors import LivebeatError
from livebeat.store import ScheduleStore

logger = logging.getLogger(__name__)

NOTE = "{failures} runs in a row failed (pause_after_failures) / {failures}회 연속 실패하여 일시정지함"
#: Who pauses, as its event says.
BY = "livebeat"


def pause_failing(link: Link, store: ScheduleStore) -> None:
    """Pause what has failed too often; its failures are counted from none when it is resumed."""
    keys, client = link.keys, link.client
    for name in cast("set[str]", client.smembers(keys.to_pause)):
        try:
            failures = int(cast("str | None", client.hget(keys.failures, name)) or 0)
            spec = store.get(name).spec
            limit = spec.pause_after_failures
            if spec.enabled and limit is not None and failures >= limit:
                store.pause(name, note=NOTE.format(failures=failures), by=BY, origin="beat")
                logger.error("%s is paused: %d runs in a row failed.", name, failures, extra={"schedule": name})
        except (LivebeatError, ValueError) as error:
            logger.warning("%s can't be paused after its failures: %s", name, error)
        client.hdel(keys.failures, name)
        client.srem(keys.to_pause, name)
