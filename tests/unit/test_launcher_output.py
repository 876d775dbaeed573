"""Bytes of many processes become prefixed lines."""

import io

import pytest

from launcher.output import KEPT_LINES, LONGEST_LINE, Console, Lines


class Gone(io.StringIO):
    """A terminal that went away."""

    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_lines_are_whole_even_where_a_read_cuts_a_letter_in_two() -> None:
    lines, letter = Lines(), "가".encode()
    assert lines.feed(b"one\ntw" + letter[:1]) == ["one"]
    assert lines.feed(letter[1:] + b"\r\n\nthree") == ["tw가", ""]
    assert lines.feed(b"") == ["three"]


def test_bytes_that_are_no_utf8_are_shown_as_such() -> None:
    assert Lines().feed(b"\xff\n") == ["�"]


def test_a_line_without_end_is_cut() -> None:
    assert Lines().feed(b"x" * (LONGEST_LINE + 1)) == ["x" * (LONGEST_LINE + 1)]


def test_a_line_stands_behind_its_process() -> None:
    stream = io.StringIO()
    Console(stream).relay("beat", "tick")
    assert stream.getvalue() == "beat      | tick\n"


def test_colours_only_where_asked() -> None:
    stream = io.StringIO()
    console = Console(stream, colours=True)
    console.relay("beat", "tick")
    console.say("ready")
    assert stream.getvalue() == "\x1b[36mbeat      |\x1b[0m tick\nready\n"


@pytest.mark.parametrize("lines", [1, KEPT_LINES + 5])
def test_the_last_lines_are_kept_even_when_nobody_can_read_them(lines: int) -> None:
    console = Console(Gone())
    for number in range(lines):
        console.relay("api", str(number))
    assert console.last_lines("api") == [str(number) for number in range(lines)][-KEPT_LINES:]
    assert console.last_lines("beat") == []
