"""What the commands share of their answers: exit statuses, and text that shows whatever somebody wrote to Redis."""

import sys

DONE = 0
#: The app, the file or Redis can't be used.
FAILED = 1
#: Done, but something needs a look.
LOOK = 3


def plain(text: str) -> str:
    """The text on one line, with escapes for what can't be printed."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def write(text: str) -> None:
    """Print, whatever the terminal can encode."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
