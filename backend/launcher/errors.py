"""What can go wrong before and while everything runs, and the exit code that each becomes.

LauncherError
├── PreflightError       nothing was started: a port, a folder, a setting, another copy (exit 2)
├── StartError           a server, a migration or the loading of demo data failed (exit 1)
├── GaveUpError          a process keeps failing, or says that its configuration is wrong (exit 1)
└── StopRequestedError   a signal asked to stop while something was still being started (exit 0)
"""


class LauncherError(Exception):
    """Base of all. `exit_code` is the command's, the message is one sentence for the person at the terminal."""

    exit_code = 1


class PreflightError(LauncherError):
    """Nothing was started and nothing was changed."""

    exit_code = 2


class StartError(LauncherError):
    """A step of the start failed; what had been started is stopped again."""


class GaveUpError(LauncherError):
    """A process can't be kept alive; everything is stopped."""


class StopRequestedError(LauncherError):
    """Not a failure: unwinds whatever was under way."""

    exit_code = 0
