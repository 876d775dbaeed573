"""Which process writes which file, at which level, in which form, and that no secret gets into any of them."""

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.core.celery_app import celery_app
from app.core.settings import get_settings
from app.domains.velog import tokens
from app.domains.velog.models import User
from livebeat import Cron, ScheduleSpec, ScheduleStore, send
from livebeat.connection import link
from support.engine import connect
from support.platform_processes import platform_environment, start
from support.processes import Running
from support.serving import Simulator
from support.waiting import wait_until

pytest_plugins = ["support.simulators"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("redis_url"), pytest.mark.timeout(120)]

LEAKY = "support.leaky_app"
CANARY = "canary9f2c7d1e"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (DEBUG|INFO|WARNING|ERROR|CRITICAL) +\S+:\d+ ")


class Logs:
    """What is in the log folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def text(self, name: str) -> str:
        path = self.folder / name
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def wait(self, name: str, text: str) -> str:
        """The first line of a file that contains the text."""
        found = wait_until(
            lambda: [line for line in self.text(name).splitlines() if text in line], 40, f"{text!r} in {name}"
        )
        return found[0]

    def everything(self) -> str:
        return "\n".join(path.read_text(encoding="utf-8") for path in self.folder.glob("*.log*"))

    def names(self) -> set[str]:
        return {path.name for path in self.folder.glob("*.log*")}


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path / "logs")


@contextmanager
def worker(name: str, tmp_path: Path, *arguments: str, **given: str) -> Iterator[Running]:
    with start(name, platform_environment(tmp_path, **given), *arguments, app=LEAKY) as process:
        process.wait_for_line(" ready.", 60)
        yield process


def run(task: str, queue: str, **kwargs: Any) -> str:
    """Give the workers one run of a task that only `LEAKY` knows."""
    return send(task, kwargs=kwargs, options={"queue": queue}, app=celery_app).run_id


def ended(run_id: str) -> str:
    """How the run ended, once it has."""
    client = connect(get_settings().client_url)

    def end() -> str | None:
        for _, values in client.xrange("livebeat:events"):
            if json.loads(values["data"]).get("run") == run_id and values["type"] in ("run.succeeded", "run.failed"):
                return str(values["type"])
        return None

    return str(wait_until(end, 40, f"the end of run {run_id}"))


#: The second is macOS's way: children that are no forks.
@pytest.mark.parametrize("start_method", ["fork", "spawn"])
def test_a_worker_writes_its_log_and_the_stats_tasks_into_the_consumers(
    tmp_path: Path, logs: Logs, start_method: str
) -> None:
    with worker("worker", tmp_path, "--", f"worker.pool_start_method={start_method}"):
        stats = run("app.tasks.stats.tell", "stats", text="안녕")
        crawl = run("app.tasks.scheduler.tell", "crawl", text="hello")
        logs.wait("celery_worker.log", f"app.tasks.scheduler.tell[{crawl}] succeeded")
        logs.wait("consumer.log", f"app.tasks.stats.tell[{stats}] succeeded")
    assert logs.names() == {"celery_worker.log", "consumer.log"}
    whole, consumer = logs.text("celery_worker.log"), logs.text("consumer.log")
    line = logs.wait("consumer.log", "stats says 안녕")
    assert re.search(
        rf"INFO    app\.tasks\.stats\.tell:\d+ \[run={stats} task=app\.tasks\.stats\.tell\] stats says", line
    )
    for text in (f"tell[{stats}] received", "stats says 안녕", "library says 안녕"):
        assert text in consumer
        assert text in whole
    assert "hello" in whole
    assert "hello" not in consumer
    assert crawl not in consumer
    assert [line for line in (whole + consumer).splitlines() if not LINE.match(line)] == []


def test_the_consumer_writes_everything_into_its_own_at_its_own_level(tmp_path: Path, logs: Logs) -> None:
    with worker("consumer", tmp_path, CONSUMER_LOG_LEVEL="debug", LOG_LEVEL="ERROR") as process:
        assert ended(run("app.tasks.stats.tell", "stats", text="안녕")) == "run.succeeded"
        logs.wait("consumer.log", "library says 안녕")
        process.wait_for_line("library says 안녕", 10)
        process.send(signal.SIGTERM)
        assert process.wait(40) == 0
    assert logs.names() == {"consumer.log"}
    assert " DEBUG " in logs.text("consumer.log")
    assert " ready." in logs.text("consumer.log")


def test_a_level_on_the_command_line_counts_where_none_is_set(tmp_path: Path, logs: Logs) -> None:
    with worker("consumer", tmp_path, "--loglevel", "debug"):
        logs.wait("consumer.log", " DEBUG ")


def test_a_beat_tells_of_each_live_edit(tmp_path: Path, logs: Logs) -> None:
    with start("beat", platform_environment(tmp_path)):
        logs.wait("celery_beat.log", "Leading as")
        engine = link(celery_app)
        wait_until(lambda: engine.client.pubsub_numsub(engine.keys.wake)[0][1], 20, "the beat listens")
        ScheduleStore(celery_app).put(
            ScheduleSpec(
                name="주간 보고", task="app.tasks.scheduler.crawl_all_complexes", recurrence=Cron("0 6 * * 1")
            ),
            by="kim",
            origin="api",
        )
        line = logs.wait("celery_beat.log", "Scheduler entry changed: 주간 보고")
    assert LINE.match(line)
    assert logs.names() == {"celery_beat.log"}


def test_the_api_and_the_recorder(tmp_path: Path, logs: Logs) -> None:
    env = platform_environment(tmp_path)
    with start("api", env) as api, start("recorder", env):
        logs.wait("recorder.log", "reads livebeat:events")
        logs.wait("api.log", "Application startup complete")
        api.wait_for_line("Uvicorn running on", 30)
    assert logs.names() == {"api.log", "recorder.log"}
    assert [line for line in logs.everything().split("\n") if line and not LINE.match(line)] == []


def test_the_form_for_programs(tmp_path: Path, logs: Logs) -> None:
    with worker("worker", tmp_path, LOG_FORMAT="json"):
        run_id = run("app.tasks.stats.fail", "stats", why="as asked")
        assert ended(run_id) == "run.failed"
        logs.wait("consumer.log", "raised unexpected")
    entries = [json.loads(line) for line in logs.text("consumer.log").splitlines()]
    failed = next(entry for entry in entries if "raised unexpected" in entry["message"])
    assert (failed["level"], failed["run"], failed["task"]) == ("ERROR", run_id, "app.tasks.stats.fail")
    assert "RuntimeError: as asked" in failed["trace"]


def test_no_secret_gets_into_any_log(tmp_path: Path, logs: Logs) -> None:
    ours = {"SECRET_KEY": f"{CANARY}-secret#key", "POSTGRES_PASSWORD": f"{CANARY}pass word"}
    with worker("worker", tmp_path, CONSUMER_LOG_LEVEL="DEBUG", LOG_LEVEL="DEBUG", **ours) as process:
        run_id = run("app.tasks.stats.leak", "stats", access_token=f"{CANARY}-token", password=CANARY)
        assert ended(run_id) == "run.failed"
        logs.wait("consumer.log", "raised unexpected")
        logs.wait("celery_worker.log", "ends the thread leaky")
    for told in (logs.everything(), process.output):
        assert "ValueError: login failed: password=***" in told
        assert "Cookie: ***" in told
        assert CANARY not in told
        assert not [key for index in range(10) if (key := get_settings().aes_key(index) or "") in told]


def test_a_refresh_that_fails_tells_no_token(tmp_path: Path, logs: Logs, velog: Simulator) -> None:
    velog.fault("redirect_404", "currentUser", times=None)
    web_token = f"eyJhbGciOiJub25lIn0.{CANARY}.{CANARY}"
    keys = tokens.keys_for(1, get_settings())
    stored = keys.encrypt(web_token)
    user = User.objects.create(
        velog_uuid="5f0c9f2c-7d1e-4a51-9d1c-000000000001", group_id=1, access_token=stored, refresh_token=stored
    )
    given = {"VELOG_GRAPHQL_URL": f"{velog.url}/v3/graphql", "VELOG_STATS_URL": f"{velog.url}/v2cdn/graphql"}
    with worker("consumer", tmp_path, CONSUMER_LOG_LEVEL="DEBUG", **given) as process:
        assert ended(run("app.tasks.stats.refresh_user_stats", "stats", user_id=user.pk)) == "run.failed"
        logs.wait("consumer.log", "raised unexpected")
    assert velog.requests("currentUser"), "the tokens were sent, so they could have been told"
    for told in (logs.everything(), process.output):
        assert CANARY not in told
        assert stored not in told


def test_a_folder_that_cannot_be_written_stops_no_process(tmp_path: Path, logs: Logs) -> None:
    (tmp_path / "logs").touch()
    with worker("consumer", tmp_path) as process:
        assert "no log file" in process.output
