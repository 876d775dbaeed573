"""A faulting TCP proxy before a Redis on a unix socket: what a network does to its clients, on command.

Runs in a thread of its own; a mode holds for every line, old and new, from the return of `set` on. Who must not be
hurt, such as the driver that collects the evidence, goes to the socket directly.
"""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_CHUNK = 65536


@dataclass(frozen=True)
class Pass:
    """Everything goes through."""


@dataclass(frozen=True)
class Blackhole:
    """Nothing goes through in either direction, as with a cable that was pulled: what was on its way comes later."""


@dataclass(frozen=True)
class HalfOpen:
    """The lines that are open now are dead for good, and neither side is told; new ones work."""


@dataclass(frozen=True)
class Reset:
    """Every line is reset, and each new one at once."""


@dataclass(frozen=True)
class Delay:
    """Everything takes so many seconds longer, each way."""

    seconds: float


@dataclass(frozen=True)
class Throttle:
    """So many bytes a second on each line, each way."""

    rate: int


@dataclass(frozen=True)
class LoseReplies:
    """The server gets the request and acts on it; the line is reset before the client hears of it.

    So for `replies` requests of these commands (an EVALSHA's hash, or another's first argument, names it too; none =
    all of them), each with the probability `share`.
    """

    replies: int
    commands: frozenset[str] = frozenset()
    share: float = 1.0
    seed: int = 0


Mode = Pass | Blackhole | HalfOpen | Reset | Delay | Throttle | LoseReplies


class Proxy:
    """One port on loopback. `lost` counts the replies that were dropped so far."""

    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos-proxy", daemon=True)
        self._mode: Mode = Pass()
        self._chance = random.Random(0)
        self._to_lose = 0
        self._lines: set[_Line] = set()
        self.lost = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._open, self._server = self._call(self._listen())
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def set(self, mode: Mode) -> None:
        """From now on, for every line."""
        self._call(self._set(mode))

    async def opening(self) -> None:
        """Return once something may go through."""
        await self._open.wait()

    def pause(self, size: int) -> float:
        """Seconds that so many bytes are held back."""
        if isinstance(self._mode, Throttle):
            return size / self._mode.rate
        return self._mode.seconds if isinstance(self._mode, Delay) else 0.0

    def loses_reply_to(self, request: bytes) -> bool:
        """Whether the reply to this request is to be dropped, which is counted."""
        mode = self._mode
        if not isinstance(mode, LoseReplies) or not self._to_lose or not request.startswith(b"*"):
            return False
        names = {word.decode("latin-1").upper() for word in request.split(b"\r\n", 5)[2:5:2]}
        if mode.commands and not names & {name.upper() for name in mode.commands}:
            return False
        if self._chance.random() >= mode.share:
            return False
        self._to_lose -= 1
        self.lost += 1
        return True

    def _call(self, step: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(step, self._loop).result(10)

    async def _listen(self) -> tuple[asyncio.Event, asyncio.Server]:
        is_open = asyncio.Event()
        is_open.set()
        return is_open, await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _set(self, mode: Mode) -> None:
        self._mode = mode
        (self._open.clear if isinstance(mode, Blackhole) else self._open.set)()
        if isinstance(mode, LoseReplies):
            self._chance, self._to_lose = random.Random(mode.seed), mode.replies
        for line in list(self._lines):
            if isinstance(mode, Reset):
                line.reset()
            elif isinstance(mode, HalfOpen):
                line.dead = True

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = _Line(self, reader, writer)
        self._lines.add(line)
        try:
            await self.opening()
            if isinstance(self._mode, Reset):
                line.reset()
            else:
                await line.serve(self._socket_path)
        finally:
            writer.transport.abort()
            self._lines.discard(line)

    async def _close(self) -> None:
        self._server.close()
        await self._set(Reset())
        for line in list(self._lines):
            line.end()
        while self._lines:
            await asyncio.sleep(0)
        # What was accepted a moment ago begins yet, and aborted transports close in the loop's next rounds.
        while len(asyncio.all_tasks()) > 1 or self._lines:
            await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)


class _Line:
    """One client's connection and its other half to the server."""

    def __init__(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._proxy, self._reader, self._writer = proxy, reader, writer
        self._ways: list[asyncio.Future[None]] = []
        self._losing = self.dead = False

    def end(self) -> None:
        """Whatever it waits for."""
        for way in self._ways:
            way.cancel()

    def reset(self) -> None:
        """End it by RST."""
        own = self._writer.get_extra_info("socket")
        if own is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()

    async def serve(self, socket_path: Path) -> None:
        """Until either side ends it; where nobody answers there, it is reset."""
        try:
            reader, writer = await asyncio.open_unix_connection(socket_path)
        except OSError:
            self.reset()
            return
        self._ways = [asyncio.ensure_future(self._ask(writer)), asyncio.ensure_future(self._answer(reader))]
        await asyncio.wait(self._ways, return_when=asyncio.FIRST_COMPLETED)
        self.end()
        await asyncio.gather(*self._ways, return_exceptions=True)
        writer.transport.abort()

    async def _ask(self, server: asyncio.StreamWriter) -> None:
        while data := await self._read(self._reader):
            if not self.dead:
                self._losing = self._losing or self._proxy.loses_reply_to(data)
                server.write(data)
                await server.drain()

    async def _answer(self, server: asyncio.StreamReader) -> None:
        while data := await self._read(server):
            if self._losing:
                self.reset()
                return
            if not self.dead:
                self._writer.write(data)
                await self._writer.drain()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """The next bytes, once they may pass; none at the end."""
        data = await reader.read(_CHUNK)
        if pause := self._proxy.pause(len(data)):
            await asyncio.sleep(pause)
        await self._proxy.opening()
        return data
