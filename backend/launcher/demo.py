"""The demo: simulated upstreams, invented users and complexes, keys of its own.

Only where every server is an embedded one and no real upstream was named, or where somebody asked for it
(`--demo`). Names that were given by hand always win over the demo's.
"""

import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import LauncherError, StartError
from launcher.messages import text
from launcher.output import Console
from launcher.preflight import free_port
from launcher.process import Program
from launcher.programs import SIMULATORS, manage
from launcher.readiness import answers_tcp
from launcher.settings import LauncherSettings
from launcher.state import State, write_private
from launcher.supervisor import Supervisor

KEYS_FILE = "demo_keys.json"
LOADED_FILE = "demo_loaded.json"
TOKEN_FILE = "land_token"  # noqa: S105  a file's name
KEY_COUNT = 10
#: The simulated site's tokens live for three hours, as the real one's do.
TOKEN_REFRESH_SECONDS = 3600.0
#: The users' refresh tokens live for 30 days; accounts that nobody used for long get new ones.
RELOAD_AFTER_SECONDS = 20 * 24 * 3600.0
_START_SECONDS = 30.0
_PRINT_SECONDS = 30.0
_LOAD_SECONDS = 120.0
_SIMULATORS = ("velog", "naver_land")
_WORLD = (("velog-users", "load_users"), ("complexes", "load_complexes"))


def is_wanted(settings: LauncherSettings, asked: bool | None) -> bool:
    """Whether to run the demo; `asked` is `--demo` (True), `--no-demo` (False) or neither."""
    if asked is not None:
        return asked
    return settings.all_embedded and not settings.upstreams_given


@dataclass(frozen=True)
class Demo:
    """One start's demo: what the platform gets to know of it, and its simulators' ports."""

    settings: LauncherSettings
    environment: dict[str, str]
    ports: dict[str, int]


def make_demo(settings: LauncherSettings, state: State) -> Demo:
    """Ports (the former ones where they are free), keys and addresses. Starts nothing.

    Raises:
        OSError: the data folder can't be written.
    """
    ports: dict[str, int] = {}
    for name in _SIMULATORS:
        ports[name] = free_port(state.ports.get(name), {settings.api_port, *ports.values()})
    velog = f"http://127.0.0.1:{ports['velog']}"
    environment = {
        "VELOG_GRAPHQL_URL": f"{velog}/v3/graphql",
        "VELOG_STATS_URL": f"{velog}/v2cdn/graphql",
        "NAVER_LAND_URL": f"http://127.0.0.1:{ports['naver_land']}",
        "NAVER_LAND_TOKEN_FILE": str(settings.data_dir / TOKEN_FILE),
        "NAVER_LAND_SECONDS_BETWEEN_COMPLEXES": "1",
        **{f"AES_KEY_{index}": key for index, key in enumerate(_keys(settings.data_dir))},
    }
    return Demo(settings, {k: v for k, v in environment.items() if k not in settings.given}, ports)


def simulators(demo: Demo, environment: Mapping[str, str]) -> list[Program]:
    """The upstreams' stand-ins. They need no server, so they can start while others are prepared."""
    return [_simulator(name, port, demo.settings, environment) for name, port in demo.ports.items()]


def enter(
    demo: Demo, supervisor: Supervisor, environment: Mapping[str, str], console: Console, *, always: bool
) -> None:
    """Load the demo world once for each database (`always`: again), await the simulators, keep a token fresh.

    Raises:
        StartError: a simulator isn't ready, or the world can't be made or loaded.
        StopRequestedError: a signal came meanwhile.
    """
    settings = demo.settings
    supervisor.launch(simulators(demo, environment), _START_SECONDS)
    refresh_land_token(settings)
    supervisor.every(TOKEN_REFRESH_SECONDS, lambda: _keep_token_fresh(settings, console))
    loaded = _read_loaded(settings.data_dir / LOADED_FILE)
    last = loaded.get(settings.database)
    if not always and last is not None and time.time() - last < RELOAD_AFTER_SECONDS:
        return
    console.say(text("first_start"))
    for what, command in _WORLD:
        with tempfile.TemporaryFile() as rows:
            rows.write(_world(what, settings))
            rows.seek(0)
            options = ("--update",) if command == "load_users" and last is not None else ()
            supervisor.run_once(manage(settings, environment, command, "-", *options), _LOAD_SECONDS, stdin=rows)
    write_private(settings.data_dir / LOADED_FILE, json.dumps({**loaded, settings.database: time.time()}))


def forget_loaded(settings: LauncherSettings) -> None:
    """The database is a new one: nothing has been loaded into it."""
    path = settings.data_dir / LOADED_FILE
    loaded = _read_loaded(path)
    if loaded.pop(settings.database, None) is not None:
        write_private(path, json.dumps(loaded))


def refresh_land_token(settings: LauncherSettings) -> None:
    """Write a fresh token for the simulated real-estate site.

    Raises:
        StartError: it can't be made.
        OSError: the folder can't be written.
    """
    write_private(settings.data_dir / TOKEN_FILE, _world("land-token", settings).decode())


def _keep_token_fresh(settings: LauncherSettings, console: Console) -> None:
    try:
        refresh_land_token(settings)
    except (LauncherError, OSError) as error:
        console.say(f"{TOKEN_FILE}: {error}")


def _simulator(name: str, port: int, settings: LauncherSettings, environment: Mapping[str, str]) -> Program:
    return Program(
        name=name,
        argv=(sys.executable, "-m", "simulators", name, "--host", "127.0.0.1", "--port", str(port)),
        env=environment,
        cwd=settings.project_dir,
        stage=SIMULATORS,
        grace_seconds=1.0,
        ready=lambda _: answers_tcp("127.0.0.1", port),
    )


def _world(what: str, settings: LauncherSettings) -> bytes:
    try:
        return subprocess.run(
            [sys.executable, "-m", "simulators", "world", what],
            cwd=settings.project_dir,
            capture_output=True,
            timeout=_PRINT_SECONDS,
            check=True,
        ).stdout
    except subprocess.CalledProcessError as error:
        sys.stderr.write(error.stderr.decode(errors="replace"))
        raise StartError(text("failed", name=f"simulators world {what}", code=error.returncode)) from error
    except subprocess.TimeoutExpired as error:
        name = f"simulators world {what}"
        raise StartError(text("not_ready", name=name, seconds=_PRINT_SECONDS)) from error


def _keys(data_dir: Path) -> list[str]:
    """Ten AES keys of 32 characters, made once: what they encrypted stays readable."""
    path = data_dir / KEYS_FILE
    if not path.exists():
        write_private(path, json.dumps([secrets.token_hex(16) for _ in range(KEY_COUNT)]))
    return [str(key) for key in json.loads(path.read_text(encoding="utf-8"))]


def _read_loaded(path: Path) -> dict[str, float]:
    try:
        return {str(name): float(at) for name, at in json.loads(path.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}
