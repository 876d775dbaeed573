"""Folders for unix sockets: private to their owner, and short enough for the operating system's limit."""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

from launcher.errors import PreflightError
from launcher.messages import text

#: `sockaddr_un.sun_path` holds 104 bytes on macOS and 108 on Linux, the final zero included.
LONGEST_SOCKET_PATH = 103
#: The longest name that anybody puts there (PostgreSQL's).
_LONGEST_NAME = "/.s.PGSQL.65535"


def socket_folder(data_dir: Path, purpose: str = "run", *, owner: int | None = None) -> Path:
    """A folder (0700) for sockets: `<data dir>/<purpose>`, or a short one made from its hash.

    The same data folder always gets the same folder, so addresses stay valid from start to start. It must be ours,
    or belong to the user `owner`, to whom we gave it.

    Raises:
        PreflightError: the folder exists and is somebody else's.
    """
    folder = data_dir.resolve() / purpose
    if len(os.fsencode(f"{folder}{_LONGEST_NAME}")) > LONGEST_SOCKET_PATH:
        name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
        folder = Path(tempfile.gettempdir()) / f"livebeat-{os.getuid()}-{name}"
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in {os.getuid(), owner}:
        raise PreflightError(text("socket_folder", path=folder))
    if stat.S_IMODE(found.st_mode) != 0o700:
        folder.chmod(0o700)
    return folder
