"""A file that claims to be a celery beat's: nothing in it is ever run, and nothing of it hurts."""

import importlib
import os
import pickle
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery import Celery
from celery.schedules import schedule

from livebeat.errors import ImportFileError
from livebeat.seedfile.persistent import read_persistent
from support.beat_files import entry, in_dumb, one, pickled


def refused(tmp_path: Path, **stored: Any) -> ImportFileError:
    path = tmp_path / "celerybeat-schedule"
    in_dumb(path, pickled(**{"entries": {}, **stored}))
    with pytest.raises(ImportFileError) as caught:
        read_persistent(path, "Asia/Seoul")
    assert "Nothing was imported" in str(caught.value)
    assert "가져오지 않았습니다" in caught.value.text("ko")
    return caught.value


class _Call:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("place", ["entries", "entry", "args", "rule", "tz"])
def test_nothing_in_it_is_ever_run(tmp_path: Path, place: str) -> None:
    mark = tmp_path / "ran"
    bad = _Call(os.system, f"touch {mark}")
    stored: dict[str, Any] = {
        "entries": {"entries": bad},
        "entry": {"entries": {"a": bad}},
        "args": {"entries": {"a": entry(schedule(5), args=(bad,))}},
        "rule": {"entries": {"a": entry(schedule(5), options={"b": bad})}},
        "tz": {"tz": bad},
    }[place]
    assert "system" in str(refused(tmp_path, **stored))
    assert not mark.exists()


@pytest.mark.parametrize(
    "bad",
    [
        _Call(getattr, Celery, "send_task"),
        _Call(getattr, ZoneInfo, "from_file"),
        _Call(eval, "1"),
        _Call(__import__, "os"),
        _Call(importlib.import_module, "os"),
        _Call(open, "/etc/passwd"),
        Path("/etc/passwd"),
        _Call(pickle.loads, b""),
    ],
)
def test_other_names_refuse_the_file(tmp_path: Path, bad: Any) -> None:
    refused(tmp_path, entries={"a": bad})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"garbage",
        pickle.dumps({"a": 1})[:-3],
        b"\x80\x04P0\n.",  # a persistent id
        b"\x80\x04N\x94r\xff\xff\xff\xff.",  # a memo slot of four billion
        b"cdatetime\ndatetime\n}S'_make'\nNsb.",  # state for a name itself
        pickle.dumps({"a": "no entry"}),
        pickle.dumps(["no dict"]),
    ],
)
def test_damaged_or_strange_content_is_refused(tmp_path: Path, data: bytes) -> None:
    refused(tmp_path, entries=data)


def test_a_few_bytes_that_stand_for_billions_of_values_skip_their_entry(tmp_path: Path) -> None:
    bomb: list[Any] = []
    for _ in range(60):
        bomb = [bomb, bomb]
    candidate = one(tmp_path, schedule(5), args=(bomb,))
    assert "10000 values" in str(candidate.problem)


@pytest.mark.parametrize("content", [b"", b"text\n", bytes(100), b"SQLite format 3\x00" + bytes(100)])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "celerybeat-schedule"
    path.write_bytes(content)
    with pytest.raises(ImportFileError):
        read_persistent(path, "Asia/Seoul")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImportFileError, match="no such file"):
        read_persistent(tmp_path / "celerybeat-schedule", "Asia/Seoul")
