"""`run`: become one process of the platform, as `run_*.sh` do; servers and supervision are somebody else's.

The process keeps our pid, so signals reach it as they are. It finds its servers by its own settings: the
environment, `.env`, or the state file of an `up` that runs in the same data folder.
"""

import os
from collections.abc import Mapping, Sequence
from typing import NoReturn

from launcher import commands
from launcher.errors import PreflightError
from launcher.messages import text
from launcher.settings import LauncherSettings

PASSWORD_NAME = "FLOWER_BASIC_AUTH"  # noqa: S105  a setting's name


def run(name: str, settings: LauncherSettings, arguments: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by the one that `name` stands for (a key of `commands.ALONE`), `arguments` added.

    Raises:
        PreflightError: Flower has no password.
        OSError: it can't be run.
    """
    environment = {**environ, "PYTHONUNBUFFERED": "1"}
    if name in {"worker", "consumer"}:
        environment = commands.with_worker_environment(environment)
    if name == "flower":
        if PASSWORD_NAME not in settings.given:
            raise PreflightError(text("no_password", name=PASSWORD_NAME))
        environment[PASSWORD_NAME] = settings.given[PASSWORD_NAME]
    os.chdir(settings.project_dir)
    argv = [*commands.ALONE[name](settings), *arguments]
    os.execve(argv[0], argv, environment)  # noqa: S606  no shell is meant
