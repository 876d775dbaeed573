"""A million stored schedules: start, idle cost, memory, and the rate of N of them beside a store of those N alone."""

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from typing import cast

from bench.arrivals import messages
from bench.burst import CAP, LEAD, SETTLE, Burst, drain, measured
from bench.cost import FAR, idle_of, start_up_of
from bench.harness import Bench, Row
from bench.plan import plan
from bench.sample import make_app
from bench.servers import Process, RunFailedError, Site, sleep_until
from bench.systems import LIVEBEAT, spec_of
from livebeat import ScheduleSpec, ScheduleStore
from livebeat.cadence import changed, meta_after
from livebeat.entry import FIELDS, Raw, encode_definition, encode_ours

_ENTRY, _INDEX = "redbeat:", "redbeat::schedule"
_CHUNK = 2000
#: The system that the rate with all of them is compared with.
ALONE = "N alone"


def million(bench: Bench) -> None:
    """`bench.stored` schedules in one site, N in the other; the same N become due in each, in turn."""
    stored = bench.stored
    if stored < bench.n * 2:
        raise RunFailedError(f"{stored} stored schedules are too few beside {bench.n}")
    large, small = f"{stored:,} stored", ALONE
    with bench.site() as big, bench.site() as little:
        big_beat, row = _fill_and_start(big, stored - bench.n)
        bench.record("million", 0, f"{large}: start, idle", lambda: row | idle_of(big, big_beat))
        little_beat = LIVEBEAT.start(little)
        places = ((large, big, big_beat), (small, little, little_beat))
        for run in range(bench.runs):
            for label, site, process in places if run % 2 == 0 else places[::-1]:
                measure = partial(_burst, site, process, bench.n, stored)
                bench.record("million", run, label, measure)


def _fill_and_start(site: Site, count: int) -> tuple[Process, Row]:
    check_bulk_form(site)
    empty, started = site.memory(), time.monotonic()
    write_bulk(site, map(spec_of, plan(count, time.time() + FAR)))
    row = {"store_seconds": time.monotonic() - started, "bytes_each": (site.memory() - empty) / count}
    process, start_up = start_up_of(site, LIVEBEAT, first=count)
    row |= start_up
    drain(site, messages(site))
    return process, row


def _burst(site: Site, process: Process, n: int, first: int) -> Row:
    planned = plan(n, time.time() + n / LIVEBEAT.pace + SETTLE + LEAD, first=first)
    LIVEBEAT.populate(site, planned)
    due = planned[0].due
    if time.time() > due - LEAD:
        raise RunFailedError("storing the plan took longer than thought")
    sleep_until(due - 1)
    row = measured(Burst(site, process, due, {one.name for one in planned}), cap=CAP)
    return {**row, "executed": drain(site, messages(site))}


def write_bulk(site: Site, specs: Iterable[ScheduleSpec]) -> None:
    """What `ScheduleStore.put` would leave of each, but for the event: a million calls would take an hour."""
    now = datetime.fromtimestamp(time.time(), UTC)
    pipeline = site.client.pipeline(transaction=False)
    for position, spec in enumerate(specs, 1):
        texts, score = _stored_form(spec, now)
        pipeline.hset(_ENTRY + spec.name, mapping=texts)  # type: ignore[arg-type]
        pipeline.zadd(_INDEX, {_ENTRY + spec.name: score})
        if position % _CHUNK == 0:
            pipeline.execute()
    pipeline.execute()


def _stored_form(spec: ScheduleSpec, now: datetime) -> tuple[dict[str, str], float]:
    stored = changed(spec, None, by="", origin="python", zone="UTC", now=now)
    definition = encode_definition(stored.spec)
    texts = (definition, meta_after(stored, None, Raw()), encode_ours(stored, definition))
    return dict(zip(FIELDS, texts, strict=True)), stored.score


def check_bulk_form(site: Site) -> None:
    """Raises RunFailedError where `write_bulk` writes anything else than `put`."""
    spec = spec_of(plan(1, time.time() + FAR)[0])
    written = ScheduleStore(make_app(site.url)).put(spec)
    key = _ENTRY + spec.name
    put = cast("dict[str, str]", site.client.hgetall(key)), site.client.zscore(_INDEX, key)
    site.client.flushall()  # this run's own, empty server
    if written.changed_at is None or _comparable(*put) != _comparable(*_stored_form(spec, written.changed_at)):
        raise RunFailedError("the bulk writer's form is not what ScheduleStore.put writes")


def _comparable(texts: dict[str, str], score: object) -> list[object]:
    parsed = [json.loads(texts[field]) for field in FIELDS]
    parsed[-1].pop("incarnation")  # drawn at random
    return [texts["definition"], texts["meta"], parsed, score]
