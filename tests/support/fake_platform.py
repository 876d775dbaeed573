"""A supervisor over small made-up programs: `python fake_platform.py '<json>'`.

The JSON is a list of `{"name", "argv", "stage"?, "grace"?, "ready_file"?}`. Prints `pid <name> <pid>` at each start
and `ready` once all are ready; exits as the real command does.
"""

import json
import sys
from pathlib import Path

from launcher.errors import LauncherError
from launcher.output import Console
from launcher.process import Program
from launcher.supervisor import Supervisor


def program(spec: dict[str, object]) -> Program:
    """One spec's program."""
    ready_file = spec.get("ready_file")
    return Program(
        name=str(spec["name"]),
        argv=tuple(str(word) for word in spec["argv"]),  # type: ignore[attr-defined]
        stage=int(str(spec.get("stage", 0))),
        grace_seconds=float(str(spec.get("grace", 5))),
        ready=(lambda _: Path(str(ready_file)).exists()) if ready_file else None,
    )


def main() -> int:
    console = Console(sys.stdout)
    known: set[int] = set()

    def announce(children: dict[str, int]) -> None:
        for name, pid in children.items():
            if pid not in known:
                known.add(pid)
                console.say(f"pid {name} {pid}")

    with Supervisor(console, on_change=announce) as supervisor:
        try:
            supervisor.launch([program(spec) for spec in json.loads(sys.argv[1])], timeout_seconds=3)
            console.say("ready")
            supervisor.watch()
        except LauncherError as error:
            console.say(f"error: {error}")
            return error.exit_code
    return 1 if supervisor.stopped_by_force else 0


if __name__ == "__main__":
    sys.exit(main())
