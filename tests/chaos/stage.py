"""The stage: a server of its own with an append-only file, and the processes that play on it.

Every process has a group of its own and is killed at the end, also after an error; the kernel kills it if the driver
itself dies. The stage must be used by one thread, since that promise of the kernel's hangs on it.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from app.core.settings_addresses import to_broker_url
from chaos.app import OURS, Setup, evidence, make_app
from chaos.history import Execution
from launcher.servers.binaries import ServerBinary, installed
from launcher.servers.valkey import EmbeddedValkey
from launcher.spawn import kill_group, spawn
from support.engine import connect
from support.waiting import wait_until

TESTS = Path(__file__).resolve().parents[1]
LOCK, WAKE = "redbeat::lock", "livebeat:wake"
_WORKER = ("--loglevel=info", "--without-gossip", "--without-mingle", "--without-heartbeat")


def server(kind: str) -> ServerBinary:
    """The installed server of this kind, `valkey` or `redis`.

    Raises:
        LookupError: there is none.
    """
    found = [binary for binary in installed() if binary.kind == kind]
    if not found:
        raise LookupError(f"no {kind}-server is installed: install one, or name the other with --server")
    return found[-1]


class Stage:
    """One server, `beats` places for beats, and workers. `logs` gets every process's output."""

    def __init__(
        self,
        logs: Path,
        binary: ServerBinary,
        *,
        scheduler: str = OURS,
        ledgered: bool = False,
        options: Sequence[str] = (),
        **conf: object,
    ) -> None:
        self.logs = logs
        logs.mkdir(parents=True, exist_ok=True)
        for log in logs.glob("*.log"):  # of an earlier run
            log.unlink()
        self._scratch = Path(tempfile.mkdtemp(prefix="lb-chaos-"))
        (self._scratch / "evidence").mkdir()
        self.binary = binary
        self.server = EmbeddedValkey(self._scratch / "server", binary=binary)
        url = self.server.client_url
        self.setup = Setup(url, to_broker_url(url), str(self._scratch / "evidence"), scheduler, ledgered, dict(conf))
        self.app = make_app(self.setup)
        self.client: redis.Redis = connect(url)
        self.beats: list[subprocess.Popen[bytes]] = []
        self._options = options
        self._workers: list[subprocess.Popen[bytes]] = []

    def start_beats(self, count: int) -> None:
        """Fill so many places; returns once all of them listen."""
        self.beats = [self._start(f"beat-{place}", self._beat()) for place in range(count)]
        if self.setup.scheduler == OURS:
            self.await_beats()

    def await_beats(self) -> None:
        """Return once every beat runs and listens for changes."""
        wait_until(lambda: self.listening() == len(self.beats), 60, f"{len(self.beats)} beats that listen")

    def listening(self) -> int:
        """How many beats of ours are subscribed."""
        return int(self.client.pubsub_numsub(WAKE)[0][1])

    def start_worker(self, name: str, *options: str) -> None:
        """A worker under this name."""
        argv = ["worker", "-n", f"{name}@chaos", *_WORKER, *options]
        self._workers.append(self._start(name, argv))

    def kill_beat(self, place: int) -> None:
        """Kill -9; the place is empty until `restart_beat`."""
        kill_group(self.beats[place].pid)
        self.beats[place].wait()

    def restart_beat(self, place: int) -> None:
        """Put a new process into the place."""
        self.beats[place] = self._start(f"beat-{place}", self._beat())

    def signal_beat(self, place: int, number: signal.Signals) -> None:
        """SIGSTOP or SIGCONT for the whole group."""
        os.killpg(self.beats[place].pid, number)

    def fallen(self) -> list[int]:
        """Places whose beat ended by itself."""
        return [place for place, beat in enumerate(self.beats) if beat.poll() is not None]

    def leader(self) -> int | None:
        """The place of the beat that holds the lock; None where nobody of them does."""
        token = str(self.client.get(LOCK) or "")
        pid = token.split(":")[2] if token.count(":") > 2 else ""
        return next((place for place, beat in enumerate(self.beats) if str(beat.pid) == pid), None)

    def await_leader(self) -> int:
        """The place of the leader, once there is one."""
        found = wait_until(lambda: [place for place in (self.leader(),) if place is not None], 30, "a leader")
        return found[0]

    def end_beats(self) -> None:
        """SIGTERM to all, then wait for them; whoever stays is killed."""
        self._end(self.beats)

    def end_workers(self) -> None:
        """The same for the workers."""
        self._end(self._workers)

    @staticmethod
    def _end(processes: "Sequence[subprocess.Popen[bytes]]") -> None:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                kill_group(process.pid)
                process.wait()

    def executions(self) -> tuple[Execution, ...]:
        """What the tasks wrote so far."""
        return evidence(Path(self.setup.evidence))

    def __enter__(self) -> Self:
        try:
            self.server.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in (*self.beats, *self._workers):
            kill_group(process.pid)
            process.wait()
        self.app.close()
        self.client.close()
        self.server.stop()
        shutil.rmtree(self.server.socket_path.parent, ignore_errors=True)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _beat(self) -> list[str]:
        return ["beat", "--pidfile=", "--loglevel=info", *self._options]

    def _start(self, name: str, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
        with (self.logs / f"{name}.log").open("ab") as log:
            return spawn(
                [sys.executable, "-m", "celery", "-A", "chaos.process", *arguments],
                output=log,
                stop_signal=signal.SIGKILL,
                cwd=self._scratch,
                env={
                    "CHAOS_SETUP": self.setup.to_json(),
                    "PATH": "/usr/bin:/bin",
                    "PYTHONPATH": f"{TESTS}:{TESTS.parent / 'backend'}",
                    "LANG": "C.UTF-8",
                    "REMAP_SIGTERM": "SIGQUIT" if arguments[0] == "worker" else "",
                },
            )
