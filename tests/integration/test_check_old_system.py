"""`./check_old_system.sh` on databases and lists as the old consumer leaves them. It finds what matters and changes nothing."""

import json
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from app.check_old_system import database, queue
from app.check_old_system.__main__ import CLEAN, ERRORS, WARNINGS, main
from app.check_old_system.findings import KINDS, Finding
from app.core.settings import get_settings
from app.domains.velog import tokens
from support.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

MAIN = "vd2:queue:stats-refresh"
DAY = datetime(2026, 11, 1, 15, tzinfo=UTC)
TOKEN = "aaa.bbb.ccc"


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def old() -> Iterator[Any]:
    """The back office's own tables and models; ours again at the end."""
    yield old_tables("0002_stats_refresh_requests")
    restored()


def old_tables(name: str) -> Any:
    executor = MigrationExecutor(connection)
    executor.migrate([("velog", name)])
    apps = MigrationExecutor(connection).loader.project_state([("velog", name)]).apps
    MigrationRecorder(connection).migration_qs.filter(app="velog").delete()
    return apps


def restored() -> None:
    call_command("migrate", "velog", fake_initial=True, verbosity=0)
    call_command("flush", interactive=False, verbosity=0)


def stored(group: int = 1, text: str = TOKEN, key: str | None = None) -> str:
    of = (key or get_settings().aes_key((group % 100) % 10) or "").encode()
    return tokens.encrypt(text, of)


def user(apps: Any, group: int = 1, **more: Any) -> Any:
    made = {"access_token": stored(group), "refresh_token": stored(group), "group_id": group, **more}
    return apps.get_model("velog", "User").objects.create(velog_uuid=uuid.uuid4(), **made)


def found(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, dict[str, Any]], dict[str, Any]]:
    status = main(["--json"])
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == status
    return status, {each["kind"]: each["facts"] for each in report["findings"]}, report["figures"]


def dump() -> list[Any]:
    said = []
    with connection.cursor() as cursor:
        for table in sorted(connection.introspection.table_names()):
            cursor.execute(f'SELECT * FROM "{table}" ORDER BY 1')
            said.append((table, cursor.fetchall()))
    return said


def everything_in(redis_url: str) -> dict[bytes, Any]:
    with redis.Redis.from_url(redis_url) as raw:
        return {key: raw.dump(key) for key in sorted(raw.keys())}


def test_a_system_in_order(old: Any, client: "redis.Redis", capsys: pytest.CaptureFixture[str]) -> None:
    one = user(old)
    post = old.get_model("velog", "Post").objects.create(post_uuid=uuid.uuid4(), user=one, title="t")
    old.get_model("velog", "PostDailyStatistics").objects.create(post=post, date=DAY)
    client.lpush(MAIN, json.dumps({"userId": one.pk, "requestedAt": "2026-11-01T00:00:00.000Z", "retryCount": 0}))
    status, kinds, figures = found(capsys)
    assert (status, kinds) == (CLEAN, {})
    assert {name: figures[name] for name in ("users", "posts", "statistics")} == dict.fromkeys(
        ("users", "posts", "statistics"), 1
    )
    assert figures["lists"] == {MAIN: 1, f"{MAIN}:processing": 0, f"{MAIN}:failed": 0}


