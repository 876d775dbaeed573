"""`.env.example` names every setting, shows its default, and can be used as it is."""

import re
from pathlib import Path

import pytest
from dotenv import dotenv_values
from pydantic import SecretStr

from app.core import settings_sources
from app.core.settings import Settings, load_settings

EXAMPLE = Path(__file__).resolve().parents[2] / ".env.example"
#: The launcher's own: the platform never sees it.
OF_THE_LAUNCHER = {"FLOWER_BASIC_AUTH"}


def uncommented() -> str:
    return re.sub(r"^# ([A-Z][A-Z0-9_]*=)", r"\1", EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_it_names_exactly_the_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(uncommented(), encoding="utf-8")
    names = set(dotenv_values(tmp_path / ".env"))
    assert names == {name.upper() for name in Settings.model_fields} | OF_THE_LAUNCHER


def test_as_it_is_it_sets_nothing() -> None:
    assert dotenv_values(EXAMPLE) == {}


def test_what_it_shows_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_sources, "PROJECT_DIR", tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    defaults = load_settings()
    (tmp_path / ".env").write_text(uncommented(), encoding="utf-8")
    shown = load_settings()
    assert shown == defaults
    assert shown.model_fields_set >= {"api_port", "log_level", "sentry_traces_sample_rate"}
    secret = [name for name, value in shown if isinstance(value, SecretStr)]
    assert secret == []
