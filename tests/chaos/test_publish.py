"""The page says what was measured, and of the rest that it wasn't."""

import xml.dom.minidom
from dataclasses import replace
from pathlib import Path

import pytest

from chaos.checker import Violation
from chaos.correct import correct
from chaos.picture import picture
from chaos.publish import NOT_YET, publish
from chaos.report import Bar, Report, none_of
from chaos.stage import PROJECT

PAGE = "before\n<!-- measured -->\nof an earlier run\n<!-- /measured -->\nbetween\n<!-- beside -->\n<!-- /beside -->\nafter\n"


@pytest.fixture
def page(tmp_path: Path) -> Path:
    file = tmp_path / "page.md"
    file.write_text(PAGE)
    return file


def record(folder: Path) -> None:
    """A scenario that held, with its control, and one that broke."""
    cuts = Bar("200 of 200 prefixes add up", "200", held=True)
    Report("cuts", (cuts,), {}).save(folder / "cuts", "here")
    Report("control", (Bar("at least 101 don't add up", "133", held=True),), {}).save(folder / "stock-cuts", "here")
    wrong = [Violation("missed", "a", 1, "gone")]
    report = Report("mix", (Bar("at least 5 slots", "7", held=True), *none_of(wrong)), {}, history=correct(0))
    report.save(folder / "mix", "there")


def test_what_was_recorded_is_put_between_the_markers(page: Path, tmp_path: Path) -> None:
    record(tmp_path)
    assert publish(tmp_path, page) == ["cuts", "mix", "stock-cuts"]
    text = page.read_text()
    assert "| `cuts` | yes | 200 of 200 prefixes add up: 200 |" in text
    assert "| `mix` | **no** | 7 slots (≥ 5); **1 slots lost** |" in text
    assert "stock RedBeat: 133 don't add up (≥ 101) |" in text
    assert f"| {NOT_YET} | plain Celery, late acks: {NOT_YET} |" in text
    assert "\nhere; load average " in text
    assert "of an earlier run" not in text
    assert text.startswith("before")
    assert text.endswith("after\n")
    assert xml.dom.minidom.parse(str(page.with_suffix(".svg"))).documentElement.tagName == "svg"
    publish(tmp_path, page)
    assert page.read_text() == text


def test_a_page_without_a_place_and_a_folder_without_reports_are_refused(page: Path, tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="nothing is recorded"):
        publish(tmp_path, page)
    record(tmp_path)
    page.write_text("nothing here")
    with pytest.raises(LookupError, match="measured"):
        publish(tmp_path, page)


def test_the_page_of_the_project_has_both_places() -> None:
    text = (PROJECT / "docs" / "reliability.md").read_text()
    assert all(f"<!-- {mark}{what} -->" in text for what in ("measured", "beside") for mark in ("", "/"))


def test_a_picture_escapes_what_it_names() -> None:
    history = correct(0)
    odd = replace(history, faults=tuple(replace(fault, victim="<&>") for fault in history.faults))
    drawn = picture(odd, [Violation("missed", "s0", history.dispatches[0].slot, 'not "there" <&>')])
    assert len(xml.dom.minidom.parseString(drawn).getElementsByTagName("circle")) == 1
