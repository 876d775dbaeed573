"""Start a child in a process group of its own that doesn't outlive us.

On Linux the kernel itself promises that for the child; elsewhere, and for children of children,
`launcher.watchdog` does it a moment later.
"""

import contextlib
import ctypes
import os
import pwd
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def spawn(
    argv: Sequence[str],
    *,
    output: IO[bytes] | int,
    stop_signal: signal.Signals = signal.SIGTERM,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    cwd: Path | str = "/",
    env: Mapping[str, str] | None = None,
    user: str | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv`, both outputs into `output`; the kernel sends it `stop_signal` when our calling thread ends.

    Raises:
        OSError: it can't be started.
    """
    with warnings.catch_warnings():
        # Forking beside threads is dangerous for what the child then does in Python; ours makes one C call.
        warnings.simplefilter("ignore", DeprecationWarning)
        return subprocess.Popen(
            argv,
            stdin=stdin,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=env,
            start_new_session=True,
            preexec_fn=_die_with_parent(stop_signal),  # noqa: PLW1509  one prctl call, by a library loaded before
            **run_as(user),
        )


def end(process: subprocess.Popen[bytes], how: signal.Signals, grace_seconds: float) -> None:
    """Ask the process to end by `how`, then kill its group; returns when it is gone."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(how)
    try:
        process.wait(grace_seconds)
    except subprocess.TimeoutExpired:
        kill_group(process.pid)
        process.wait()


def kill_group(pid: int) -> None:
    """Kill whatever is left of the process group that `pid` led."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def run_as(user: str | None) -> dict[str, Any]:
    """`subprocess`'s arguments for running as `user` with no other groups; none for our own user."""
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _die_with_parent(how: signal.Signals) -> Callable[[], None] | None:
    """A `preexec_fn` that has the kernel send `how` to the child when our thread ends; None where it can't."""
    if _libc is None:
        return None
    libc, parent, number = _libc, os.getpid(), int(how)

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel
