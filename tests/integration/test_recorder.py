"""The recorder on a real stream and a real database: nothing twice, nothing lost, nothing stops it."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from django.db import connection

from app.history.heartbeat import GROUP, live_recorders
from app.history.models import Run
from app.recorder.service import Recorder
from launcher.servers.valkey import EmbeddedValkey
from livebeat.events import Event, emit
from livebeat.keys import Keys
from support.news import event, life
from support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = Keys()


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def write(client: "redis.Redis", events: list[Event]) -> None:
    for each in events:
        emit(client, KEYS, each.type, each.data)


@contextmanager
def recording(client: "redis.Redis", host: str = "here") -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=Recorder(client, KEYS, host, stop).run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(15)
        assert not thread.is_alive()


def states() -> dict[str, str]:
    return dict(Run.objects.values_list("id", "state"))


def pending(client: "redis.Redis") -> int:
    return int(client.xpending(KEYS.events, GROUP)["pending"])


def recorded(client: "redis.Redis", expected: dict[str, str]) -> None:
    wait_until(lambda: states() == expected, 20, f"the rows {expected}")
    wait_until(lambda: pending(client) == 0, 10, "everything acknowledged")


def test_events_become_rows_and_are_acknowledged(client: "redis.Redis") -> None:
    write(client, life("before"))
    with recording(client):
        write(client, life("after")[:2])
        recorded(client, {"before": "succeeded", "after": "running"})


def test_what_was_taken_but_not_acknowledged_is_recorded_after_a_kill(client: "redis.Redis") -> None:
    write(client, life("r"))
    client.xgroup_create(KEYS.events, GROUP, id="0")
    client.xreadgroup(GROUP, "here", {KEYS.events: ">"}, count=4)  # taken by one that then was killed
    with recording(client):
        recorded(client, {"r": "succeeded"})


def test_an_event_that_cannot_be_used_is_skipped(client: "redis.Redis") -> None:
    client.xadd(KEYS.events, {"type": "run.started", "data": "not json"})
    client.xadd(KEYS.events, {"something": "else"})
    write(client, [event("run.failed", run="odd", error="\x00"), event("run.started", run=None), *life("good")])
    with recording(client):
        recorded(client, {"odd": "failed", "good": "succeeded"})


def test_a_database_that_is_away_is_waited_for(client: "redis.Redis", caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with connection.schema_editor() as editor:
        editor.delete_model(Run)
    try:
        with recording(client):
            write(client, life("r"))
            wait_until(lambda: "waiting for the database" in caplog.text, 10, "the recorder notices")
            state = "waiting for the database"
            wait_until(lambda: live_recorders(client, KEYS) == {"here": state}, 5, "a heartbeat that says so")
            assert pending(client) > 0
            with connection.schema_editor() as editor:
                editor.create_model(Run)
            recorded(client, {"r": "succeeded"})
    finally:
        if Run._meta.db_table not in connection.introspection.table_names():
            with connection.schema_editor() as editor:
                editor.create_model(Run)
    assert caplog.text.count("waiting for the database") == 1
    assert caplog.text.count("the database is back") == 1


def test_database_connections_that_were_cut_are_replaced(client: "redis.Redis") -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connection that a restart would cut")
    with recording(client):
        write(client, life("one"))
        recorded(client, {"one": "succeeded"})
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        write(client, life("two"))
        recorded(client, {"one": "succeeded", "two": "succeeded"})


def test_a_redis_that_restarts_empty_is_survived(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    server = EmbeddedValkey(tmp_path / "v", durable=False)
    with redis.Redis.from_url(server.client_url, decode_responses=True, retry=None) as client:
        with server:
            with_recorder = recording(client)
            with_recorder.__enter__()
            write(client, life("one"))
            recorded(client, {"one": "succeeded"})
        try:
            wait_until(lambda: "waiting for Redis" in caplog.text, 10, "the recorder notices")
            with EmbeddedValkey(tmp_path / "v", durable=False) as again:
                assert again.client_url == server.client_url
                wait_until(lambda: "Redis is back" in caplog.text, 15, "the recorder is back")
                write(client, life("two"))
                recorded(client, {"one": "succeeded", "two": "succeeded"})
                with_recorder.__exit__(None, None, None)
        finally:
            assert caplog.text.count("waiting for Redis") == 1


def test_a_lost_stream_is_made_anew(client: "redis.Redis") -> None:
    with recording(client):
        wait_until(lambda: client.exists(KEYS.events), 5, "the group")
        client.flushall()
        write(client, life("r"))
        recorded(client, {"r": "succeeded"})


def test_a_recorder_shows_that_it_is_alive(client: "redis.Redis") -> None:
    assert live_recorders(client, KEYS) == {}
    with recording(client):
        wait_until(lambda: live_recorders(client, KEYS) == {"here": "ok"}, 5, "a heartbeat")
        assert 0 < int(client.ttl("app:recorder:here")) <= 15
    assert live_recorders(client, KEYS) == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_ends_clean_when_told(client: "redis.Redis", tmp_path: Path, number: signal.Signals) -> None:
    log = tmp_path / "recorder.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app.recorder"],
            env={**os.environ, "DATABASE_URL": _test_database()},  # noqa: TID251  the private servers' names are there
            stderr=output,
        )
    try:
        write(client, life("r"))
        wait_until(lambda: states() == {"r": "succeeded"}, 30, "the row")
        process.send_signal(number)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()
    assert pending(client) == 0


def _test_database() -> str:
    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    url = os.environ["DATABASE_URL"]  # noqa: TID251
    base, _, query = url.partition("?")
    return base.rsplit("/", 1)[0] + f"/{name}" + (f"?{query}" if query else "")
