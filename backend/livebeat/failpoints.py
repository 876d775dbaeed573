"""Named steps at which a process can be made to kill itself, so that a test ends it exactly there and not somewhere near.

With `LIVEBEAT_FAILPOINT=<name>:<n>` in its environment a process sends itself SIGKILL when it comes by for the n-th
time. Without the variable `reach` does nothing.
"""

import os
import signal
from collections.abc import Callable
from importlib import resources
from itertools import count

from livebeat.errors import ConfigurationError

VARIABLE = "LIVEBEAT_FAILPOINT"

#: The failpoints beside those of the scripts.
STEPS = (
    "before_body",  # of a task, when its run is claimed
    "after_body",
    "before_rows",  # of the recorder, when it has read events
    "after_rows",  # and before it acknowledges them
)


def names() -> tuple[str, ...]:
    """Every failpoint: `before_` each script of `livebeat/lua` is sent, `after_` its reply is there, and `STEPS`."""
    files = [file for file in resources.files("livebeat.lua").iterdir() if file.name.endswith(".lua")]
    texts = {file.name.removesuffix(".lua"): file.read_text(encoding="utf-8") for file in files}
    scripts = sorted(name for name, text in texts.items() if "KEYS:" in text)  # the others are only pieces of scripts
    return (*(f"{when}_{script}" for script in scripts for when in ("before", "after")), *STEPS)


def armed(setting: str) -> Callable[[str], None]:
    """What `reach` is in a process with this setting.

    Raises:
        ConfigurationError: it names no failpoint, or no number of passes.
    """
    name, _, passes = setting.partition(":")
    known = names()
    if name not in known or not passes.isdecimal() or int(passes) < 1:
        raise ConfigurationError(
            reason_en=f"{VARIABLE}={setting!r} is not <name>:<n> with one of the names {', '.join(known)}; unset it "
            "unless this is a test",
            reason_ko=f"{VARIABLE}={setting!r}: <이름>:<횟수> 형식이 아닙니다. 테스트가 아니라면 이 환경 변수를 지우세요. "
            f"이름은 {', '.join(known)} 중 하나입니다",
        )
    seen, last = count(1), int(passes)

    def reach(step: str) -> None:
        if step == name and next(seen) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    return reach


def _unarmed(step: str) -> None:
    pass


#: Called at each step, with its name.
reach = armed(os.environ[VARIABLE]) if VARIABLE in os.environ else _unarmed