def test_everything_that_can_be_wrong_at_once_and_nothing_is_changed(
    old: Any, client: "redis.Redis", redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = user(old, access_token=TOKEN)
    user(old, group=2, refresh_token=stored(2, key="x" * 32))
    user(old, group=12, access_token="not base64")
    off = user(old, is_active=False)
    post = old.get_model("velog", "Post").objects.create(post_uuid=uuid.uuid4(), user=plain, title="t")
    rows = old.get_model("velog", "PostDailyStatistics").objects
    for _ in range(3):
        rows.create(post=post, date=DAY)
    rows.create(post=post, date=DAY.replace(hour=0))
    old.get_model("velog", "StatsRefreshRequest").objects.create(user_id=plain.pk, status="PROCESSING")
    client.lpush(MAIN, "no json", *(json.dumps({"userId": each}) for each in (plain.pk, str(plain.pk), off.pk, 10**9)))
    client.lpush(f"{MAIN}:processing", json.dumps({"userId": plain.pk}))
    client.lpush(f"{MAIN}:failed", json.dumps({"raw_message": "x", "error": "y", "error_type": "JSONDecodeError"}))
    client.lpush(MAIN, b"\xff\xfe")
    before = dump(), everything_in(redis_url)

    status, kinds, _ = found(capsys)
    assert status == ERRORS
    assert kinds == {
        "plain-tokens": {"users": 1},
        "unreadable-tokens": {"setting": "AES_KEY_2", "users": 2, "of": 2},
        "duplicates": {"groups": 1, "surplus": 2},
        "odd-dates": {"count": 1},
        "rows-under-way": {"count": 1},
        "malformed": {"key": MAIN, "count": 2},
        "unknown-users": {"key": MAIN, "count": 2},
        "repeated": {"key": MAIN, "count": 1},
        "left-over": {"key": f"{MAIN}:processing", "count": 1},
    }
    assert (dump(), everything_in(redis_url)) == before
    for language in ("en", "ko"):
        assert main(["--lang", language]) == ERRORS
        shown = capsys.readouterr().out
        assert TOKEN not in shown
        assert "no json" not in shown
        assert ("Nothing was written." if language == "en" else "아무것도 변경하지 않았습니다.") in shown


def test_nothing_can_be_written_while_it_looks(old: Any) -> None:
    one = user(old)
    with pytest.raises(DatabaseError), database._reading():
        one.save()
    one.save()


def test_the_version_before_the_request_table(client: "redis.Redis", capsys: pytest.CaptureFixture[str]) -> None:
    old_tables("0001_initial")
    try:
        status, kinds, _ = found(capsys)
        assert (status, list(kinds)) == (CLEAN, ["no-request-table"])
    finally:
        restored()


def test_missing_tables_and_columns(old: Any, client: "redis.Redis", capsys: pytest.CaptureFixture[str]) -> None:
    code = old.get_model("velog", "QRLoginToken")
    slug = old.get_model("velog", "Post")._meta.get_field("slug")
    with connection.schema_editor() as editor:
        editor.remove_field(old.get_model("velog", "Post"), slug)
    try:
        assert found(capsys)[:2] == (ERRORS, {"missing-column": {"columns": "posts_post.slug"}})
        with connection.schema_editor() as editor:
            editor.delete_model(code)
        assert found(capsys)[:2] == (ERRORS, {"missing-table": {"tables": "users_qrlogintoken"}})
    finally:
        with connection.schema_editor() as editor:
            if "users_qrlogintoken" not in connection.introspection.table_names():
                editor.create_model(code)
            editor.add_field(old.get_model("velog", "Post"), slug)


def test_a_database_that_was_taken_over(client: "redis.Redis", capsys: pytest.CaptureFixture[str]) -> None:
    status, kinds, _ = found(capsys)
    assert (status, list(kinds)) == (CLEAN, ["taken-over"])


def test_keys_that_are_missing(
    old: Any, client: "redis.Redis", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    user(old, group=3)
    without = get_settings().model_copy(update={"aes_key_3": None})
    monkeypatch.setattr(database, "get_settings", lambda: without)
    assert found(capsys)[:2] == (ERRORS, {"missing-key": {"setting": "AES_KEY_3", "users": 1}})


def test_a_key_that_is_no_list(old: Any, client: "redis.Redis", capsys: pytest.CaptureFixture[str]) -> None:
    client.set(MAIN, "text")
    status, kinds, figures = found(capsys)
    assert (status, kinds) == (ERRORS, {"no-list": {"key": MAIN, "type": "string"}})
    assert MAIN not in figures["lists"]


@pytest.mark.parametrize("command", ["BRPOP", "BLMOVE"])
def test_an_old_consumer_that_waits(
    old: Any, client: "redis.Redis", redis_url: str, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    words = (
        [command, MAIN, "30"] if command == "BRPOP" else [command, MAIN, f"{MAIN}:processing", "RIGHT", "LEFT", "30"]
    )
    with redis.Redis.from_url(redis_url, single_connection_client=True) as consumer:
        waiting = threading.Thread(target=lambda: consumer.execute_command(*words))
        waiting.start()
        try:
            wait_until(lambda: client.info("clients")["blocked_clients"], 5, "the consumer waits")
            status, kinds, _ = found(capsys)
            assert status == WARNINGS
            assert (kinds["consumer"]["count"], kinds["consumer"]["command"]) == (1, command)
            client.sadd("_kombu.binding.celeryev", "x")  # a Celery worker waits in the same way
            kinds = found(capsys)[1]
            assert set(kinds) == ({"clients-unknown"} if command == "BRPOP" else {"consumer"})
        finally:
            client.lpush(MAIN, "enough")
            waiting.join(10)


def test_long_lists_are_looked_at_in_part(
    old: Any, client: "redis.Redis", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "MOST", 1000)
    client.lpush(MAIN, *["x"] * 1500)
    kinds = found(capsys)[1]
    assert kinds["not-all"] == {"key": MAIN, "count": 1500, "looked": 1000}
    assert kinds["malformed"] == {"key": MAIN, "count": 1000}


def test_what_is_away_is_said_and_the_rest_is_looked_at(
    client: "redis.Redis", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = get_settings().model_copy(update={"redis_url": None, "redis_host": "127.0.0.1", "redis_port": 1})
    monkeypatch.setattr(queue, "get_settings", lambda: elsewhere)
    status, kinds, figures = found(capsys)
    assert (status, set(kinds)) == (ERRORS, {"redis-down", "taken-over"})
    assert figures["users"] == 0
    monkeypatch.undo()
    monkeypatch.setattr(database, "_check_tables", lambda *_: (_ for _ in ()).throw(DatabaseError("gone")))
    status, kinds, figures = found(capsys)
    assert (status, kinds) == (ERRORS, {"database-down": {"reason": "gone"}})
    assert figures["lists"][MAIN] == 0


def test_every_kind_speaks_both_languages() -> None:
    facts = dict.fromkeys(
        (
            *(
                "reason",
                "tables",
                "columns",
                "groups",
                "surplus",
                "count",
                "setting",
                "users",
                "of",
                "version",
                "chunks",
            ),
            *("key", "type", "looked", "command", "addresses"),
        ),
        "fact",
    )
    for kind in KINDS:
        made = Finding(kind, facts)
        for text in (made.what("en"), made.do("en"), made.what("ko"), made.do("ko")):
            assert text
            assert "{" not in text
        assert any("가" <= letter <= "힣" for letter in made.what("ko"))
