"""Which server opens which data."""

import os
from pathlib import Path

import pytest

from launcher.errors import PreflightError
from launcher.servers.binaries import ServerBinary, bundled_path, choose, identify

VALKEY_9 = ServerBinary(Path("/bundled/valkey-server"), "valkey", 9, 1)
VALKEY_8 = ServerBinary(Path("/usr/bin/valkey-server"), "valkey", 8, 1)
REDIS_7 = ServerBinary(Path("/usr/bin/redis-server"), "redis", 7, 0)


def folder(data_dir: Path, name: str, used_at: int = 0) -> Path:
    path = data_dir / name
    path.mkdir()
    os.utime(path, (used_at, used_at))
    return path


def test_the_bundled_server_is_there_and_says_what_it_is() -> None:
    path = bundled_path()
    assert path is not None
    binary = identify(path)
    assert binary is not None
    assert (binary.kind, binary.folder_name) == ("valkey", f"valkey-{binary.major}")


def test_a_file_that_is_no_server_is_none(tmp_path: Path) -> None:
    assert identify(tmp_path / "missing") is None
    assert identify(Path("/bin/echo")) is None


def test_with_no_data_the_first_server_is_taken(tmp_path: Path) -> None:
    assert choose(tmp_path, [REDIS_7, VALKEY_9]) == (REDIS_7, tmp_path / "redis-7")


def test_data_is_opened_by_the_kind_that_wrote_it(tmp_path: Path) -> None:
    data = folder(tmp_path, "valkey-9")
    assert choose(tmp_path, [REDIS_7, VALKEY_9]) == (VALKEY_9, data)


def test_the_data_used_last_counts(tmp_path: Path) -> None:
    folder(tmp_path, "redis-7", used_at=1)
    data = folder(tmp_path, "valkey-9", used_at=2)
    assert choose(tmp_path, [REDIS_7, VALKEY_9]) == (VALKEY_9, data)


def test_a_newer_server_takes_the_data_over_and_renames_the_folder(tmp_path: Path) -> None:
    (folder(tmp_path, "valkey-8") / "appendonlydir").mkdir()
    assert choose(tmp_path, [REDIS_7, VALKEY_9]) == (VALKEY_9, tmp_path / "valkey-9")
    assert (tmp_path / "valkey-9" / "appendonlydir").is_dir()


def test_an_older_server_does_not_touch_newer_data(tmp_path: Path) -> None:
    folder(tmp_path, "valkey-9")
    with pytest.raises(PreflightError, match="newer server than the valkey 8"):
        choose(tmp_path, [VALKEY_8, REDIS_7])


def test_another_kind_of_server_does_not_touch_the_data(tmp_path: Path) -> None:
    folder(tmp_path, "redis-7")
    with pytest.raises(PreflightError, match=r"redis 7.*valkey-9"):
        choose(tmp_path, [VALKEY_9])


def test_no_server_at_all_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="REDIS_URL"):
        choose(tmp_path, [])
