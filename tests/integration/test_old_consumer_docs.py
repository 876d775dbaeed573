"""`docs/from-the-old-consumer.md`: from the old consumer's database and lists to ours and back, by the page's own commands."""

import json
import re
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import redis
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from app.check_old_system.__main__ import WARNINGS
from app.core.settings import get_settings
from app.domains.velog import tokens
from support.platform_processes import platform_environment

pytest_plugins = ["support.api"]
pytestmark = pytest.mark.timeout(180)

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "from-the-old-consumer.md"
MAIN = "vd2:queue:stats-refresh"
DAY = datetime(2026, 11, 1, 15, tzinfo=UTC)
OLD = "0002_stats_refresh_requests"


def commands() -> list[str]:
    """Every line of every shell block, in order."""
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


@pytest.fixture
def old(transactional_db: None) -> Iterator[Any]:
    """The back office's tables with one user whose day was written twice; ours again at the end."""
    executor = MigrationExecutor(connection)
    executor.migrate([("velog", OLD)])
    apps = MigrationExecutor(connection).loader.project_state([("velog", OLD)]).apps
    MigrationRecorder(connection).migration_qs.filter(app="velog").delete()
    cipher = tokens.encrypt("a.b.c", (get_settings().aes_key(1) or "").encode())
    user = apps.get_model("velog", "User").objects.create(
        pk=1, velog_uuid=uuid.uuid4(), group_id=1, access_token=cipher, refresh_token=cipher
    )
    post = apps.get_model("velog", "Post").objects.create(post_uuid=uuid.uuid4(), user=user, title="t")
    for views in (7, 9):
        apps.get_model("velog", "PostDailyStatistics").objects.create(post=post, date=DAY, daily_view_count=views)
    yield apps
    call_command("migrate", "velog", fake_initial=True, verbosity=0)
    call_command("flush", interactive=False, verbosity=0)


def rows(table: str) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT * FROM "{table}" ORDER BY 1')
        return list(cursor.fetchall())


def statistics() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT daily_view_count, daily_like_count FROM posts_postdailystatistics")
        return list(cursor.fetchall())


def request(user: int) -> str:
    return json.dumps(
        {"userId": user, "requestedAt": "2025-12-24T12:00:00.000Z", "retryCount": 0}, separators=(",", ":")
    )


class Reader:
    """Somebody who types the page's commands, one after the other."""

    def __init__(self, api: httpx2.Client, client: "redis.Redis", env: dict[str, str]) -> None:
        self._api, self._client, self._env = api, client, env

    def type(self, command: str) -> Any:
        words = shlex.split(command)
        if words[0] == "redis-cli":
            return self._client.execute_command(*words[1:])
        if words[0] == "curl":
            return self._curl(words[1:])
        if words[0] == ".venv/bin/python":
            return self._run(command, sys.executable, *words[1:])
        # A script makes its environment before it starts anything, and most would never end: only its help is asked for.
        assert self._run(command, words[0], "--help").startswith(words[0])
        return self._run(command, sys.executable, "-m", "app.check_old_system", "--json") if "check" in words[0] else ""

    def _run(self, command: str, *argv: str) -> str:
        done = subprocess.run(argv, cwd=ROOT, env=self._env, capture_output=True, text=True, timeout=90)
        assert done.returncode <= WARNINGS, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def _curl(self, words: list[str]) -> httpx2.Response:
        address = next(word for word in words if word.startswith("http")).removeprefix("http://localhost:8000")
        body = words[words.index("-d") + 1] if "-d" in words else None
        method = words[words.index("-X") + 1] if "-X" in words else "GET"
        answer = self._api.request(method, address, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code < 500, f"{address}: {answer.text}"
        return answer


@pytest.fixture
def reader(api: httpx2.Client, client: "redis.Redis", old: Any, tmp_path: Path) -> Reader:
    return Reader(api, client, platform_environment(tmp_path))


def test_the_page_from_top_to_bottom(reader: Reader, client: "redis.Redis") -> None:
    client.lpush(MAIN, request(1), "no json")
    client.lpush(f"{MAIN}:processing", request(11), request(12))  # 11 is the older one
    client.lpush(f"{MAIN}:failed", request(21), request(22))
    users, posts = rows("users_user"), rows("posts_post")
    said: dict[str, list[Any]] = {}
    for command in commands():
        said.setdefault(command, []).append(reader.type(command))

    (report,) = (json.loads(text) for text in said["./check_old_system.sh"])
    kinds = {each["kind"]: each["facts"] for each in report["findings"]}
    assert kinds["duplicates"] == {"groups": 1, "surplus": 1}
    assert kinds["left-over"]["count"] == 2
    assert kinds["malformed"] == {"key": MAIN, "count": 1}

    assert (rows("users_user"), rows("posts_post")) == (users, posts)
    assert statistics() == [(9, 0)]

    (moved,) = (answers for command, answers in said.items() if "EVAL" in command)
    assert moved == [2]
    waiting = client.lrange(MAIN, 0, -1)
    assert waiting == [request(22), "no json", request(1), request(12), request(11)]  # taken from the right
    assert client.lrange(f"{MAIN}:failed", 0, -1) == [request(21)]

    asked = [answer.status_code for command, answers in said.items() if "-X POST" in command for answer in answers]
    assert asked == [202, 409]  # the second time it is under way
    queue = said["curl http://localhost:8000/api/stats/queue"][-1].json()
    assert queue["waiting"] == 1


def test_every_kind_of_command_is_there() -> None:
    words = {command.split()[0] for command in commands()}
    assert words == {
        *("./check_old_system.sh", "./run_celery_beat.sh", "./run_recorder.sh", "./run_consumer.sh", "./run_api.sh"),
        *("./run_bridge.sh", ".venv/bin/python", "curl", "redis-cli"),
    }


def test_the_old_code_works_on_the_tables_that_were_taken_over(reader: Reader, old: Any) -> None:
    """What it does to a day: look for the row of the post, update or insert; without our column."""
    (migrate,) = (command for command in commands() if "--fake-initial" in command)
    reader.type(migrate)
    table, post = old.get_model("velog", "PostDailyStatistics"), old.get_model("velog", "Post").objects.get()
    table.objects.update_or_create(post=post, date=DAY, defaults={"daily_view_count": 12})
    assert table.objects.get().daily_view_count == 12
    table.objects.create(post=post, date=DAY.replace(day=2))
    assert table.objects.count() == 2


def test_back_again_nothing_is_lost(reader: Reader, old: Any) -> None:
    there, back = (command for command in commands() if "migrate" in command)
    reader.type(there)
    (kept,) = rows("posts_postdailystatistics")
    reader.type(back)
    (found,) = rows("posts_postdailystatistics")
    assert found == kept[: len(found)]
    with connection.cursor() as cursor:
        columns = {c.name for c in connection.introspection.get_table_description(cursor, "posts_postdailystatistics")}
    assert "run_id" not in columns
    old.get_model("velog", "PostDailyStatistics").objects.create(
        post=old.get_model("velog", "Post").objects.get(), date=DAY
    )
    reader.type(there)  # and there again
    assert len(rows("posts_postdailystatistics")) == 1
