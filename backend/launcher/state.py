"""The state file: how a second terminal finds the embedded servers, and how addresses stay the same.

`state.json` (0600) in the data folder: `environment` holds names and values that the platform reads when no
server is configured by hand, `ports` the simulators' ports. It outlives the launcher: the addresses are the same
after the next start. With a server configured by hand there is none.
"""

import json
import os
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path

STATE_FILE = "state.json"


@dataclass(frozen=True)
class State:
    """The file's content."""

    environment: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)


def read_state(data_dir: Path) -> State:
    """What was written last; empty where there is nothing usable."""
    try:
        found = json.loads((data_dir / STATE_FILE).read_text(encoding="utf-8"))
        environment = {str(name): str(value) for name, value in found.get("environment", {}).items()}
        return State(environment, {str(name): int(port) for name, port in found.get("ports", {}).items()})
    except (OSError, ValueError, TypeError, AttributeError):
        return State()


def write_state(data_dir: Path, state: State) -> None:
    """Replace the file at once: readers see the old one or the new one.

    Raises:
        OSError: the folder can't be written.
    """
    write_private(data_dir / STATE_FILE, json.dumps(asdict(state), indent=2) + "\n")


def remove_state(data_dir: Path) -> None:
    """A server is configured by hand now: an old file would name servers that don't run."""
    (data_dir / STATE_FILE).unlink(missing_ok=True)


def write_private(path: Path, content: str) -> None:
    """Replace a file at once, readable by its owner alone (0600).

    Raises:
        OSError: the folder can't be written.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
