"""Every process refuses settings that can't be used with a line a problem and status 78, and obeys those that can."""

import json
import sys
from pathlib import Path

import pytest

from support.platform_processes import COMMANDS, PROJECT_DIR, platform_environment, start
from support.processes import Running

pytestmark = [pytest.mark.usefixtures("redis_url"), pytest.mark.timeout(120)]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_wrong_setting_ends_every_process_with_a_line(name: str, tmp_path: Path) -> None:
    secret = "canary-9f2c-address"
    with start(name, platform_environment(tmp_path, REDIS_PORT="redis", DATABASE_URL=secret)) as process:
        assert process.wait(60) == 78
    assert sorted(line.split(": ")[1] for line in process.lines) == ["DATABASE_URL", "REDIS_PORT"]
    assert all(line.startswith("livebeat: ") and " / " in line for line in process.lines)
    assert secret not in process.output


def test_sample_secrets_end_it_in_production(tmp_path: Path) -> None:
    given = {"LIVEBEAT_ENV": "production", "POSTGRES_PASSWORD": "vd2", "AES_KEY_0": "0" * 32}
    with start("recorder", platform_environment(tmp_path, **given)) as process:
        assert process.wait(60) == 78
    named = {line.split(": ")[1] for line in process.lines}
    assert named >= {"POSTGRES_PASSWORD", "AES_KEY_0"}
    assert "0" * 32 not in process.output


def shown(tmp_path: Path, code: str, **given: str) -> object:
    env = {**platform_environment(tmp_path), "DJANGO_SETTINGS_MODULE": "app.django_project.settings", **given}
    env = {name: value for name, value in env.items() if value}
    with Running([sys.executable, "-c", f"import json; {code}"], env=env, cwd=PROJECT_DIR / "tests") as process:
        assert process.wait(60) == 0, process.output
    return json.loads(process.lines[-1])


@pytest.mark.parametrize("engine", ["timescale.db.backends.postgresql", "django.db.backends.postgresql", ""])
def test_the_documents_database_names(tmp_path: Path, engine: str) -> None:
    found = shown(
        tmp_path,
        "from django.conf import settings; print(json.dumps(settings.DATABASES['default']))",
        DATABASE_URL="",
        DATABASE_ENGINE=engine,
        DATABASE_NAME="stats",
        POSTGRES_USER="vd2",
        POSTGRES_PASSWORD="p#ss w'rd",
        POSTGRES_HOST="db.internal",
        POSTGRES_PORT="5433",
    )
    assert isinstance(found, dict)
    names = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT")
    assert [found[name] for name in names] == [
        "django.db.backends.postgresql",
        "stats",
        "vd2",
        "p#ss w'rd",
        "db.internal",
        "5433",
    ]


def test_the_consumers_time_to_end_is_celerys_soft_shutdown(tmp_path: Path) -> None:
    code = "from app.core.celery_app import app; print(json.dumps(app.conf.worker_soft_shutdown_timeout))"
    assert shown(tmp_path, code) == 30
    assert shown(tmp_path, code, CONSUMER_GRACEFUL_SHUTDOWN_TIMEOUT="7.5") == 7.5
