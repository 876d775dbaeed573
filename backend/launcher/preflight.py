"""What must hold before anything is started; each failure is one line that says what to do."""

import errno
import os
import socket
import tempfile
from pathlib import Path

from launcher.errors import PreflightError
from launcher.messages import text


def check_data_dir(data_dir: Path) -> None:
    """Make the data folder (0700) where it is missing.

    Raises:
        PreflightError: it can't be made or written.
    """
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=data_dir):
            pass
    except OSError as error:
        raise PreflightError(text("unwritable", path=data_dir, reason=os.strerror(error.errno or 0))) from error


def check_port_free(host: str, port: int) -> None:
    """Nobody listens there, and this machine may.

    Raises:
        PreflightError: the port is taken, or the address isn't this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except socket.gaierror as error:
        raise PreflightError(text("bad_host", host=host, reason=error.strerror)) from error
    except PermissionError as error:
        raise PreflightError(text("bad_port", value=str(port))) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PreflightError(text("port_taken", host=host, port=port)) from error
        raise PreflightError(text("bad_host", host=host, reason=os.strerror(error.errno or 0))) from error


def free_port(wanted: int | None, taken: set[int]) -> int:
    """A loopback port that nobody uses: `wanted` if it is free, else one of the system's choice.

    `taken` are ports already promised to others, who don't listen yet.
    """
    for candidate in (wanted, 0, 0, 0):
        if candidate is None or candidate in taken:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port
    raise PreflightError(text("port_taken", host="127.0.0.1", port=wanted or 0))
