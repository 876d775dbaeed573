"""The table of then and now has no empty cell, and the tests that it names are there."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs" / "from-the-old-system.md"
NOT_YET = "not in this version"


def rows() -> list[tuple[str, str, str]]:
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 3 and cells[0] != "then" and not set(cells[0]) <= set("-"):
            found.append((cells[0], cells[1], cells[2]))
    return found


def test_there_are_rows() -> None:
    assert len(rows()) > 40


@pytest.mark.parametrize(("then", "now", "test"), rows())
def test_a_row_is_whole_and_its_test_exists(then: str, now: str, test: str) -> None:
    assert then
    assert now
    if test == NOT_YET:
        assert NOT_YET in now
        return
    named = re.findall(r"`(tests/[^`]+)`", test)
    assert named
    for path, _, function in (name.partition("::") for name in named):
        text = (PROJECT / path).read_text(encoding="utf-8")
        assert f"def {function}(" in text if function else "\ndef test_" in text, f"{path}::{function}"
