"""Our final Redis commands against what kombu really publishes."""

import json
from typing import Any

import pytest
from celery import Celery

from livebeat.errors import ConfigurationError
from livebeat.message import build, copied
from support.engine import connect, make_app

RUN = "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


def comparable(text: str) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads(text)
    envelope["properties"].pop("delivery_tag")
    envelope["headers"].pop("livebeat_run", None)
    return envelope


@pytest.mark.parametrize("options", [{}, {"priority": 6}, {"queue": "other"}])
@pytest.mark.parametrize("name", ["sample.echo", "somewhere.else"])
def test_equals_a_real_publish(app: Celery, redis_url: str, options: dict[str, Any], name: str) -> None:
    kwargs = {"value": {"키": [1, None]}}
    message = build(app, name, kwargs=kwargs, run_id=RUN, headers={"x": 1}, options=options)
    if name in app.tasks:
        app.tasks[name].apply_async([], kwargs, task_id=RUN, headers={"x": 1}, **options)
    else:
        app.send_task(name, [], kwargs, task_id=RUN, headers={"x": 1}, **options)
    client = connect(redis_url)
    (published,) = client.lrange(message.queue, 0, -1)
    assert comparable(message.text) == comparable(published)


def test_building_sends_nothing(app: Celery, redis_url: str) -> None:
    build(app, "sample.echo", run_id=RUN, headers={})
    assert connect(redis_url).llen("celery") == 0


def test_a_copy_differs_in_its_tag_and_says_when_it_was_pushed(app: Celery) -> None:
    message = build(app, "sample.echo", run_id=RUN, headers={})
    copy = json.loads(copied(message.text, 12.5))
    assert copy["properties"]["delivery_tag"] != json.loads(message.text)["properties"]["delivery_tag"]
    assert copy["headers"].pop("livebeat_pushed") == 12.5
    assert comparable(json.dumps(copy)) == comparable(message.text)


def test_a_broker_that_is_not_redis_is_refused_in_both_languages(redis_url: str) -> None:
    app = make_app(redis_url)
    app.conf.broker_url = "memory://"
    with pytest.raises(ConfigurationError) as caught:
        build(app, "sample.echo", run_id=RUN, headers={})
    assert "Redis" in caught.value.text("en")
    assert "Redis" in caught.value.text("ko")
    assert caught.value.text("ko") != caught.value.text("en")
