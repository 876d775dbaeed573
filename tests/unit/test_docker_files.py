"""Dockerfile, .dockerignore and docker-compose.yml: what they start exists, what they keep secret stays so.

There need be no Docker here: the files are read as Docker reads them, and each command is one of ours.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import Settings
from app.healthcheck import CHECKS
from launcher import commands
from support.compose import PROJECT_DIR, MissingVariableError, compose

NEEDED = {
    "LIVEBEAT_BOOTSTRAP_KEY": "b" * 40,
    "REDIS_PASSWORD": "redis-password-of-the-test",
    "POSTGRES_PASSWORD": "postgres-password-of-the-test",
}
OURS = {"migrate", "api", "beat", "worker", "stats-refresh-consumer", "recorder", "bridge", "flower"}


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = compose(NEEDED)["services"]
    return found


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (PROJECT_DIR / "Dockerfile").read_text(encoding="utf-8")


def test_all_services_are_there(services: dict[str, Any]) -> None:
    assert set(services) == {"redis", "postgres", *OURS}
    assert services["beat"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", NEEDED)
def test_nothing_starts_without_its_secrets(name: str) -> None:
    with pytest.raises(MissingVariableError, match=name):
        compose({**NEEDED, name: ""})


def test_each_process_is_one_that_we_can_run(services: dict[str, Any]) -> None:
    for name in ("api", "beat", "worker", "stats-refresh-consumer", "recorder", "bridge"):
        assert services[name]["command"][0] in commands.ALONE
        assert "entrypoint" not in services[name]
    assert services["worker"]["command"][1:] == ["-Q", "default,crawl"]
    assert services["stats-refresh-consumer"]["command"] == ["consumer"]
    ours = commands.flower_on_socket(Path("/run/livebeat/flower.sock"))
    flower = services["flower"]
    assert (flower["entrypoint"] + flower["command"])[1:] == list(ours[3:])
    assert flower["entrypoint"][0] == ours[2] == "celery"
    assert (PROJECT_DIR / services["migrate"]["entrypoint"][1]).is_file()


def test_every_lasting_service_has_a_health_check(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name == "migrate":
            assert service["restart"] == "no"
            continue
        check = service["healthcheck"]
        assert {"test", "interval", "timeout", "retries", "start_period"} == set(check), name
        if "app.healthcheck" in check["test"]:
            assert check["test"][:-1] == ["CMD", "python", "-m", "app.healthcheck"]
            assert check["test"][-1] == name
            assert name in CHECKS


def test_workers_have_time_to_end(services: dict[str, Any], dockerfile: str) -> None:
    for name in ("worker", "stats-refresh-consumer"):
        assert services[name]["stop_grace_period"] == "40s"
        assert services[name]["init"] is True
    assert commands.WORKER_ENVIRONMENT == {"REMAP_SIGTERM": "SIGQUIT"}
    assert "REMAP_SIGTERM=SIGQUIT" in dockerfile


def test_only_the_api_is_reachable_and_only_from_this_machine(services: dict[str, Any]) -> None:
    assert [name for name, service in services.items() if "ports" in service] == ["api"]
    assert services["api"]["ports"] == ["127.0.0.1:8000:8000"]
    assert [name for name in OURS if services[name]["environment"]["API_HOST"] != "127.0.0.1"] == ["api"]


def test_the_bootstrap_key_is_the_apis_alone(services: dict[str, Any]) -> None:
    holders = [name for name in OURS if services[name]["environment"]["LIVEBEAT_BOOTSTRAP_KEY"]]
    assert holders == ["api"]


def test_everybody_means_the_same_servers_whatever_dotenv_says(services: dict[str, Any]) -> None:
    for name in OURS:
        given = services[name]["environment"]
        assert services[name]["env_file"] == ".env"
        assert (given["REDIS_URL"], given["DATABASE_URL"]) == ("", "")
        assert (given["REDIS_HOST"], given["POSTGRES_HOST"]) == ("redis", "postgres")
        assert given["REDIS_PASSWORD"] == services["redis"]["environment"]["REDIS_PASSWORD"]
        assert given["POSTGRES_PASSWORD"] == services["postgres"]["environment"]["POSTGRES_PASSWORD"]
        assert given["DATABASE_NAME"] == services["postgres"]["environment"]["POSTGRES_DB"]
        assert given["POSTGRES_USER"] == services["postgres"]["environment"]["POSTGRES_USER"]
        unknown = {key for key in given if key.lower() not in Settings.model_fields} - set(commands.FLOWER_ONLY_ALONE)
        assert unknown == set()


def test_order_and_volumes_hang_together(services: dict[str, Any]) -> None:
    volumes = set(compose(NEEDED)["volumes"])
    for name, service in services.items():
        for after, how in service.get("depends_on", {}).items():
            assert how["condition"] != "service_healthy" or "healthcheck" in services[after]
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert source in volumes or (PROJECT_DIR / source).is_dir(), (name, volume)
    for name in OURS - {"migrate"}:
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert "sockets:/run/livebeat" in services["api"]["volumes"]
    assert "sockets:/run/livebeat" in services["flower"]["volumes"]


def test_redis_keeps_everything_and_tells_its_password_to_nobody(services: dict[str, Any]) -> None:
    script = services["redis"]["command"][0]
    assert "appendonly yes" in script
    assert "maxmemory-policy noeviction" in script
    assert NEEDED["REDIS_PASSWORD"] not in script


def test_the_image_is_made_from_the_lock_by_the_same_uv_and_runs_as_nobody(dockerfile: str) -> None:
    script = (PROJECT_DIR / "scripts" / "environment.sh").read_text(encoding="utf-8")
    ours = re.search(r"^UV_VERSION=(\S+)", script, re.MULTILINE)
    theirs = re.search(r"ARG UV_VERSION=(\S+)", dockerfile)
    assert ours is not None
    assert theirs is not None
    assert ours[1] == theirs[1]
    assert dockerfile.count("uv sync --frozen --no-dev") == 2
    assert set(re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)) == {"python:3.13-slim"}
    last = dockerfile.rsplit("FROM ", 1)[1]
    assert re.findall(r"^USER (\S+)", last, re.MULTILINE) == ["livebeat"]
    assert last.index("USER livebeat") < last.index("ENTRYPOINT")
    assert 'ENTRYPOINT ["python", "-m", "launcher", "run"]' in last
    assert not re.search(r"(PASSWORD|SECRET|TOKEN|AES_KEY|BOOTSTRAP)", dockerfile)


def test_only_named_files_reach_the_image(dockerfile: str) -> None:
    lines = (PROJECT_DIR / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {
        word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", dockerfile, re.MULTILINE) for word in line.split()
    }
    assert copied == let_in
    assert all((PROJECT_DIR / name).exists() for name in copied)
    assert "**/.env*" in rules


def test_every_package_has_a_wheel_for_the_images_python() -> None:
    """The slim image has no compiler."""
    lock = tomllib.loads((PROJECT_DIR / "uv.lock").read_text(encoding="utf-8"))
    packages = {package["name"]: package for package in lock["package"]}
    root = packages["livebeat"]
    todo = [*root["dependencies"], *root["dev-dependencies"]["platform"]]
    seen: set[str] = set()
    while todo:
        name = todo.pop()["name"]
        if name not in seen:
            seen.add(name)
            todo += packages[name].get("dependencies", [])
    fits = re.compile(r"-(py3-none|py2\.py3-none|cp313-cp313|cp3\d+-abi3)-(any|.*(manylinux|linux)\w*x86_64)")
    for name in seen:
        files = [wheel["url"].rsplit("/", 1)[1] for wheel in packages[name].get("wheels", [])]
        assert any(fits.search(file) for file in files), (name, files[:3])


def test_the_bridge_is_there_for_those_who_ask_for_it(services: dict[str, Any]) -> None:
    assert services["bridge"]["profiles"] == ["bridge"]
    assert [name for name, service in services.items() if "profiles" in service] == ["bridge"]
