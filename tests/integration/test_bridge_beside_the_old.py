"""A bridge and consumers of old on one list, in a migration: what one took the other neither loses nor does again."""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count, islice
from typing import Any

import pytest

from livebeat import clock
from support.bridges import HAND, MAIN, PROCESSING, Place, bridging, compact, end, node
from support.old_consumers import FirstConsumer, LaterConsumer
from support.waiting import wait_until

pytest_plugins = ["support.bridge_places"]


@contextmanager
def looping(step: Any) -> Iterator[None]:
    stop = threading.Event()

    def loop() -> None:
        while not stop.is_set():
            step()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(15)


@pytest.mark.parametrize("consumer", [FirstConsumer, LaterConsumer])
def test_each_message_is_dealt_with_by_one_of_them(
    place: Place, monkeypatch: pytest.MonkeyPatch, consumer: Any
) -> None:
    monkeypatch.setattr("app.bridge.lists.UNDER_WAY", 100_000)
    other, numbers = consumer(place.old), count(1)
    pushed: list[int] = []

    def both_took_some() -> bool:
        for number in islice(numbers, 50):
            place.push(node(number))
            pushed.append(number)
        return bool(other.done and place.entries())

    with looping(other.step), bridging(place):
        wait_until(both_took_some, 20, "both of them at work", every=0.05)
        wait_until(lambda: not place.old.llen(MAIN) and not place.old.llen(HAND), 20, "an empty list")
    ours = [entry["userId"] for entry in place.entries()]
    assert sorted([*other.done, *ours]) == pushed
    assert other.lost == 0
    assert len(place.runs()) == len(ours)


def test_the_reclaimer_leaves_alone_what_a_bridge_looks_after(place: Place) -> None:
    place.push(node(1))
    with bridging(place):
        place.visible(1)
        LaterConsumer(place.old).reclaim(clock.now() + timedelta(seconds=590))
        assert place.lengths() == (0, 1, 0)


def test_what_the_reclaimer_took_from_a_dead_bridge_is_the_same_run(place: Place) -> None:
    place.push(node(1))
    with bridging(place):
        (entry,) = place.visible(1)
    LaterConsumer(place.old).reclaim(clock.now() + timedelta(seconds=610))
    assert place.lengths() == (1, 0, 0)
    with bridging(place):
        (again,) = place.visible(1)
    assert again["requestId"] == entry["requestId"]
    assert list(place.runs()) == [entry["requestId"]]


def test_entries_of_others_are_never_touched(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("UNTOLD_SECONDS", "SEEN_SECONDS", "SWEEP_SECONDS"):
        monkeypatch.setattr(f"app.bridge.service.{name}", 0.0)
    theirs = [compact(node(1)), json.dumps(node(2)), "{oops", compact({**node(3), "requestId": str(uuid.uuid4())})]
    place.old.rpush(PROCESSING, *theirs)
    place.push(node(7))
    with bridging(place):
        wait_until(lambda: place.lengths()[1] == 5, 5, "ours beside them")
        (run,) = place.runs()
        end(run, "run.failed", error="x")
        wait_until(lambda: place.lengths() == (0, 4, 1), 5, "ours gone")
    assert place.old.lrange(PROCESSING, 0, -1) == theirs


def test_the_node_apis_check_sees_what_is_under_way(place: Place) -> None:
    """It compares loosely, over the whole list."""
    place.push(node("42"))
    with bridging(place):
        place.visible(1)
        assert any(str(entry["userId"]) == "42" for entry in place.entries())
