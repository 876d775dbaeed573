"""How the api process starts: on an exposed address only with credentials, on loopback with a word of warning."""

import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from app.access.models import ApiKey
from app.access.scopes import Scope
from app.access.services import issue
from support.access import BOOTSTRAP, bearer
from support.platform_processes import PROJECT_DIR, platform_environment, start
from support.processes import Running
from support.waiting import wait_until

EXPOSED = {"API_HOST": "0.0.0.0"}


@pytest.fixture
def folder(redis_url: str, transactional_db: None, tmp_path: Path) -> Path:
    """A data folder; the private Redis and database are empty."""
    return tmp_path


def address(running: Running) -> str:
    line = running.wait_for_line("Uvicorn running on http://", 30)
    return "http://" + line.split("http://")[1].split()[0]


def status(url: str, **headers: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def refused(folder: Path, **values: str) -> str:
    with start("api", platform_environment(folder, **values)) as running:
        assert running.wait(30) == 78
    assert "Traceback" not in running.output
    return running.output


def test_exposed_without_credentials(folder: Path) -> None:
    said = refused(folder, **EXPOSED)
    for way_out in ("LIVEBEAT_BOOTSTRAP_KEY", "api_key create", "API_HOST=127.0.0.1"):
        assert way_out in said


@pytest.mark.parametrize("weak", ["hunter2-canary", "hunter2 canary with spaces but long enough"])
def test_a_weak_bootstrap_key(folder: Path, weak: str) -> None:
    said = refused(folder, LIVEBEAT_BOOTSTRAP_KEY=weak, **EXPOSED)
    assert "at least 32 characters" in said
    assert "canary" not in said


@pytest.mark.parametrize("values", [EXPOSED, {}])
def test_the_bootstrap_key_closes_the_doors_and_opens_them(folder: Path, values: dict[str, str]) -> None:
    for turn in ("made the first key", "made before"):
        with start("api", platform_environment(folder, LIVEBEAT_BOOTSTRAP_KEY=BOOTSTRAP, **values)) as running:
            url = address(running)
            assert turn in running.output
            assert status(f"{url}/api/scheduler/schedule") == 401
            assert status(f"{url}/api/scheduler/schedule", **bearer(BOOTSTRAP)) == 200
            assert status(f"{url}/api/health/live") == 200
        assert BOOTSTRAP not in running.output
    assert ApiKey.objects.count() == 1


def test_exposed_with_a_key_of_before(folder: Path) -> None:
    _, key = issue("before", Scope.VIEWER)
    with start("api", platform_environment(folder, **EXPOSED)) as running:
        url = address(running)
        assert status(f"{url}/api/scheduler/schedule") == 401
        assert status(f"{url}/api/scheduler/schedule", **bearer(key)) == 200


def test_loopback_without_keys_is_open_and_says_so(folder: Path) -> None:
    with start("api", platform_environment(folder)) as running:
        url = address(running)
        running.wait_for_line("No API key was made yet", 5)
        assert status(f"{url}/api/scheduler/schedule") == 200
        _, key = issue("first", Scope.VIEWER)
        assert status(f"{url}/api/scheduler/schedule") == 401
        assert status(f"{url}/api/scheduler/schedule", **bearer(key)) == 200


def test_a_bootstrap_key_waits_for_the_tables(folder: Path) -> None:
    """The process may start before the database is migrated: until then nobody gets in."""
    own = f"sqlite://{folder / 'own.sqlite3'}"
    env = platform_environment(folder, LIVEBEAT_BOOTSTRAP_KEY=BOOTSTRAP, **EXPOSED) | {"DATABASE_URL": own}
    with start("api", env) as running:
        url = address(running)
        assert status(f"{url}/api/scheduler/schedule", **bearer(BOOTSTRAP)) == 503
        manage = [sys.executable, PROJECT_DIR / "backend" / "manage.py", "migrate", "--no-input"]
        with Running(manage, env=env) as migrating:
            assert migrating.wait(60) == 0
        schedule = f"{url}/api/scheduler/schedule"
        wait_until(lambda: status(schedule, **bearer(BOOTSTRAP)) == 200, 10, "the key is made")
        assert status(schedule) == 401
