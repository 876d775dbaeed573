"""`send(parent=, after=)`: children are counted, and what waits for them starts once, after the last."""

import threading
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import children, run_state, send
from livebeat.connection import link
from livebeat.delivery.ledger import Ledger, Run
from support.engine import connect, make_app


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


@pytest.fixture
def ledger(app: Celery) -> Ledger:
    return Ledger(link(app))


def begun(ledger: Ledger, run_id: str, attempt: int = 1) -> Run:
    run = Run(run_id, "sample.echo", kind="send")
    assert ledger.claim(run, f"owner-{run_id}", "w@host") == ("claimed", attempt)
    return run


def end(ledger: Ledger, run_id: str, event: str = "run.succeeded", **facts: Any) -> None:
    assert ledger.finish(begun(ledger, run_id), f"owner-{run_id}", 1, event, **facts)


def state(app: Celery, run_id: str) -> str | None:
    entry = run_state(app, run_id)
    return entry.state if entry else None


def test_a_summary_starts_after_the_parent_and_all_its_children(
    app: Celery, ledger: Ledger, client: "redis.Redis"
) -> None:
    parent = send("sample.echo", app=app).run_id
    run = begun(ledger, parent)
    ids = [send("sample.echo", app=app, parent=parent, unique=f"c{number}").run_id for number in range(3)]
    summary = send("sample.echo", app=app, after=parent, unique="summary").run_id
    end(ledger, ids[0])
    assert ledger.finish(run, f"owner-{parent}", 1, "run.succeeded")
    end(ledger, ids[1], "run.failed", error="x")
    assert state(app, summary) == "waiting"
    assert client.zscore("livebeat:ledger", summary) is None
    assert client.llen("celery") == 4
    end(ledger, ids[2])
    assert state(app, summary) == "queued"
    assert client.llen("celery") == 5
    assert client.zscore("livebeat:ledger", summary) is not None
    told = children(parent, app=app)
    assert told is not None
    assert (told.sent, told.open, told.succeeded, told.failed) == (3, 0, 2, 1)
    end(ledger, summary)
    client.delete("celery", "livebeat:events")
    assert client.keys("livebeat:*") == []


def test_the_parent_may_be_the_last_to_end(app: Celery, ledger: Ledger, client: "redis.Redis") -> None:
    parent = send("sample.echo", app=app).run_id
    run = begun(ledger, parent)
    summary = send("sample.echo", app=app, after=parent).run_id
    end(ledger, send("sample.echo", app=app, parent=parent).run_id)
    assert state(app, summary) == "waiting"
    assert ledger.finish(run, f"owner-{parent}", 1, "run.failed", error="x")
    assert state(app, summary) == "queued"
    assert client.llen("celery") == 3


def test_a_parent_that_runs_again_sends_no_child_twice(app: Celery, ledger: Ledger, client: "redis.Redis") -> None:
    parent = send("sample.echo", app=app).run_id
    run = begun(ledger, parent)
    first = send("sample.echo", app=app, parent=parent, unique="a")
    end(ledger, first.run_id)
    assert ledger.release(run, f"owner-{parent}", 1, after=0)
    begun(ledger, parent, attempt=2)
    again = send("sample.echo", app=app, parent=parent, unique="a")
    assert (again.run_id, again.accepted) == (first.run_id, False)
    assert send("sample.echo", app=app, unique="a").accepted  # the key itself is free
    told = children(parent, app=app)
    assert told is not None
    assert (told.sent, told.open, told.succeeded) == (1, 0, 1)


def test_a_lost_child_counts_as_ended(app: Celery, ledger: Ledger) -> None:
    parent = send("sample.echo", app=app).run_id
    run = begun(ledger, parent)
    child = send("sample.echo", app=app, parent=parent).run_id
    summary = send("sample.echo", app=app, after=parent).run_id
    assert ledger.finish(run, f"owner-{parent}", 1, "run.succeeded")
    entry = run_state(app, child)
    assert entry is not None
    assert ledger.conclude(entry, "run.lost", error="nobody took it")
    assert state(app, summary) == "queued"
    told = children(parent, app=app)
    assert told is not None
    assert told.lost == 1


def test_after_a_run_that_has_ended_starts_at_once(app: Celery, ledger: Ledger, client: "redis.Redis") -> None:
    ended = send("sample.echo", app=app).run_id
    end(ledger, ended)
    late = send("sample.echo", app=app, after=ended).run_id
    assert state(app, late) == "queued"
    assert client.llen("celery") == 2
    assert children(ended, app=app) is None


def test_a_run_without_children_leaves_no_counter(app: Celery, ledger: Ledger, client: "redis.Redis") -> None:
    parent = send("sample.echo", app=app).run_id
    run = begun(ledger, parent)
    child = send("sample.echo", app=app, parent=parent, unique="only").run_id
    assert ledger.finish(run, f"owner-{parent}", 1, "run.succeeded")
    end(ledger, child)
    assert client.keys("livebeat:children:*") == []


def test_children_that_end_at_the_same_time_start_the_summary_once(
    app: Celery, ledger: Ledger, client: "redis.Redis"
) -> None:
    parent = send("sample.echo", app=app).run_id
    run = begun(ledger, parent)
    ids = [send("sample.echo", app=app, parent=parent).run_id for _ in range(20)]
    summary = send("sample.echo", app=app, after=parent).run_id
    ending = [threading.Thread(target=end, args=(ledger, run_id)) for run_id in ids]
    for thread in ending:
        thread.start()
    assert ledger.finish(run, f"owner-{parent}", 1, "run.succeeded")
    for thread in ending:
        thread.join()
    texts = client.lrange("celery", 0, -1)
    assert sum(summary in text for text in texts) == 1
    assert state(app, summary) == "queued"
