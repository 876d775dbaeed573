"""Everybody's lines on one terminal, each behind the name of its process, and the last of them kept.

Plain text: colours only on a terminal (and never with NO_COLOR), no cursor movement, so that it can be piped,
copied and searched. A terminal that went away loses lines, never the supervisor.
"""

from codecs import getincrementaldecoder
from collections import defaultdict, deque
from typing import TextIO

NAME_WIDTH = 9
KEPT_LINES = 20
#: A line longer than this is cut into several, so that a process that prints no newline can't fill memory.
LONGEST_LINE = 16_384
_COLOURS = (36, 33, 32, 35, 34, 31, 96, 93, 92, 95)


class Lines:
    """Bytes in, whole lines out; broken UTF-8 is replaced."""

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes, without their ends. Empty `data` ends the stream."""
        *lines, self._rest = (self._rest + self._decoder.decode(data, final=not data)).split("\n")
        if self._rest and (not data or len(self._rest) > LONGEST_LINE):
            lines.append(self._rest)
            self._rest = ""
        return [line.rstrip("\r") for line in lines]


class Console:
    """The one writer to the terminal."""

    def __init__(self, stream: TextIO, *, colours: bool = False) -> None:
        self._stream = stream
        self._colours: dict[str, int] | None = {} if colours else None
        self._kept: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=KEPT_LINES))

    def say(self, line: str = "") -> None:
        """The launcher's own line, as it is."""
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):
            return

    def relay(self, name: str, line: str) -> None:
        """A line of the process `name`."""
        self._kept[name].append(line)
        self.say(f"{self._prefix(name)} {line}")

    def last_lines(self, name: str) -> list[str]:
        """The latest lines of the process `name`, oldest first; at most `KEPT_LINES`."""
        return list(self._kept[name])

    def _prefix(self, name: str) -> str:
        prefix = f"{name:<{NAME_WIDTH}} |"
        if self._colours is None:
            return prefix
        number = self._colours.setdefault(name, _COLOURS[len(self._colours) % len(_COLOURS)])
        return f"\x1b[{number}m{prefix}\x1b[0m"
