"""`load_users`: users from JSON, tokens encrypted, and never overwritten by accident."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from app.core.settings import get_settings
from app.domains.velog import tokens
from app.domains.velog.models import User
from livebeat import clock
from simulators.__main__ import velog_users

pytestmark = pytest.mark.django_db


@pytest.fixture
def records() -> list[dict[str, Any]]:
    return velog_users(clock.now().timestamp())


def load(file: Path, *options: str) -> str:
    out = io.StringIO()
    call_command("load_users", str(file), *options, stdout=out)
    return out.getvalue().strip()


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_users_are_created_once_with_encrypted_tokens(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    file = write(tmp_path / "users.json", records)
    assert load(file) == "4 created, 0 updated, 0 kept"
    assert load(file) == "0 created, 0 updated, 4 kept"
    for record in records:
        user = User.objects.get(velog_uuid=record["velog_uuid"])
        assert record["access_token"] not in user.access_token
        keys = tokens.keys_for(user.group_id, get_settings())
        assert keys.holds(user.access_token, record["access_token"])
        assert keys.holds(user.refresh_token, record["refresh_token"])
        assert (user.username, user.group_id) == (record["username"], record["group_id"])


def test_known_users_get_new_tokens_only_when_asked(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    load(write(tmp_path / "users.json", records))
    fresh = [{**record, "access_token": "n.e.w"} for record in records]
    file = write(tmp_path / "fresh.json", fresh)
    load(file)
    assert load(file, "--update") == "0 created, 4 updated, 0 kept"
    user = User.objects.get(velog_uuid=records[0]["velog_uuid"])
    assert tokens.keys_for(user.group_id, get_settings()).holds(user.access_token, "n.e.w")


def test_standard_input(monkeypatch: pytest.MonkeyPatch, records: list[dict[str, Any]]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(records)))
    call_command("load_users", "-", stdout=io.StringIO())
    assert User.objects.count() == 4


@pytest.mark.parametrize("content", [{}, ["x"], [{"velog_uuid": "x"}]])
def test_what_cannot_be_used_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(CommandError):
        load(write(tmp_path / "users.json", content))


def test_all_or_nothing(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    records[2]["access_token"] = "plain words"
    with pytest.raises(CommandError, match="user 3") as caught:
        load(write(tmp_path / "users.json", records))
    assert "plain words" not in str(caught.value)
    assert not User.objects.exists()
