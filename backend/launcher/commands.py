"""The platform's processes as command lines, the same under the supervisor and by hand (`run_*.sh`)."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from launcher.settings import LauncherSettings

_CELERY = (sys.executable, "-m", "celery", "-A", "app.core.celery_app")
QUEUES = "default,crawl,stats"
#: Flower's default of 100,000 remembered tasks is its best-known memory leak.
_FLOWER = (*_CELERY, "flower", "--read_only", "--max_tasks=5000")
#: SIGTERM is to mean Celery's soft shutdown: running tasks get time, then go back to their queue.
WORKER_ENVIRONMENT = {"REMAP_SIGTERM": "SIGQUIT"}
#: Names that Flower reads by itself and that have no place behind our sign-in: a second password, and its
#: switch that opens the API to every web page.
FLOWER_ONLY_ALONE = ("FLOWER_BASIC_AUTH", "FLOWER_UNAUTHENTICATED_API")


def api(settings: LauncherSettings) -> tuple[str, ...]:
    """FastAPI and Django in one uvicorn. Open event streams get three seconds at the end."""
    listening = ("--host", settings.api_host, "--port", str(settings.api_port))
    quiet = ("--no-server-header", "--timeout-graceful-shutdown", "3")
    return (sys.executable, "-m", "uvicorn", "app.main:app", *listening, *quiet)


def beat() -> tuple[str, ...]:
    """A beat; any number may run."""
    return (*_CELERY, "beat", "--loglevel=info")


def worker(queues: str = QUEUES, *, node: str | None = None) -> tuple[str, ...]:
    """A prefork worker of two processes. `node` is its name where another worker runs on the same machine."""
    named = ("-n", node) if node else ()
    options = ("--loglevel=info", "-E", "-Q", queues, "--concurrency", "2", *named)
    return (*_CELERY, "worker", *options, "--without-gossip", "--without-mingle")


def recorder() -> tuple[str, ...]:
    """The reader of the event stream."""
    return (sys.executable, "-m", "app.recorder")


def bridge() -> tuple[str, ...]:
    """What takes the requests of an old Redis list."""
    return (sys.executable, "-m", "app.bridge")


def flower_on_socket(socket: Path) -> tuple[str, ...]:
    """Flower without a password, where only we can reach it."""
    return (*_FLOWER, f"--unix_socket={socket}", "--url_prefix=flower")


def flower_on_port() -> tuple[str, ...]:
    """Flower by itself, on loopback; asks for the password in `FLOWER_BASIC_AUTH`."""
    return (*_FLOWER, "--address=127.0.0.1", "--port=5555")


def manage(settings: LauncherSettings, *arguments: str) -> tuple[str, ...]:
    """Django's command line."""
    return (sys.executable, str(settings.project_dir / "backend" / "manage.py"), *arguments)


def with_worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """A worker's environment."""
    return {**environment, **WORKER_ENVIRONMENT}


def without_flower_secrets(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a Flower behind our own sign-in."""
    return {name: value for name, value in environment.items() if name not in FLOWER_ONLY_ALONE}


#: What `run_*.sh` run alone.
ALONE: dict[str, Callable[[LauncherSettings], tuple[str, ...]]] = {
    "api": api,
    "beat": lambda _: beat(),
    "worker": lambda _: worker(),
    "consumer": lambda _: worker("stats", node="consumer@%h"),
    "recorder": lambda _: recorder(),
    "bridge": lambda _: bridge(),
    "flower": lambda _: flower_on_port(),
}
