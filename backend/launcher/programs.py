"""What the supervisor keeps alive: each command with its stage, its readiness and its grace.

Stages: servers, simulators, recorder, then all the others. Stopping goes the other way, so whoever still works
finds what it needs, and the recorder hears the last events.
"""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

from launcher import commands
from launcher.environment import Addresses
from launcher.instance import MARK
from launcher.process import Program
from launcher.readiness import answers_http, answers_http_on_socket, http_answer
from launcher.settings import LauncherSettings

SERVERS, SIMULATORS, RECORDER, PLATFORM = range(4)
#: A worker gives running tasks this long; with the other stages' graces it stays below the whole's 34 s.
WORKER_GRACE_SECONDS = 29.0
#: Its own time-out for the tasks in hand lies below that, so that it can give back what it doesn't finish.
_WORKER_LIMIT = {"CONSUMER_GRACEFUL_SHUTDOWN_TIMEOUT": "25"}


def server_programs(found: Addresses) -> list[Program]:
    """The embedded servers; they read no settings of ours, and need none of our environment."""
    programs: list[Program] = []
    if found.valkey:
        programs.append(
            Program(
                name="valkey",
                argv=tuple(found.valkey.command()),
                env={"PATH": os.defpath, MARK: str(found.valkey.data_dir)},
                stage=SERVERS,
                grace_seconds=3.0,
                ready=found.valkey.ready,
            )
        )
    if found.postgres:
        programs.append(
            Program(
                name="postgres",
                argv=tuple(found.postgres.command()),
                env={"PATH": os.defpath, "LC_ALL": "C", MARK: str(found.postgres.data_dir)},
                stage=SERVERS,
                grace_seconds=3.0,
                stop_signal=signal.SIGINT,  # a fast shutdown; SIGTERM would wait for every connection to close
                user=found.postgres.user,
                ready=found.postgres.ready,
            )
        )
    return programs


def manage(settings: LauncherSettings, environment: Mapping[str, str], *arguments: str) -> Program:
    """One run of Django's command line, named after its command."""
    argv = commands.manage(settings, *arguments)
    return Program(arguments[0], argv, environment, settings.project_dir, keep_alive=False)


def platform_programs(
    settings: LauncherSettings, environment: Mapping[str, str], flower_socket: Path, *, complete: bool = True
) -> list[Program]:
    """Recorder, API, beat, worker, Flower and, where it is asked for, the bridge, all with the same environment.

    `complete=False`: some of them are left out, so the API's own readiness, which names each, can't be waited for.
    """
    folder = settings.project_dir
    health = f"{settings.probe_url}/api/health/{'ready' if complete else 'live'}"
    return [
        Program("recorder", commands.recorder(), environment, folder, RECORDER, grace_seconds=2.0),
        Program(
            name="api",
            argv=commands.api(settings),
            env=environment,
            cwd=folder,
            stage=PLATFORM,
            ready=lambda _: answers_http(health),
            why_not=lambda: http_answer(health),
        ),
        Program("beat", commands.beat(), environment, folder, PLATFORM),
        Program(
            name="worker",
            argv=commands.worker(),
            env={**commands.with_worker_environment(environment), **_WORKER_LIMIT},
            cwd=folder,
            stage=PLATFORM,
            grace_seconds=WORKER_GRACE_SECONDS,
        ),
        Program(
            name="flower",
            argv=commands.flower_on_socket(flower_socket),
            env=commands.without_flower_secrets(environment),
            cwd=folder,
            stage=PLATFORM,
            grace_seconds=2.0,
            ready=lambda _: answers_http_on_socket(flower_socket, "/flower/healthcheck"),
        ),
        *([Program("bridge", commands.bridge(), environment, folder, PLATFORM)] if settings.bridge else []),
    ]
