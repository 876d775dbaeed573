"""docker-compose.yml's commands and health checks as processes, on this machine's own servers."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from launcher.servers.binaries import installed
from livebeat.keys import Keys
from support.compose import PROJECT_DIR, compose, shell_words
from support.platform_processes import platform_environment
from support.processes import Running, free_port
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)
SERVICES = compose(
    {"LIVEBEAT_BOOTSTRAP_KEY": "b" * 40, "REDIS_PASSWORD": "of-the-test#1", "POSTGRES_PASSWORD": "of-the-test"}
)["services"]
ENTRYPOINT = ["python", "-m", "launcher", "run"]
SOCKET = "/run/livebeat/flower.sock"
#: What each of them says once it is at work: asking earlier only starts one more process.
AT_WORK = {
    "api": "Application startup complete",
    "beat": "Leading as",
    "worker": " ready.",
    "stats-refresh-consumer": " ready.",
    "recorder": "reads livebeat:events",
    "bridge": "takes from the list",
    "flower": "Visit me via unix socket file",
}


@pytest.fixture
def env(redis_url: str, transactional_db: None, tmp_path: Path) -> dict[str, str]:
    """A container's environment, but for the addresses."""
    given = platform_environment(
        tmp_path,
        HOSTNAME=socket.gethostname(),
        API_PORT=str(free_port()),
        FLOWER_SOCKET=str(tmp_path / "f.sock"),
        REMAP_SIGTERM="SIGQUIT",
    )
    return {**given, "PATH": f"{Path(sys.executable).parent}:{given['PATH']}"}


def command(service: str, env: dict[str, str]) -> list[str]:
    words = [*SERVICES[service].get("entrypoint", ENTRYPOINT), *SERVICES[service]["command"]]
    return [word.replace(SOCKET, env["FLOWER_SOCKET"]) for word in words]


def check(service: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words = shell_words(SERVICES[service]["healthcheck"]["test"])
    return subprocess.run(words, env=env, cwd="/", text=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("service", AT_WORK)
def test_healthy_while_it_runs_and_only_then(service: str, env: dict[str, str]) -> None:
    before = check(service, env)
    assert before.returncode != 0, before.stdout
    assert "Traceback" not in before.stderr
    with Running(command(service, env), env=env, cwd=PROJECT_DIR) as running:
        running.wait_for_line(AT_WORK[service], 60)
        try:
            wait_until(lambda: check(service, env).returncode == 0, 60, f"{service} is healthy", every=0.5)
        except AssertionError as error:
            last = check(service, env)
            raise AssertionError(f"{error}: {last.stdout} {last.stderr}\n{running.output}") from None
    assert check(service, env).returncode != 0


def test_a_beat_that_is_kept_out_by_another_kind_is_not_healthy(env: dict[str, str], redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set(Keys().lock, "livebeat:another-host:1:abc:1")
        with Running(command("beat", env), env=env, cwd=PROJECT_DIR) as running:
            running.wait_for_line("Standing by for", 60)
            wait_until(lambda: check("beat", env).returncode == 0, 60, "it stands by", every=0.5)
            assert check("beat", env).stdout.startswith("standby, process ")
            client.set(Keys().lock, "a stock beat's token")
            running.wait_for_line("is held by a beat that is not Livebeat's", 60)
            wait_until(lambda: check("beat", env).returncode == 1, 60, "it is kept out", every=0.5)


def test_migrate_ends_well(env: dict[str, str]) -> None:
    own = {**env, "DATABASE_URL": f"sqlite://{env['LIVEBEAT_DATA_DIR']}/own.sqlite3"}
    ended = subprocess.run(
        command("migrate", env), env=own, cwd=PROJECT_DIR, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert "access.0001_initial" in ended.stdout


@pytest.fixture
def redis_service(tmp_path: Path) -> Iterator[int]:
    """The service `redis` as its command line starts it, with the server that is here."""
    port = free_port()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "redis-server").symlink_to(next(iter(installed())).path)
    script = SERVICES["redis"]["command"][0].replace("dir /data", f"dir {tmp_path}\nbind 127.0.0.1\nport {port}")
    given = {**SERVICES["redis"]["environment"], "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    with Running([*SERVICES["redis"]["entrypoint"], script], env=given) as running:
        running.wait_for_line("Ready to accept connections", 20)
        yield port


def test_redis_starts_with_a_password_and_keeps_what_it_is_given(redis_service: int) -> None:
    with (
        redis.Redis(port=redis_service) as nobody,
        redis.Redis(port=redis_service, password="of-the-test#1", decode_responses=True) as client,
    ):
        with pytest.raises(redis.AuthenticationError):
            nobody.ping()
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, timeout=10).stdout
    assert "of-the-test#1" not in shown
