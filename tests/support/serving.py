"""An ASGI app on a real port of this process, and the handles that every simulator has."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette

from support.waiting import wait_until


@dataclass(frozen=True)
class Simulator:
    """A running simulator and its `/_sim/*` routes."""

    url: str
    http: httpx2.Client

    def fault(self, kind: str, step: str = "*", **more: Any) -> None:
        """Set one fault, in place of any other."""
        self.faults({"kind": kind, "step": step, **more})

    def faults(self, *faults: dict[str, Any]) -> None:
        """Set these faults; none at all means good behaviour."""
        assert self.http.put("/_sim/faults", json=list(faults)).status_code == 200

    def requests(self, step: str | None = None) -> list[dict[str, Any]]:
        """What was asked so far."""
        return list(self.http.get("/_sim/requests", params={"step": step} if step else None).json())

    def change(self, **document: Any) -> None:
        """Change the world: `set`, `remove`, `add`."""
        answer = self.http.put("/_sim/world", json=document)
        assert answer.status_code == 200, answer.text

    def reset(self) -> None:
        """Everything as at the start."""
        for what in ("faults", "requests", "world"):
            self.http.delete(f"/_sim/{what}")


@contextmanager
def serving(app: Starlette) -> Iterator[Simulator]:
    """`app` on a port that the system gives, until the block ends."""
    config = uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        wait_until(lambda: server.started, 10, "the simulator listens", every=0.01)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx2.Client(base_url=url) as http:
            yield Simulator(url, http)
        server.should_exit = True
        thread.join(timeout=10)
