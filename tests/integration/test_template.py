"""Messages from templates against what Celery itself builds, and every way in which they must step aside."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from celery import Celery, signals
from celery.utils.saferepr import saferepr
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kombu import Queue

from livebeat import Interval, ScheduleSpec, clock
from livebeat.beat.template import Templates, _repr, headers_of
from livebeat.delivery import Run
from livebeat.message import build
from support.engine import make_app

NOW = datetime.fromisoformat("2026-11-22T03:04:05.678901+00:00")
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=60)
)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4))


@pytest.fixture
def app(redis_url: str) -> Celery:
    app = make_app(redis_url)
    app.conf.task_queues = [Queue("celery"), Queue("crawl"), Queue("fleeting", expires=60)]

    @app.task(name="sample.any", shared=False)
    def anything(*args: Any, **kwargs: Any) -> None:
        pass

    return app


def spec(task: str = "sample.any", **more: Any) -> ScheduleSpec:
    return ScheduleSpec(name="이름 %s", task=task, recurrence=Interval(seconds=60), **more)


def run_for(of: ScheduleSpec, number: int = 1) -> Run:
    return Run(f"run-{number}", of.task, of.name, f"2026-11-22T00:00:0{number}+00:00", number, "schedule")


def assert_same(templates: Templates, app: Celery, of: ScheduleSpec, number: int = 1) -> None:
    run = run_for(of, number)
    ours = templates.message(of, run, NOW)
    celery = build(
        app, of.task, of.args, of.kwargs, run_id=run.run, headers=headers_of(run), options=of.options, ledgered=True
    )
    assert ours.queue == celery.queue
    assert ours.more == celery.more
    assert comparable(ours.text) == comparable(celery.text)


def comparable(text: str) -> str:
    """The message without its tag, and its expiry to the second: `build` counts from its own now."""
    envelope = json.loads(text)
    del envelope["properties"]["delivery_tag"]
    if expires := envelope["headers"]["expires"]:
        at = datetime.fromisoformat(expires)
        assert at.utcoffset() == timedelta(hours=9)
        envelope["headers"]["expires"] = "some time"
    return json.dumps(envelope)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(args=st.lists(VALUES, max_size=3), kwargs=st.dictionaries(st.text(max_size=20), VALUES, max_size=3))
def test_a_template_gives_what_celery_builds(app: Celery, args: list[Any], kwargs: dict[str, Any]) -> None:
    templates = Templates(app, ledgered=True)
    templates.message(spec(), run_for(spec(), 2), NOW)  # the shape is opened with other arguments
    of = spec(args=tuple(args), kwargs=kwargs)
    assert_same(templates, app, of)
    assert templates.slow == {}


PLAIN = {"schedule": "refresh-0000340", "number": 340, "below": -10, "none": None, "yes": True}


@settings(max_examples=150, deadline=None)
@given(value=st.dictionaries(st.text(max_size=50), VALUES, max_size=10))
@example(value={})
@example(value=PLAIN)
@example(value={**PLAIN, "long": "x" * 41, "large": 10**12, "quoted": "it's"})
@example(value={f"name-{number}": "x" * 40 for number in range(8)})
@example(value={f"name-{number}": "x" * 40 for number in range(9)})
def test_the_quick_repr_is_celerys(value: dict[str, Any]) -> None:
    assert _repr(value, 1024, 3) == saferepr(value, 1024, maxlevels=3)


@pytest.mark.parametrize(
    "options",
    [
        {"priority": 6},
        {"queue": "crawl"},
        {"queue": "fleeting"},
        {"expires": 90},
        {"time_limit": 5, "soft_time_limit": 4, "ignore_result": False},
    ],
)
@pytest.mark.parametrize("task", ["sample.any", "somewhere.else"])
def test_options_are_in_the_template(app: Celery, options: dict[str, Any], task: str) -> None:
    templates = Templates(app, ledgered=True)
    for number in (1, 2, 3):
        assert_same(templates, app, spec(task, options=options, kwargs={"n": number}), number)
    assert templates.slow == {}


def test_an_expiry_counts_from_the_dispatch(app: Celery) -> None:
    of = spec(options={"expires": 90})
    message = Templates(app, ledgered=True).message(of, run_for(of), NOW)
    expires = datetime.fromisoformat(json.loads(message.text)["headers"]["expires"])
    assert expires == NOW + timedelta(seconds=90)


def test_each_message_has_a_tag_of_its_own(app: Celery) -> None:
    templates, of = Templates(app, ledgered=True), spec()
    tags = {
        json.loads(templates.message(of, run_for(of, n), NOW).text)["properties"]["delivery_tag"] for n in range(1, 9)
    }
    assert len(tags) == 8


def test_arguments_are_checked_against_the_signature(app: Celery) -> None:
    templates = Templates(app, ledgered=True)
    templates.message(spec("sample.echo"), run_for(spec("sample.echo")), NOW)
    with pytest.raises(TypeError):
        templates.message(spec("sample.echo", args=(1, 2)), run_for(spec("sample.echo")), NOW)


def _own_apply_async(app: Celery) -> None:
    @app.task(name="sample.own", shared=False)
    def own() -> None:
        pass

    cls = type(app.tasks["sample.own"])
    cls.apply_async = lambda self, *args, **kwargs: super(cls, self).apply_async(*args, **kwargs)


def _conf(name: str, value: Any) -> Any:
    return lambda app: app.conf.update({name: value})


@pytest.mark.parametrize(
    ("arrange", "options", "why"),
    [
        (_conf("task_routes", [lambda name, *_, **__: None]), {}, "a router is a function"),
        (_conf("task_send_sent_event", True), {}, "task_send_sent_event is on"),
        (_conf("task_serializer", "yaml"), {}, "messages are not JSON"),
        (_conf("task_compression", "gzip"), {}, "messages are compressed"),
        (_own_apply_async, {}, "the task has its own apply_async"),
        (lambda app: None, {"headers": {"a": 1}}, "its options hold headers"),
    ],
)
def test_what_may_differ_goes_celerys_way_and_is_told(
    app: Celery, arrange: Any, options: dict[str, Any], why: str
) -> None:
    arrange(app)
    of = spec("sample.own" if "sample.own" in app.tasks else "sample.any", options=options)
    templates = Templates(app, ledgered=True)
    message = templates.message(of, run_for(of), clock.now())
    assert json.loads(message.text)["headers"]["id"] == "run-1"
    assert templates.slow == {of.task: why}


def test_a_receiver_of_the_publish_signal_is_heard_from_the_moment_it_is_there(app: Celery) -> None:
    templates, of = Templates(app, ledgered=True), spec()
    templates.message(of, run_for(of), NOW)
    heard = []

    def listen(headers: dict[str, Any] | None = None, **_: Any) -> None:
        heard.append((headers or {}).get("id"))
        (headers or {})["added"] = "by a receiver"

    signals.before_task_publish.connect(listen)
    try:
        message = templates.message(of, run_for(of), NOW)
    finally:
        signals.before_task_publish.disconnect(listen)
    assert heard == ["run-1"]
    assert json.loads(message.text)["headers"]["added"] == "by a receiver"
    assert list(templates.slow.values()) == ["a receiver of the signal before_task_publish is connected"]


def test_messages_that_differ_from_build_to_build_are_found_out(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as by a tool that puts a header of its own around every publish."""
    send, numbers = app.send_task, iter(range(100))

    def traced(*args: Any, **kwargs: Any) -> Any:
        return send(*args, **{**kwargs, "headers": {**kwargs.get("headers", {}), "span": next(numbers)}})

    monkeypatch.setattr(app, "send_task", traced)
    templates, of = Templates(app, ledgered=True), spec()
    assert json.loads(templates.message(of, run_for(of), NOW).text)["headers"]["span"] == 2
    assert "(span)" in templates.slow[of.task]
