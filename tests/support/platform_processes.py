"""The platform's own processes under test, on the private Redis and the test database, with a log folder of their own."""

import sys
from pathlib import Path
from urllib.parse import quote

from django.db import connection

from app.core.settings import get_settings
from support.processes import Running, clean_environment

PROJECT_DIR = Path(__file__).resolve().parents[2]
CELERY = ("-m", "celery", "-A", "app.core.celery_app")
QUIET_WORKER = ("--concurrency", "1", "--without-gossip", "--without-mingle", "--without-heartbeat")
COMMANDS: dict[str, tuple[str, ...]] = {
    "api": ("-m", "uvicorn", "app.main:app", "--host", "127.0.0.1", "--port", "0"),
    "beat": (*CELERY, "beat"),
    "worker": (*CELERY, "worker", *QUIET_WORKER),
    "consumer": (*CELERY, "worker", "-Q", "stats", *QUIET_WORKER),
    "recorder": ("-m", "app.recorder"),
    "bridge": ("-m", "app.bridge"),
    "manage.py": (str(PROJECT_DIR / "backend" / "manage.py"), "check"),
    "check_schedules": ("-m", "app.check_schedules"),
}


def platform_environment(data_dir: Path, **more: str) -> dict[str, str]:
    """A whole environment; `data_dir` also gets the `logs` folder."""
    keys = {f"AES_KEY_{index}": get_settings().aes_key(index) or "" for index in range(10)}
    values = {
        "LIVEBEAT_DATA_DIR": str(data_dir),
        "REDIS_URL": get_settings().client_url,
        "DATABASE_URL": database_url(),
        "PYTHONPATH": f"{PROJECT_DIR / 'backend'}:{PROJECT_DIR / 'tests'}",
        "PYTHONUNBUFFERED": "1",
        **keys,
        **more,
    }
    return clean_environment(**values)


def start(name: str, env: dict[str, str], *arguments: str, app: str | None = None) -> Running:
    """One of `COMMANDS`, running. `app` names another module that Celery, or uvicorn, loads."""
    ours = {"app.core.celery_app": app, "app.main:app": f"{app}:app"} if app else {}
    words = [ours.get(word) or word for word in COMMANDS[name]]
    return Running([sys.executable, *words, *arguments], env=env, cwd=Path("/"))


def database_url() -> str:
    """The test database, as the setting names it."""
    parts = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite://{parts['NAME']}"
    host = quote(str(parts["HOST"]), safe="")
    return f"postgresql://{parts['USER']}:{quote(parts['PASSWORD'])}@/{parts['NAME']}?host={host}&port={parts['PORT']}"
