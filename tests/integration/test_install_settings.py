"""What `install` sets where nothing was chosen, what it leaves alone, and what it warns of."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from livebeat import install
from livebeat.delivery import settings
from livebeat.delivery.settings import SETTINGS, TRANSPORT_OPTIONS, dangers
from support.beats import environment
from support.engine import SAMPLE
from support.processes import Running

#: The opposite of each recommendation.
CHOSEN = {
    "task_acks_late": False,
    "task_reject_on_worker_lost": False,
    "worker_prefetch_multiplier": 4,
    "worker_soft_shutdown_timeout": 5.0,
    "broker_connection_retry_on_startup": False,
    "broker_connection_max_retries": 7,
}


def idle() -> None:
    """A task."""


def made() -> Celery:
    """An app with one task."""
    app = Celery(broker="redis://127.0.0.1/0", set_as_current=False)
    app.task(name="t", shared=False)(idle)
    return app


def set_of(app: Celery) -> dict[str, Any]:
    return {name: app.conf[name] for name in SETTINGS}


def options_of(app: Celery) -> dict[str, Any]:
    return dict(app.connection_for_read().transport_options)


def test_what_nobody_chose_is_set() -> None:
    app = made()
    install(app)
    assert set_of(app) == SETTINGS
    assert options_of(app) == TRANSPORT_OPTIONS

    assert app.tasks["t"].acks_late is True


def before(app: Celery) -> None:
    app.conf.update(CHOSEN)
    install(app)


def after(app: Celery) -> None:
    install(app)
    app.conf.update(CHOSEN)


def after_use(app: Celery) -> None:
    install(app)
    assert app.conf.task_acks_late is True
    app.conf.update(CHOSEN)


def module_before(app: Celery) -> None:
    app.config_from_object(CHOSEN)
    install(app)


def module_after(app: Celery) -> None:
    install(app)
    app.config_from_object(CHOSEN)


def module_after_use(app: Celery) -> None:
    install(app)
    assert app.conf.task_acks_late is True
    app.config_from_object(CHOSEN)


def installed_on_a_used_one(app: Celery) -> None:
    app.config_from_object(CHOSEN)
    assert app.conf.task_acks_late is False
    install(app)


def with_a_namespace(app: Celery) -> None:
    app.config_from_object({f"CELERY_{name.upper()}": value for name, value in CHOSEN.items()}, namespace="CELERY")
    install(app)


@pytest.mark.parametrize(
    "choose",
    [
        before,
        after,
        after_use,
        module_before,
        module_after,
        module_after_use,
        installed_on_a_used_one,
        with_a_namespace,
    ],
)
def test_a_choice_stands_however_it_is_made(choose: Callable[[Celery], None]) -> None:
    app = made()
    choose(app)
    assert set_of(app) == CHOSEN


def test_old_names_are_choices_too() -> None:
    app = made()
    app.config_from_object({"CELERY_ACKS_LATE": False, "CELERYD_PREFETCH_MULTIPLIER": 3})
    install(app)
    assert (app.conf.task_acks_late, app.conf.worker_prefetch_multiplier) == (False, 3)
    assert app.conf.task_reject_on_worker_lost is True


def test_an_app_that_is_configured_anew_gets_them_again() -> None:
    app = made()
    install(app)
    assert app.conf.task_acks_late is True
    app.config_from_object({"task_default_queue": "q"})
    assert (app.conf.task_acks_late, app.conf.task_default_queue) == (True, "q")


def test_options_of_the_transport_are_filled_one_by_one() -> None:
    app = made()
    app.conf.broker_transport_options = {"visibility_timeout": 60, "global_keyprefix": "x:"}
    install(app)
    assert options_of(app) == {**TRANSPORT_OPTIONS, "visibility_timeout": 60, "global_keyprefix": "x:"}


def warned(monkeypatch: pytest.MonkeyPatch, remap: str | None = "SIGQUIT", **conf: Any) -> list[str]:
    """Which settings an app is warned of; each sentence is there in Korean too."""
    monkeypatch.setattr(settings, "REMAP_SIGTERM", remap)
    app = made()
    app.conf.update({"task_time_limit": 600, **conf})
    install(app)
    for name in [name for name in app.tasks if name != "t" and not name.startswith("celery.")]:
        app.tasks.pop(name)  # what other tests' apps share with every app

    found = list(dangers(app))
    assert all(danger.text("ko") != danger.text("en") for danger in found)
    return [danger.text("en").split()[0].partition("=")[0] for danger in found]


@pytest.mark.parametrize(
    ("conf", "names"),
    [
        ({}, []),
        ({"remap": None}, ["REMAP_SIGTERM"]),
        ({"remap": "SIGINT"}, ["REMAP_SIGTERM"]),
        ({"task_acks_late": False}, ["task_acks_late"]),
        ({"task_time_limit": None}, ["task_time_limit"]),
        ({"task_time_limit": 9000}, ["visibility_timeout"]),
        ({"broker_transport_options": {"visibility_timeout": 599}}, ["visibility_timeout"]),
        ({"broker_transport_options": {"visibility_timeout": 600}}, []),
        ({"accept_content": ["json", "pickle"]}, ["accept_content"]),
        ({"accept_content": ["application/x-python-serialize"]}, ["accept_content"]),
    ],
)
def test_a_dangerous_choice_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, conf: dict[str, Any], names: list[str]
) -> None:
    assert warned(monkeypatch, **conf) == names


def test_a_starting_worker_says_so(redis_url: str, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "celery", "-A", SAMPLE, "worker", "--pool=solo", "--loglevel=info"]
    with Running(argv, env=environment(redis_url, tmp_path), cwd=tmp_path) as worker:
        worker.wait_for_line("REMAP_SIGTERM=SIGQUIT is not in this worker's environment", 30)
        worker.wait_for_line("워커 환경에 REMAP_SIGTERM=SIGQUIT이 없습니다", 5)
