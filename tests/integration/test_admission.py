"""What may be scheduled: what no app's schedule may say, and what this app's own rule refuses, on every way in."""

import json
import timeit
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from app.api.schedule_form import OptionsForm
from app.core.celery_app import OPTIONS, celery_app
from livebeat import Cron, Interval, ScheduleSpec, ScheduleStore, install
from livebeat.beat.statics import apply_statics
from livebeat.connection import link
from livebeat.delivery import admit
from livebeat.errors import SeedFileError, SpecError
from livebeat.seedfile import Seeding
from livebeat.seedfile.importing import plan
from livebeat.seedfile.persistent import Candidate
from support.engine import connect, make_app

KEYS = [
    "redbeat::lock",
    "redbeat::schedule",
    "redbeat:another schedule",
    "livebeat:events",
    "livebeat:theirs:ledger",
    "unacked",
    "unacked_index",
    "_kombu.binding.celery",
    "celery@host.celery.pidbox",
    "a1b2.reply.celery.pidbox",
    "celery\x06\x163",
    "celery\nx",
    "celery\x00",
]


def spec(**changes: Any) -> ScheduleSpec:
    return ScheduleSpec(**{"name": "a", "task": "sample.echo", "recurrence": Interval(seconds=60), **changes})


@pytest.mark.parametrize("option", ["queue", "routing_key", "exchange", "reply_to"])
@pytest.mark.parametrize("name", KEYS)
def test_no_message_is_pushed_onto_a_key_that_is_no_queue(redis_url: str, option: str, name: str) -> None:
    app = make_app(redis_url)
    with pytest.raises(SpecError, match=option) as refused:
        ScheduleStore(app).put(spec(options={option: name}))
    assert refused.value.facts["field"] == "options"
    assert "큐 이름" in refused.value.text("ko")
    assert connect(redis_url).keys("redbeat*") == []


def test_a_lock_or_prefix_of_the_users_own_is_no_queue_either(redis_url: str) -> None:
    app = make_app(redis_url, redbeat_key_prefix="mine:", redbeat_lock_key="the lock")
    for name in ("mine:x", "mine:the lock", "livebeat:mine:events"):
        with pytest.raises(SpecError):
            admit(app, spec(options={"queue": name}))
    admit(app, spec(options={"queue": "redbeat:x"}))


def test_a_declared_queue_may_be_named_as_it_likes(redis_url: str) -> None:
    app = make_app(redis_url, redbeat_key_prefix="mine:", task_queues={"mine:mail": {}, "우편": {}})
    for name in ("mine:mail", "우편", "celery", "another"):
        admit(app, spec(options={"queue": name, "routing_key": name}))


@pytest.mark.parametrize("options", [{"task_id": "x"}, {"headers": {"id": "x"}}, {"headers": {"task": "sample.other"}}])
def test_no_schedule_brings_the_id_of_its_runs(redis_url: str, options: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="options"):
        admit(make_app(redis_url), spec(options=options))


@pytest.mark.parametrize(
    "options", [{}, {"task_id": None}, {"link": []}, {"headers": {"x": 1}}, {"queue": "mail", "priority": 3}]
)
def test_without_a_rule_of_its_own_an_app_takes_what_stock_takes(redis_url: str, options: dict[str, Any]) -> None:
    admit(make_app(redis_url), spec(task="somewhere.else", options=options))


def allow_echo(wanted: ScheduleSpec) -> None:
    if wanted.task != "sample.echo":
        raise SpecError("task", "only echo", "echo만 가능합니다")


@pytest.fixture
def picky(redis_url: str) -> Celery:
    """An app that lets nothing but `sample.echo` be scheduled."""
    app = Celery("picky", broker=redis_url, set_as_current=False)
    app.conf.update(redbeat_redis_url=redis_url, redbeat_redis_options={}, result_expires=None)
    install(app, allows=allow_echo)
    return app


def test_the_apps_rule_is_asked_on_every_way_in(picky: Celery, tmp_path: Path) -> None:
    store = ScheduleStore(picky)
    store.put(spec())
    with pytest.raises(SpecError, match="only echo"):
        store.put(spec(task="sample.other"))
    assert store.get("a").spec.task == "sample.echo"

    file = tmp_path / "schedules.json"
    rule = {"hour": 1, "minute": 0}
    entries = {"b": {"task": "sample.echo", "schedule": rule}, "c": {"task": "celery.chord", "schedule": rule}}
    file.write_text(json.dumps(entries))
    with pytest.raises(SeedFileError, match=r"'c'.*only echo"):
        Seeding(link(picky), file).apply()

    (step,) = plan(picky, [Candidate("d", spec(name="d", task="sample.other"))])
    assert (step.action, step.problem.text("ko") if step.problem else "") == ("skip", "task: echo만 가능합니다")

    entry = {"task": "sample.other", "schedule": 60.0}
    picky.conf.beat_schedule = {"e": entry, "f": {**entry, "task": "sample.echo"}}
    apply_statics(picky, link(picky), store)
    assert [stored.spec.name for stored in store.list()] == ["a", "f"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"task": "app.tasks.scheduler.crawl_complex"}, "task"),
        ({"task": "celery.chord_unlock"}, "task"),
        ({"task": "os.system"}, "task"),
        ({"options": {"queue": "celery"}}, "options"),
        ({"options": {"link": {"task": "app.tasks.stats.refresh_user_stats"}}}, "options"),
        ({"options": {"serializer": "pickle"}}, "options"),
        ({"options": {"routing_key": "default"}}, "options"),
    ],
)
def test_the_platforms_own_rule(redis_url: str, changes: dict[str, Any], field: str) -> None:
    allowed = {"task": "app.tasks.scheduler.crawl_all_complexes", "options": {"queue": "crawl", "expires": 3600}}
    admit(celery_app, spec(**allowed))
    with pytest.raises(SpecError) as refused:
        ScheduleStore(celery_app).put(spec(**{**allowed, **changes}, recurrence=Cron("0 6 * * *")))
    assert refused.value.facts["field"] == field


def test_the_form_knows_the_same_options() -> None:
    assert set(OptionsForm.model_fields) == set(OPTIONS)


def test_it_costs_nothing_worth_mentioning(redis_url: str) -> None:
    app, plain = make_app(redis_url), spec()
    admit(app, plain)
    best = min(timeit.repeat(lambda: admit(app, plain), number=10_000, repeat=5)) / 10_000
    assert best < 5e-6
