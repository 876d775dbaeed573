"""Each way a task's message can end, in one prefork and one threads worker: one terminal event, nothing left behind."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from launcher.servers.valkey import EmbeddedValkey
from livebeat import run_state, send
from livebeat.delivery.ledger import MAX_ATTEMPTS
from livebeat.message import build
from support.engine import celery_process, connect, make_app
from support.redis_servers import chosen
from support.runs import data_of, ended, events_of, relaying
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(90)


@dataclass(frozen=True)
class Stage:
    """A worker, all by itself with its Redis and a relay."""

    app: Celery
    client: "redis.Redis"
    folder: Path
    pool: str

    def send(self, task: str, *args: Any, **options: Any) -> str:
        return send(task, args, app=self.app, **options).run_id

    def ended(self, run_id: str) -> str:
        return ended(self.client, run_id)

    def last(self, kind: str, run_id: str) -> dict[str, Any]:
        return data_of(self.client, kind, run_id)[-1]

    def noted(self, kind: str, run_id: str) -> int:
        """How often the task's body left this note."""
        evidence = self.folder / "evidence.txt"
        return evidence.read_text().count(f"{kind} {run_id} ") if evidence.exists() else 0

    def dropped(self, run_id: str) -> int:
        """How many copies of its message were dropped."""
        return (self.folder / "worker.log").read_text().count(f"Run {run_id} of ")


@pytest.fixture(scope="module", params=["prefork", "threads"])
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    arguments = ("worker", "-c", "3", "--without-gossip", "--loglevel=info", f"--pool={request.param}")
    with EmbeddedValkey(folder / "valkey", binary=chosen(), durable=False) as server:
        app, client = make_app(server.client_url), connect(server.client_url)
        with celery_process(server.client_url, folder, *arguments), relaying(app):
            stage = Stage(app, client, folder, request.param)
            assert stage.ended(stage.send("sample.echo")) == "run.succeeded"
            yield stage
            assert client.zcard("livebeat:ledger") == 0
            assert client.keys("livebeat:run:*") == []


def test_success(stage: Stage) -> None:
    run = stage.send("sample.echo", {"k": "값"})
    assert stage.ended(run) == "run.succeeded"
    said = stage.last("run.succeeded", run)
    assert (said["result"], said["attempt"]) == ({"k": "값"}, 1)
    assert said["duration"] >= 0
    assert said["worker"].startswith("celery@")


def test_failure(stage: Stage) -> None:
    run = stage.send("sample.fail")
    assert stage.ended(run) == "run.failed"
    said = stage.last("run.failed", run)
    assert (said["error_class"], said["error"]) == ("ValueError", "as asked")


@pytest.mark.parametrize("task", ["sample.retry", "sample.automatic"])
def test_retry(stage: Stage, task: str) -> None:
    run = stage.send(task, 2)
    assert stage.ended(run) == "run.succeeded"
    assert [data["attempt"] for data in data_of(stage.client, "run.started", run)] == [1, 2, 3]
    assert [data["error"] for data in data_of(stage.client, "run.retrying", run)] == ["not yet"] * 2
    assert stage.noted("attempt", run) == 3


def test_a_retry_beyond_the_limit_is_a_failure(stage: Stage) -> None:
    run = stage.send("sample.automatic", 99)
    assert stage.ended(run) == "run.failed"
    assert stage.last("run.failed", run)["error_class"] == "ValueError"
    assert stage.noted("attempt", run) == 4  # Celery's three retries: each is asked for, none counts as lost


def test_a_retry_without_an_exception_happens(stage: Stage) -> None:
    run = stage.send("sample.retry_quietly")
    assert stage.ended(run) == "run.succeeded"
    assert stage.noted("attempt", run) == 2


def test_a_retry_keeps_what_its_message_said(stage: Stage) -> None:
    options = {
        "priority": 3,
        "expires": 600,
        "time_limit": 50,
        "soft_time_limit": 40,
        "headers": {"sample_header": "h"},
    }
    run = stage.send("sample.retry_changed", 2, **options)
    assert stage.ended(run) == "run.succeeded"
    said = stage.last("run.succeeded", run)["result"]
    assert said.pop("expires")
    assert said == {"word": "changed", "queue": "celery", "priority": 3, "timelimit": [50, 40], "header": "h"}


def test_reject(stage: Stage) -> None:
    run = stage.send("sample.reject", False)
    assert stage.ended(run) == "run.failed"
    assert (stage.last("run.failed", run)["error_class"], stage.noted("attempt", run)) == ("Reject", 1)


def test_reject_and_requeue(stage: Stage) -> None:
    run = stage.send("sample.reject", True)
    assert stage.ended(run) == "run.succeeded"
    assert stage.noted("attempt", run) == 2
    assert [data["error"] for data in data_of(stage.client, "run.retrying", run)] == ["not now"]


def test_ignore(stage: Stage) -> None:
    run = stage.send("sample.ignore")
    assert stage.ended(run) == "run.cancelled"
    assert stage.noted("attempt", run) == 1


def test_replaced(stage: Stage) -> None:
    """The replacement is the same run, its next attempt."""
    run = stage.send("sample.replace", "sample.note")
    assert stage.ended(run) == "run.succeeded"
    assert stage.last("run.retrying", run)["error"] == "replaced by sample.note"
    assert [data["task"] for data in data_of(stage.client, "run.started", run)] == ["sample.replace", "sample.note"]
    assert (stage.noted("attempt", run), stage.noted("done", run)) == (1, 1)


