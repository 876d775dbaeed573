"""What was given up can be seen with its reason, queued again once, or forgotten."""

import argparse
import json
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import Interval, ScheduleSpec, ScheduleStore, run_state, send
from livebeat.cli import dead as command
from livebeat.cli.output import DONE, LOOK
from livebeat.cli.state import read_state
from livebeat.connection import link
from livebeat.delivery.dead import dead_messages, find, revive
from livebeat.delivery.ledger import Ledger
from livebeat.errors import Language, LivebeatError
from support.engine import connect, make_app


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def lost(app: Celery, unique: str | None = None) -> str:
    """A run that was given up in its second attempt."""
    run_id = send("sample.echo", kwargs={"value": "값"}, unique=unique, app=app).run_id
    return given_up(app, run_id)


def given_up(app: Celery, run_id: str) -> str:
    entry = run_state(app, run_id)
    assert entry is not None
    ledger = Ledger(link(app))
    ledger.claim(entry.run, "a", "w")
    ledger.release(entry.run, "a", 1, after=0)
    ledger.claim(entry.run, "b", "w")
    assert ledger.finish(entry.run, "b", 2, "run.lost", error="its worker\nvanished")
    link(app).broker.delete("celery")
    return run_id


def dead(app: Celery, language: Language = "en", **options: Any) -> int:
    given = {"retry": None, "drop": None, **options}
    return command.run(app, argparse.Namespace(**given), language)


@pytest.mark.parametrize(("language", "word"), [("en", "run of sample.echo"), ("ko", "sample.echo 실행")])
def test_it_is_listed_with_its_reason(
    app: Celery, capsys: pytest.CaptureFixture[str], language: Language, word: str
) -> None:
    assert dead(app, language) == DONE
    run_id = lost(app)
    capsys.readouterr()
    assert dead(app, language) == LOOK
    line, advice = capsys.readouterr().out.splitlines()
    assert run_id in line
    assert word in line
    assert r"its worker\nvanished" in line
    assert "--retry" in advice


@pytest.mark.parametrize("chosen", ["it", "all"])
def test_a_run_is_queued_again_under_its_id(app: Celery, client: "redis.Redis", chosen: str) -> None:
    run_id = lost(app)
    client.hset("livebeat:dead-messages", "bad", json.dumps({"at": 1, "reason": "no JSON", "kind": "message"}))
    assert dead(app, retry=[run_id if chosen == "it" else "all"]) == DONE
    assert [dead.id for dead in dead_messages(link(app))] == ["bad"]
    (message,) = client.lrange("celery", 0, -1)
    assert json.loads(message)["headers"]["id"] == run_id
    entry = run_state(app, run_id)
    assert entry is not None
    assert (entry.state, entry.attempt, entry.losses) == ("queued", 2, 0)
    ledger = Ledger(link(app))
    assert ledger.claim(entry.run, "c", "w") == ("claimed", 3)
    assert ledger.finish(entry.run, "c", 3, "run.succeeded")


def test_two_who_retry_queue_it_once(app: Celery, client: "redis.Redis") -> None:
    found = find(link(app), lost(app))
    assert revive(link(app), found) == found.id
    assert revive(link(app), found) == ""
    assert client.llen("celery") == 1


@pytest.mark.parametrize(("language", "word"), [("en", "under way"), ("ko", "진행 중")])
def test_of_one_unique_key_no_two_are_under_way(
    app: Celery, client: "redis.Redis", capsys: pytest.CaptureFixture[str], language: Language, word: str
) -> None:
    first = lost(app, unique="user-1")
    second = send("sample.echo", unique="user-1", app=app).run_id
    assert dead(app, language, retry=[first]) == LOOK
    assert second in (told := capsys.readouterr().out)
    assert word in told
    assert [one.id for one in dead_messages(link(app))] == [first]
    given_up(app, second)
    assert dead(app, retry=[first]) == DONE
    assert send("sample.echo", unique="user-1", app=app).run_id == first  # it holds the key again
    assert client.llen("celery") == 1


@pytest.mark.parametrize(("overlap", "retried"), [("skip", LOOK), ("buffer_one", LOOK), ("allow", DONE)])
def test_of_a_schedule_that_lets_no_two_run_none_is_queued_beside_another(
    app: Celery, overlap: Any, retried: int
) -> None:
    store = ScheduleStore(app)
    store.put(ScheduleSpec(name="a", task="sample.echo", recurrence=Interval(seconds=3600), overlap=overlap))
    first = given_up(app, store.trigger("a").run_id)
    second = store.trigger("a").run_id
    assert dead(app, retry=[first]) == retried
    given_up(app, second)
    assert dead(app, retry=["all"]) == (LOOK if overlap != "allow" else DONE)  # the two of them: one
    left = [one.id for one in dead_messages(link(app))]
    assert len(left) == (1 if overlap != "allow" else 0)


def test_what_can_not_be_used_is_not_queued_again(app: Celery, client: "redis.Redis") -> None:
    for text in ("{}", "[]", '{"headers": {}}', "no JSON"):
        stored = {"at": 1, "reason": "r", "kind": "run", "queue": "celery", "text": text}
        client.hset("livebeat:dead-messages", "bad", json.dumps(stored))
        with pytest.raises(LivebeatError, match="can't be used"):
            dead(app, retry=["bad"])
    client.hset("livebeat:dead-messages", "bad", "not even JSON")
    with pytest.raises(LivebeatError, match="can't be used"):
        dead(app, retry=["bad"])
    assert client.llen("celery") == 0


def test_it_is_forgotten_when_told(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    run_id = lost(app)
    with pytest.raises(LivebeatError, match="given up under the id"):
        dead(app, drop=["other"])
    assert dead(app, drop=[run_id]) == DONE
    assert dead(app) == DONE
    assert "Nothing was given up." in capsys.readouterr().out


def test_status_counts_it(app: Celery) -> None:
    assert read_state(app).given_up == 0
    lost(app)
    assert read_state(app).given_up == 1
