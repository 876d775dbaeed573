"""What the launcher reads, and what follows for embedded servers and the demo."""

from pathlib import Path

import pytest

from launcher import demo
from launcher.errors import PreflightError
from launcher.programs import platform_programs
from launcher.settings import read_settings


def test_without_settings_everything_is_embedded_on_loopback(tmp_path: Path) -> None:
    settings = read_settings({}, tmp_path)
    assert settings.api_url == "http://127.0.0.1:8000"
    assert settings.data_dir == tmp_path / "var"
    assert (settings.embedded_redis, settings.database) == (True, "sqlite")
    assert demo.is_wanted(settings, None)


def test_the_environment_wins_over_the_file_and_an_empty_value_is_none(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_PORT=9000\nAPI_HOST=localhost\nredis_url=redis://elsewhere\n")
    settings = read_settings({"API_PORT": "9001", "DATABASE_URL": ""}, tmp_path)
    assert settings.api_url == "http://localhost:9001"
    assert (settings.embedded_redis, settings.database) == (False, "sqlite")


def test_an_empty_value_in_the_environment_hides_the_files(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("REDIS_URL=redis://elsewhere\n")
    assert read_settings({"REDIS_URL": ""}, tmp_path).embedded_redis


@pytest.mark.parametrize("folder", ["data", "./data", "deep/../data"])
def test_a_relative_data_folder_is_the_projects(tmp_path: Path, folder: str) -> None:
    assert read_settings({"LIVEBEAT_DATA_DIR": folder}, tmp_path).data_dir == tmp_path / "data"


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http", "80 ", "٨٠"])
def test_a_port_that_is_none_is_refused_by_name(tmp_path: Path, port: str) -> None:
    with pytest.raises(PreflightError, match="API_PORT"):
        read_settings({"API_PORT": port}, tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "redis://localhost"),
        ("REDIS_HOST", "localhost"),
        ("REDIS_URL_FILE", "/run/secrets/redis"),
        ("DATABASE_URL", "sqlite:////data/real.sqlite3"),
        ("DATABASE_URL", "postgresql://db/velog"),
        ("POSTGRES_HOST", "db"),
        ("VELOG_GRAPHQL_URL", "https://v3.velog.io/graphql"),
        ("NAVER_LAND_TOKEN_FILE", "token"),
    ],
)
def test_no_invented_row_reaches_what_somebody_configured_unless_asked(tmp_path: Path, name: str, value: str) -> None:
    settings = read_settings({name: value}, tmp_path)
    assert not demo.is_wanted(settings, None)
    assert demo.is_wanted(settings, True)


def test_an_embedded_postgres_is_embedded(tmp_path: Path) -> None:
    settings = read_settings({"DATABASE_URL": "embedded-postgres://"}, tmp_path)
    assert settings.database == "embedded-postgres"
    assert demo.is_wanted(settings, None)
    assert not demo.is_wanted(settings, False)


@pytest.mark.parametrize(
    ("host", "shown", "probed"),
    [
        ("::1", "http://[::1]:8000", "http://[::1]:8000"),
        ("0.0.0.0", "http://0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("localhost", "http://localhost:8000", "http://localhost:8000"),
    ],
)
def test_the_address_to_show_and_the_one_to_ask(tmp_path: Path, host: str, shown: str, probed: str) -> None:
    settings = read_settings({"API_HOST": host}, tmp_path)
    assert (settings.api_url, settings.probe_url) == (shown, probed)


@pytest.mark.parametrize(
    ("value", "runs"), [("true", True), ("TRUE", True), ("1", True), ("false", False), ("", False)]
)
def test_the_bridge_runs_where_it_is_asked_for(tmp_path: Path, value: str, runs: bool) -> None:
    settings = read_settings({"RUN_BRIDGE": value}, tmp_path)
    names = [program.name for program in platform_programs(settings, {}, tmp_path / "flower.sock")]
    assert ("bridge" in names) is runs
