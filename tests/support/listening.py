"""A port that somebody holds."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def listener(port: int = 0) -> Iterator[int]:
    """Hold a loopback port (one of the system's choice) for the context; yields its number."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", port))
        held.listen()
        yield int(held.getsockname()[1])
