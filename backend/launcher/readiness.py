"""Whether a server answers: short questions that never raise and never follow anything."""

import contextlib
import http.client
import socket
from pathlib import Path
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 3.0
_LONGEST_ANSWER = 2000


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(str(self._path))


def answers_http(url: str) -> bool:
    """Whether GET of this plain HTTP address gives 200, asked without any proxy."""
    parts = urlsplit(url)
    return _is_ok(http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS), parts.path)


def http_answer(url: str) -> str:
    """What GET of this address says, whatever its status; empty where nobody answers."""
    parts = urlsplit(url)
    with contextlib.closing(http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)) as connection:
        try:
            connection.request("GET", parts.path)
            return connection.getresponse().read(_LONGEST_ANSWER).decode("utf-8", "replace")
        except (OSError, http.client.HTTPException):
            return ""


def answers_http_on_socket(socket_path: Path, path: str) -> bool:
    """Whether GET of `path` gives 200 on a unix socket."""
    return _is_ok(_UnixConnection(socket_path), path)


def answers_tcp(host: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    try:
        socket.create_connection((host, port), timeout=TIMEOUT_SECONDS).close()
    except OSError:
        return False
    return True


def _is_ok(connection: http.client.HTTPConnection, path: str) -> bool:
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
