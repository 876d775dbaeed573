"""The state file, the sockets' folders, the watchdog's list and the sentences."""

import json
import string
from pathlib import Path

import pytest

from launcher import messages
from launcher.errors import PreflightError
from launcher.servers.sockets import LONGEST_SOCKET_PATH, socket_folder
from launcher.state import STATE_FILE, State, read_state, remove_state, write_state
from launcher.watchdog import read_will


def test_state_is_private_and_comes_back(tmp_path: Path) -> None:
    state = State({"REDIS_URL": "unix:///x?db=0"}, {"velog": 40_001})
    write_state(tmp_path, state)
    assert read_state(tmp_path) == state
    assert (tmp_path / STATE_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [STATE_FILE]
    remove_state(tmp_path)
    remove_state(tmp_path)
    assert read_state(tmp_path) == State()


@pytest.mark.parametrize("content", ["", "[]", "null", '{"environment": []}', '{"ports": {"velog": "x"}}'])
def test_a_broken_state_file_is_an_empty_one(tmp_path: Path, content: str) -> None:
    (tmp_path / STATE_FILE).write_text(content)
    assert read_state(tmp_path) == State()


def test_the_platform_reads_the_state_as_it_is_written(tmp_path: Path) -> None:
    write_state(tmp_path, State({"REDIS_URL": "unix:///x?db=0"}))
    assert json.loads((tmp_path / STATE_FILE).read_text())["environment"] == {"REDIS_URL": "unix:///x?db=0"}


def test_sockets_live_in_the_data_folder_where_the_path_is_short(tmp_path: Path) -> None:
    short = Path("/tmp/livebeat-test")
    folder = socket_folder(short)
    try:
        assert folder == short / "run"
        assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        folder.rmdir()
        short.rmdir()


def test_sockets_of_a_deep_data_folder_live_in_a_short_one_always_the_same(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 90)
    folder = socket_folder(deep)
    try:
        assert folder == socket_folder(deep)
        assert len(f"{folder}/.s.PGSQL.65535") <= LONGEST_SOCKET_PATH
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder != socket_folder(deep, "pg")
    finally:
        folder.rmdir()
        socket_folder(deep, "pg").rmdir()


def test_a_folder_for_sockets_that_is_a_link_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "run").symlink_to(elsewhere)
    if len(f"{tmp_path}/run/.s.PGSQL.65535") <= LONGEST_SOCKET_PATH:
        with pytest.raises(PreflightError):
            socket_folder(tmp_path)


def test_the_watchdog_knows_who_lives() -> None:
    assert read_will(["+10 15\n", "+11 2\n", "-10\n", "+12 15\n", "nonsense\n", "-99\n"]) == {11: 2, 12: 15}


def test_every_sentence_exists_in_both_languages_with_the_same_fields() -> None:
    def fields(catalogue: dict[str, str]) -> dict[str, set[str]]:
        parse = string.Formatter().parse
        return {key: {name for _, name, _, _ in parse(sentence) if name} for key, sentence in catalogue.items()}

    assert fields(messages._ENGLISH) == fields(messages._KOREAN)


@pytest.mark.parametrize(
    ("environ", "korean"),
    [
        ({}, False),
        ({"LANG": "ko_KR.UTF-8"}, True),
        ({"LANG": "ko_KR.UTF-8", "LC_ALL": "C.UTF-8"}, False),
        ({"LANG": "C", "LC_MESSAGES": "ko_KR.UTF-8"}, True),
        ({"LC_ALL": "", "LANG": "ko"}, True),
    ],
)
def test_the_locale_decides_the_language(environ: dict[str, str], korean: bool) -> None:
    assert messages.is_korean(environ) is korean
