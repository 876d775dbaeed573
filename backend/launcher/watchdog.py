"""The supervisor's last will: ends the children's process groups once the supervisor is gone without a word.

Run as a program of its own (`python -I -S watchdog.py`), reading one line a change on standard input:
`+<pid> <signal number>` for a group that now lives, `-<pid>` for one that ended. The end of the input is the
supervisor's death, however it came. Groups still listed then get their signal, and SIGKILL after `GRACE_SECONDS`.
Works on every Unix, and reaches children of children.
"""

import os
import signal
import sys
import time
from collections.abc import Iterable

GRACE_SECONDS = 2.0


def read_will(lines: Iterable[str]) -> dict[int, int]:
    """Living groups (leader's pid → its stop signal) after all these lines."""
    living: dict[int, int] = {}
    for line in lines:
        if line.startswith("+"):
            pid, number = line[1:].split()
            living[int(pid)] = int(number)
        elif line.startswith("-"):
            living.pop(int(line[1:]), None)
    return living


def send(target: int, number: int) -> bool:
    """Signal a process, or a group by its negative number; whether there was one."""
    try:
        os.kill(target, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def execute_will(living: dict[int, int]) -> None:
    """End all these groups."""
    for pid, number in living.items():
        send(pid, number)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(send(-pid, 0) for pid in living):
        time.sleep(0.05)
    for pid in living:
        send(-pid, signal.SIGKILL)


def main() -> None:
    """Listen until the supervisor is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    execute_will(read_will(sys.stdin))


if __name__ == "__main__":
    main()
