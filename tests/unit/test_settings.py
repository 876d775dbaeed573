"""Where settings come from, and in which order."""

import json
from pathlib import Path

import pytest

from app.core import settings_sources as module
from app.core.redis_addresses import to_broker_url, to_client_url
from app.core.settings import Settings, load_settings
from app.core.settings_problems import SettingsError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder of its own, and an environment that names no server."""
    monkeypatch.setattr(module, "PROJECT_DIR", tmp_path)
    for name in (*module.SERVER_NAMES, "LIVEBEAT_DATA_DIR", "LOG_LEVEL", "LIVEBEAT_LOG_DIR"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "var").mkdir()
    state = {"environment": {"REDIS_URL": "unix:///s/valkey.sock?db=0", "VELOG_GRAPHQL_URL": "http://127.0.0.1:1/v3"}}
    (tmp_path / "var" / "state.json").write_text(json.dumps(state), encoding="utf-8")
    return tmp_path


def test_the_state_file_gives_the_embedded_servers(project: Path) -> None:
    settings = Settings()
    assert settings.client_url == "unix:///s/valkey.sock?db=0"
    assert settings.broker_url == "redis+socket:///s/valkey.sock?virtual_host=0"
    assert settings.velog_graphql_url == "http://127.0.0.1:1/v3"


@pytest.mark.parametrize("name", module.SERVER_NAMES)
def test_a_configured_server_makes_the_state_file_void(
    project: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "redis://elsewhere/0" if "REDIS_URL" in name else "sqlite:///elsewhere")
    settings = Settings()
    assert "/s/valkey.sock" not in settings.client_url
    assert settings.velog_graphql_url == "https://v3.velog.io/graphql"


def test_the_environment_beats_dotenv_beats_state(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".env").write_text("API_PORT=8001\nVELOG_STATS_URL=http://dotenv\n", encoding="utf-8")
    monkeypatch.setenv("API_PORT", "8002")
    settings = Settings()
    assert (settings.api_port, settings.velog_stats_url) == (8002, "http://dotenv")
    assert settings.client_url == "unix:///s/valkey.sock?db=0"


@pytest.mark.parametrize("name", module.SERVER_NAMES)
def test_so_does_one_that_is_named_in_a_file(project: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (project / "address").write_text("redis://elsewhere/0" if name == "REDIS_URL" else "sqlite:///x", encoding="utf-8")
    monkeypatch.setenv(f"{name}_FILE", "address")
    assert "/s/valkey.sock" not in Settings().client_url


def test_an_embedded_postgres_is_where_the_state_file_says(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".env").write_text("DATABASE_URL=embedded-postgres://\n", encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert [problem.name for problem in refused.value.problems] == ["DATABASE_URL"]
    state = {"environment": {"REDIS_URL": "unix:///s/v.sock", "DATABASE_URL": "postgresql://u@/db?host=/s"}}
    (project / "var" / "state.json").write_text(json.dumps(state), encoding="utf-8")
    assert load_settings().secret_values["database_url"] == "postgresql://u@/db?host=/s"


@pytest.mark.parametrize("written", ["a#b:c@d/e", "'a#b:c@d/e'", '"a#b:c@d/e"', "a#b:c@d/e  # a comment"])
def test_a_password_keeps_its_hash_and_its_colon(project: Path, written: str) -> None:
    (project / ".env").write_text(f"REDIS_HOST=r\nREDIS_PASSWORD={written}\n", encoding="utf-8")
    assert Settings().client_url == "redis://:a%23b%3Ac%40d%2Fe@r:6379/0"


@pytest.mark.parametrize("password", ["#first", "two  # marks #", "$HOME", "${HOME}", "back\\slash", 'quo"te'])
def test_any_password_survives_single_quotes_or_the_environment(
    project: Path, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("POSTGRES_PASSWORD", password)
    assert Settings().secret_values["postgres_password"] == password
    monkeypatch.delenv("POSTGRES_PASSWORD")
    if "${" not in password:
        (project / ".env").write_text(f"POSTGRES_PASSWORD='{password}'\n".replace("\\", "\\\\"), encoding="utf-8")
        assert Settings().secret_values["postgres_password"] == password


def test_a_secret_may_lie_in_a_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "password").write_text("from-a-file\n", encoding="utf-8")
    monkeypatch.setenv("REDIS_HOST", "r")
    monkeypatch.setenv("REDIS_PASSWORD_FILE", "password")
    assert Settings().client_url == "redis://:from-a-file@r:6379/0"


def test_a_file_named_by_the_environment_beats_dotenv(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "password").write_text("from-a-file\n", encoding="utf-8")
    (project / ".env").write_text("REDIS_HOST=r\nREDIS_PASSWORD=from-dotenv\n", encoding="utf-8")
    assert "from-dotenv" in Settings().client_url
    monkeypatch.setenv("REDIS_PASSWORD_FILE", "password")
    assert "from-a-file" in Settings().client_url
    monkeypatch.setenv("REDIS_PASSWORD", "from-the-environment")
    assert "from-the-environment" in Settings().client_url


@pytest.mark.parametrize(
    ("variable", "value", "folder"),
    [
        ("LIVEBEAT_DATA_DIR", "var", "logs"),
        ("LIVEBEAT_DATA_DIR", "elsewhere", "elsewhere/logs"),
        ("LIVEBEAT_LOG_DIR", "here", "here"),
    ],
)
def test_the_log_folder(project: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, folder: str) -> None:
    monkeypatch.setenv(variable, value)
    assert Settings().log_dir.resolve() == (project / folder).resolve()


def test_no_secret_in_the_repr(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_PASSWORD", "POSTGRES_PASSWORD", "SECRET_KEY", "AES_KEY_3"):
        monkeypatch.setenv(name, "canary-value")
    assert "canary-value" not in repr(Settings())


def test_relative_paths_count_from_the_project_folder(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIVEBEAT_DATA_DIR", "elsewhere")
    monkeypatch.chdir("/")
    assert Settings().livebeat_data_dir == (project / "elsewhere").resolve()


def test_the_made_secret_key_is_kept_and_private(project: Path) -> None:
    first = Settings().django_secret()
    assert Settings().django_secret() == first
    assert (project / "var" / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("client", "broker"),
    [
        ("unix:///a/b.sock?db=2", "redis+socket:///a/b.sock?virtual_host=2"),
        ("redis://h:1/0", "redis://h:1/0"),
        ("rediss://h:1/0", "rediss://h:1/0"),
    ],
)
def test_either_spelling_of_a_redis_address(client: str, broker: str) -> None:
    assert to_broker_url(client) == broker
    assert to_broker_url(broker) == broker
    assert to_client_url(broker) == client
    assert to_client_url(client) == client
