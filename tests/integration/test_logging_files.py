"""The files themselves: no line lost among several writers while they rotate, their names, and a folder that fails."""

import logging
import re
import sys
from collections import Counter
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from app.core.log_files import KEPT_FILES, DailyFile, daily_file
from app.core.log_lines import OneLine
from app.core.redaction import Redactor
from support.platform_processes import PROJECT_DIR
from support.processes import Running, clean_environment

PATHS = f"{PROJECT_DIR / 'backend'}:{PROJECT_DIR / 'tests'}"


def test_eight_thousand_lines_of_four_processes_are_all_kept(tmp_path: Path) -> None:
    path = tmp_path / "consumer.log"
    argv = [sys.executable, "-m", "support.log_writer", path]
    env = clean_environment(PYTHONPATH=PATHS)
    with Running([*argv, "a", "4000"], env=env) as one, Running([*argv, "b", "4000"], env=env) as other:
        assert (one.wait(50), other.wait(50)) == (0, 0), one.output + other.output
    files = sorted(tmp_path.glob("consumer.log*"))
    assert len(files) >= 4, "it rotated under them"
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    found = Counter(re.search(r"line (\S+ \d+) of a length .* \.{60}$", line)[1] for line in lines)  # type: ignore[index]
    assert len(lines) == 8000
    wanted = {f"{name}-{who} {number}" for name in "ab" for who in ("parent", "child") for number in range(2000)}
    assert set(found) == wanted


def entry(text: str) -> logging.LogRecord:
    return logging.LogRecord("a", logging.INFO, "f.py", 1, text, (), None, "fn")


def open_file(path: Path) -> DailyFile:
    handler = DailyFile(path)
    handler.setFormatter(OneLine(Redactor()))
    return handler


def rotation_at(path: Path) -> Path:
    """Where the handler keeps the instant of the next rotation, for all processes."""
    return path.with_name(f".__{path.stem}.lock")


def test_yesterdays_file_is_named_for_its_day_and_thirty_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "consumer.log"
    for days in range(1, KEPT_FILES + 5):
        (tmp_path / f"consumer.log.{date(2025, 12, 12) - timedelta(days=days)}").touch()
    (tmp_path / "consumer.log.notes").touch()
    handler = open_file(path)
    handler.emit(entry("of yesterday"))
    handler.close()
    midnight = datetime.fromisoformat("2025-12-13T00:00:00").astimezone()
    rotation_at(path).write_text(str(int(midnight.timestamp())), encoding="ascii")
    handler = open_file(path)
    handler.emit(entry("of today"))
    handler.close()
    assert "of yesterday" in (tmp_path / "consumer.log.2025-12-12").read_text(encoding="utf-8")
    assert "of today" in path.read_text(encoding="utf-8")
    dated = sorted(tmp_path.glob("consumer.log.20*"))
    assert len(dated) == KEPT_FILES
    assert dated[-1].name == "consumer.log.2025-12-12"
    assert (tmp_path / "consumer.log.notes").exists()
    next_one = datetime.fromtimestamp(int(rotation_at(path).read_text(encoding="ascii"))).astimezone()
    assert (next_one.hour, next_one.minute, next_one.second) == (0, 0, 0)
    assert next_one > datetime.now().astimezone()  # noqa: TID251


def test_a_folder_that_is_none_stops_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert daily_file(tmp_path / "file" / "api.log") is None
    error = capsys.readouterr().err
    assert error.startswith("livebeat: no log file, ")
    assert len(error.splitlines()) == 1


def test_a_file_that_fails_later_is_told_once_and_shows_no_record(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "api.log"
    handler = open_file(path)
    path.mkdir()
    for _ in range(3):
        handler.emit(entry("password=canary-9f2c"))
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert "can't be written" in error
    assert "canary" not in error
    path.rmdir()
    handler.emit(entry("back"))
    handler.close()
    assert "back" in path.read_text(encoding="utf-8")
