"""A Sentry of our own on loopback: keeps every envelope that an SDK sends."""

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "c0ffee" + "0" * 26


@dataclass
class SentryServer:
    """What arrived: `raw`, the decoded bodies; `items`, each envelope's items as (type, payload).

    While `answers` isn't set, senders wait for their answer, and nothing arrives.
    """

    dsn: str = ""
    raw: list[str] = field(default_factory=list)
    items: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    answers: threading.Event = field(default_factory=threading.Event)

    def events(self) -> list[dict[str, Any]]:
        """The errors."""
        return [payload for kind, payload in self.items if kind == "event"]

    def transactions(self) -> list[dict[str, Any]]:
        """The performance traces."""
        return [payload for kind, payload in self.items if kind == "transaction"]

    def take(self, body: bytes) -> None:
        """One envelope: a line of headers, then a line of headers and a payload for each item."""
        self.raw.append(body.decode("utf-8"))
        lines = iter(body.split(b"\n")[1:])
        for header in lines:
            if header:
                self.items.append((json.loads(header)["type"], json.loads(next(lines, b"") or b"{}")))


@contextmanager
def sentry_server() -> Iterator[SentryServer]:
    """A running one, empty."""
    kept = SentryServer()
    kept.answers.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.answers.wait(60)
            kept.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        kept.dsn = f"http://{KEY}@127.0.0.1:{server.server_port}/1"
        yield kept
        kept.answers.set()
        server.shutdown()
        thread.join()
