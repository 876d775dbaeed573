"""The settings that `install` gives an app where its owner chose none, and what it says of choices that are dangerous.

docs/celery-settings.md gives the reason and the measurement behind each.
"""

import logging
from collections.abc import Iterator
from typing import Any

from billiard.common import REMAP_SIGTERM
from celery import Celery
from celery.signals import worker_init

from livebeat.errors import ConfigurationError
from livebeat.transport import guard

logger = logging.getLogger(__name__)

SETTINGS = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "worker_prefetch_multiplier": 1,
    "worker_soft_shutdown_timeout": 25.0,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
}
#: Of a broker that is a Redis; each counts unless `broker_transport_options` names it.
TRANSPORT_OPTIONS = {
    "visibility_timeout": 7200,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "health_check_interval": 5,
}


def recommend(app: Celery) -> None:
    """Set what the app's owner left open, now and whenever the app is configured anew; warn when a worker starts."""

    def fill(source: Any, **_: Any) -> None:
        # Celery's own `add_defaults` would win over a configuration module.
        source.add_defaults({name: value for name, value in SETTINGS.items() if not source.value_set_for(name)})

    def warn(**_: Any) -> None:
        for danger in dangers(app):
            logger.warning("%s\n%s", danger.text("en"), danger.text("ko"))

    guard(app, TRANSPORT_OPTIONS)
    app.on_after_configure.connect(fill, weak=False)
    if app.configured:
        fill(app.conf)
    worker_init.connect(warn, weak=False, dispatch_uid=f"livebeat-settings-{id(app)}")


def dangers(app: Celery) -> Iterator[ConfigurationError]:
    """What in the app's settings, or this process's environment, weakens what a worker promises."""
    conf = app.conf
    if REMAP_SIGTERM != "SIGQUIT":
        yield ConfigurationError(
            reason_en="REMAP_SIGTERM=SIGQUIT is not in this worker's environment: SIGTERM will wait for running tasks "
            "without a limit. Set it before the worker starts (systemd: Environment=, Docker: ENV)",
            reason_ko="워커 환경에 REMAP_SIGTERM=SIGQUIT이 없습니다. SIGTERM을 받으면 실행 중인 태스크를 제한 없이 기다립니다. "
            "워커를 시작하기 전에 설정하세요 (systemd: Environment=, Docker: ENV)",
        )
    if not conf.task_acks_late:
        yield ConfigurationError(
            reason_en="task_acks_late is False: a task that was not sent by Livebeat is lost with its worker. "
            "Remove the setting, or set it to True",
            reason_ko="task_acks_late가 False입니다. Livebeat로 보내지 않은 태스크는 워커와 함께 사라집니다. "
            "이 설정을 빼거나 True로 바꾸세요",
        )
    yield from _limits(app)
    if _accepts_pickle(conf.accept_content):
        yield ConfigurationError(
            reason_en="accept_content lets pickle in: whoever can write to the broker can run any code in this worker. "
            "Accept json only",
            reason_ko="accept_content에 pickle이 있습니다. 브로커에 쓸 수 있는 누구나 이 워커에서 임의의 코드를 실행할 수 있습니다. "
            "json만 허용하세요",
        )


def _limits(app: Celery) -> Iterator[ConfigurationError]:
    limits = [task.time_limit for name, task in app.tasks.items() if not name.startswith("celery.")]
    if not all(limits):
        yield ConfigurationError(
            reason_en="task_time_limit is not set: a task that hangs holds its run, and its place in this worker, for "
            "ever. Set it, and task_soft_time_limit a little below",
            reason_ko="task_time_limit이 설정되어 있지 않습니다. 멈춘 태스크가 실행과 워커의 자리를 계속 차지합니다. "
            "이 값과, 그보다 조금 작은 task_soft_time_limit을 설정하세요",
        )
    with app.connection_for_read() as connection:
        visible = connection.transport_options.get("visibility_timeout")
    longest = max(filter(None, limits), default=0)
    if visible is not None and visible < longest:
        yield ConfigurationError(
            reason_en=f"visibility_timeout is {visible} s, and a task may take {longest} s: the broker gives its message "
            f"to a second worker while the first one runs. Set it to {2 * longest} or more",
            reason_ko=f"visibility_timeout은 {visible}초인데 태스크는 {longest}초까지 실행될 수 있습니다. 실행 중인 메시지가 다른 "
            f"워커에 다시 전달됩니다. {2 * longest} 이상으로 설정하세요",
        )


def _accepts_pickle(accepted: Any) -> bool:
    return bool({"pickle", "application/x-python-serialize"} & set(accepted or ()))