def test_replaced_by_several(stage: Stage) -> None:
    """A chain goes by Celery's own messages; its last task has the id, and no ledger entry."""
    run = stage.send("sample.replace", "sample.note", 2)
    wait_until(lambda: stage.noted("done", run), 30, "the chain's last task")
    assert stage.last("run.succeeded", run)
    assert not stage.client.exists(f"livebeat:run:{run}")


@pytest.mark.parametrize("state", ["queued", "retrying"])
def test_expired(stage: Stage, state: str) -> None:
    task, *arguments, seconds = ("sample.note", -1) if state == "queued" else ("sample.retry", 3, 3, 1.5)
    run = stage.send(task, *arguments, expires=seconds)
    assert stage.ended(run) == "run.expired"
    assert stage.noted("done", run) == 0
    assert len(data_of(stage.client, "run.started", run)) == (0 if state == "queued" else 1)


def test_revoked_before_it_starts(stage: Stage) -> None:
    run = stage.send("sample.retry", 1, 2)
    wait_until(lambda: data_of(stage.client, "run.retrying", run), 30, "the first attempt's end")
    stage.app.control.revoke(run)
    assert stage.ended(run) == "run.cancelled"
    assert stage.last("run.cancelled", run)["error"] == "revoked"
    assert stage.noted("attempt", run) == 1


def test_a_task_that_no_worker_knows_waits_and_is_set_aside(stage: Stage) -> None:
    run = stage.send("sample.renamed", "argument")
    for losses in range(1, MAX_ATTEMPTS):
        wait_until(lambda n=losses: len(data_of(stage.client, "run.retrying", run)) == n, 30, "a worker's refusal")
        entry = run_state(stage.app, run)
        assert entry is not None
        assert (entry.state, entry.losses) == ("retrying", losses)
        stage.client.hset(f"livebeat:run:{run}", "lease_until", 1)  # the wait is over
        stage.client.zadd("livebeat:ledger", {run: 1})
    assert stage.ended(run) == "run.lost"
    dead = json.loads(stage.client.hget("livebeat:dead-messages", run) or "{}")
    assert "knows no task 'sample.renamed'" in dead["reason"]
    assert (dead["kind"], dead["queue"]) == ("run", "celery")
    assert json.loads(dead["text"])["headers"]["id"] == run
    assert data_of(stage.client, "run.started", run) == []


def test_a_message_that_the_worker_rejects_is_set_aside(stage: Stage) -> None:
    run = stage.send("sample.note", serializer="pickle")  # a worker takes JSON alone
    assert stage.ended(run) == "run.lost"
    assert "application/x-python-serialize" in stage.last("run.lost", run)["error"]
    assert stage.client.hexists("livebeat:dead-messages", run)
    assert stage.noted("done", run) == 0


def test_a_late_copy_is_dropped(stage: Stage) -> None:
    run = stage.send("sample.note")
    message = build(stage.app, "sample.note", run_id=run, headers={})  # as the broker would deliver it a second time
    assert stage.ended(run) == "run.succeeded"
    stage.client.lpush("celery", message.text)
    assert stage.ended(stage.send("sample.note")) == "run.succeeded"
    assert stage.ended(stage.send("sample.note")) == "run.succeeded"
    assert (stage.noted("done", run), stage.dropped(run)) == (1, 1)


def test_a_second_copy_is_dropped_while_the_first_runs(stage: Stage) -> None:
    run = stage.send("sample.nap", 1)
    wait_until(lambda: data_of(stage.client, "run.started", run), 30, "the first copy")
    stage.client.lpush("celery", build(stage.app, "sample.nap", (1,), run_id=run, headers={}).text)
    assert stage.ended(run) == "run.succeeded"
    assert (stage.noted("start", run), stage.dropped(run)) == (1, 1)


def test_plain_messages_run_and_are_told(stage: Stage) -> None:
    good = stage.app.send_task("sample.echo", kwargs={"value": 1}, ignore_result=True).id
    retried = stage.app.send_task("sample.retry", (1,), ignore_result=True).id
    expired = stage.app.send_task("sample.echo", expires=-1, ignore_result=True).id
    unknown = stage.app.send_task("sample.renamed", ignore_result=True).id
    assert [ended(stage.client, run) for run in (good, retried, expired, unknown)] == [
        "run.succeeded",
        "run.succeeded",
        "run.expired",
        "run.failed",
    ]
    assert [kind for kind, _ in events_of(stage.client, retried)] == [
        "run.started",
        "run.retrying",
        "run.started",
        "run.succeeded",
    ]


def test_progress_and_the_current_run(stage: Stage) -> None:
    run = stage.send("sample.progress", 100)
    assert stage.ended(run) == "run.succeeded"
    assert stage.last("run.succeeded", run)["result"]["run"] == run
    told = data_of(stage.client, "run.progress", run)
    assert told[0]["progress"] == {"done": 1, "total": 100, "note": "step 1"}
    assert len(told) <= 3
    assert stage.last("run.succeeded", run)["progress"] == {"done": 100, "total": 100, "note": "step 100"}


def test_lateness_counts_from_the_acceptance(stage: Stage) -> None:
    run = stage.send("sample.retry", 1, 1)
    assert stage.ended(run) == "run.succeeded"
    first, second = (data["lateness"] for data in data_of(stage.client, "run.started", run))
    assert 0 <= first < 1 <= second < 10
