"""What can't be used is named, in a sentence a problem, in both languages, and never with a secret's value."""

from pathlib import Path

import pytest

from app.core import settings_sources
from app.core.settings import EXIT_CONFIGURATION, get_settings, load_settings
from app.core.settings_problems import Problem, SettingsError

CANARY = "canary-9f2c-value"
GOOD_KEY = "Vt9mQ2xK7bLr4nZs8cWy3pHd6gJf1eTa"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No `.env`; what a test sets is all there is beside the tests' own servers."""
    monkeypatch.setattr(settings_sources, "PROJECT_DIR", tmp_path)
    for index in range(10):
        monkeypatch.delenv(f"AES_KEY_{index}", raising=False)
    return monkeypatch


def problems() -> dict[str, Problem]:
    with pytest.raises(SettingsError) as refused:
        load_settings()
    return {problem.name: problem for problem in refused.value.problems}


@pytest.mark.parametrize(
    ("name", "value", "en", "ko"),
    [
        ("API_PORT", "abc", "must be a whole number, it is 'abc'.", "정수여야 합니다 (현재 'abc')."),
        ("REDIS_PORT", "70000", "must be 65535 or less", "65535 이하여야 합니다"),
        ("REDIS_DB", "-1", "must be 0 or more", "0 이상이어야 합니다"),
        ("LOG_LEVEL", "LOUD", "must be one of 'DEBUG', 'INFO', 'WARNING', 'ERROR'", "다음 중 하나여야 합니다"),
        ("CONSUMER_GRACEFUL_SHUTDOWN_TIMEOUT", "soon", "must be a number", "숫자여야 합니다"),
        ("CONSUMER_GRACEFUL_SHUTDOWN_TIMEOUT", "inf", "must be a finite number", "유한한 숫자여야 합니다"),
        ("SENTRY_TRACES_SAMPLE_RATE", "20", "must be 1 or less", "1 이하여야 합니다"),
        ("SENTRY_CRONS", "sometimes", "must be true or false", "true 또는 false여야 합니다"),
        ("DATABASE_ENGINE", "mysql", "must be one of 'django.db.backends.postgresql'", "다음 중 하나여야 합니다"),
        ("LIVEBEAT_TIMEZONE", "Mars/Base", "must be a time zone", "시간대여야 합니다"),
        ("VELOG_GRAPHQL_URL", "v3.velog.io", "must be an address like https://host/path", "형식이어야 합니다"),
        ("VELOG_REQUESTS_PER_SECOND", "0", "must be greater than 0", "0보다 커야 합니다"),
    ],
)
def test_a_wrong_value_is_shown_with_what_to_write(
    environment: pytest.MonkeyPatch, name: str, value: str, en: str, ko: str
) -> None:
    environment.setenv(name, value)
    (problem,) = problems().values()
    assert problem.name == name
    assert problem.en.startswith(en)
    assert ko in problem.ko
    assert "\n" not in str(problem)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", f"http://:{CANARY}@h"),
        ("REDIS_URL", f"redis://:{CANARY}@h:port/0"),
        ("DATABASE_URL", f"mysql://u:{CANARY}@h/db"),
        ("DATABASE_URL", f"postgresql://u:{CANARY}@[h/db"),
        ("SENTRY_DSN", f"https://{CANARY}@h/"),
        ("SENTRY_DSN", CANARY),
        ("NAVER_LAND_HEADERS", f'{{"cookie": ["{CANARY}"]}}'),
    ],
)
def test_a_secret_is_named_and_not_shown(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert list(problems()) == [name]
    assert CANARY not in f"{refused.value} {refused.value!r} {refused.value.text('ko')} {refused.value.__cause__}"


def test_every_problem_at_once(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("API_PORT", "abc")
    environment.setenv("POSTGRES_PORT", "0")
    assert set(problems()) == {"API_PORT", "POSTGRES_PORT"}


def test_files_that_cannot_be_read(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    environment.setenv("REDIS_PASSWORD_FILE", "missing")
    environment.setenv("SECRET_KEY_FILE", "empty")
    environment.setenv("AES_KEY_0_FILE", "binary")
    found = problems()
    assert set(found) == {"REDIS_PASSWORD_FILE", "SECRET_KEY_FILE", "AES_KEY_0_FILE"}
    assert "No such file" in found["REDIS_PASSWORD_FILE"].en


def test_a_dotenv_that_is_no_text(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"REDIS_PASSWORD=\xff\n")
    assert set(problems()) == {".env"}


def test_a_data_folder_that_is_none(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment.setenv("LIVEBEAT_DATA_DIR", str(tmp_path / "file" / "below"))
    assert set(problems()) == {"LIVEBEAT_DATA_DIR"}
    environment.setenv("SECRET_KEY", CANARY)  # nothing is kept in it any more
    assert load_settings().secret_key is not None


def test_the_process_ends_with_a_line_a_problem(
    environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment.setenv("API_PORT", "abc")
    environment.setenv("REDIS_URL", CANARY)
    get_settings.cache_clear()
    try:
        with pytest.raises(SystemExit) as ended:
            get_settings()
    finally:
        environment.undo()
        get_settings.cache_clear()
    assert ended.value.code == EXIT_CONFIGURATION == 78
    lines = capsys.readouterr().err.splitlines()
    assert sorted(line.split(": ")[:2] for line in lines) == [["livebeat", "API_PORT"], ["livebeat", "REDIS_URL"]]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_PASSWORD", "notion-check-plz"),
        ("POSTGRES_PASSWORD", "vd2"),
        ("POSTGRES_PASSWORD", "ChangeMe"),
        ("SECRET_KEY", "changethis"),
        ("SECRET_KEY", "django-insecure-8fj2k3l4"),
        ("REDIS_URL", "redis://:notion-check-plz@redis:6379/0"),
        ("DATABASE_URL", "postgresql://vd2:vd2@db/postgres"),
        ("AES_KEY_0", "short"),
        ("AES_KEY_3", "0" * 32),
        ("AES_KEY_4", "0123456789abcdef" * 2),
        ("AES_KEY_9", GOOD_KEY + "x"),
        ("AES_KEY_9", "열쇠" * 16),
    ],
)
def test_production_refuses_what_everybody_knows(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    environment.setenv(name, value)
    load_settings()  # in development it is good enough
    environment.setenv("LIVEBEAT_ENV", "production")
    (problem,) = problems().values()
    assert problem.name == name
    assert value not in str(problem)


def test_production_takes_real_secrets(environment: pytest.MonkeyPatch) -> None:
    secret = "k3J#8s!-pQ2z.Lw9"
    environment.setenv("LIVEBEAT_ENV", "production")
    for name in ("REDIS_PASSWORD", "POSTGRES_PASSWORD", "SECRET_KEY"):
        environment.setenv(name, secret)
    environment.setenv("AES_KEY_0", GOOD_KEY)
    environment.setenv("AES_KEY_1", "7f3a9c1e5b8d2f4a6c0e9b7d3f1a5c8e")
    assert load_settings().livebeat_env == "production"
