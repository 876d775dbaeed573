"""The stage: a server of its own with an append-only file, and the processes that play on it, by name.

`beat-0` …, `worker-0` …, `recorder`: each may reach the server through a proxy of its own, the driver never does.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
from celery import Celery
from redis.backoff import NoBackoff
from redis.retry import Retry

from app.core.redis_addresses import to_broker_url
from chaos.app import OURS, STOCK, Setup, evidence, make_app, make_effects
from chaos.history import Execution
from chaos.players import Player, Server
from chaos.proxy import Proxy
from launcher.servers.binaries import ServerBinary, installed
from support.engine import connect
from support.processes import clean_environment
from support.waiting import wait_until

TESTS = Path(__file__).resolve().parents[1]
PROJECT = TESTS.parent
LOCK, WAKE, LEDGER, QUEUE, BEATS = "redbeat::lock", "livebeat:wake", "livebeat:ledger", "celery", "livebeat:beats"
_WORKER = ("--loglevel=info", "--without-gossip", "--without-mingle", "--without-heartbeat")
#: The pools of `worker-0`, `worker-1` … in turn.
POOLS = (("--pool=prefork", "--concurrency=3"), ("--pool=threads", "--concurrency=4"))
#: Seconds that a process may take to end after SIGTERM.
END_SECONDS = 40.0


def server(kind: str) -> ServerBinary:
    """The installed server of this kind, `valkey` or `redis`.

    Raises:
        LookupError: there is none.
    """
    found = [binary for binary in installed() if binary.kind == kind]
    if not found:
        raise LookupError(f"no {kind}-server is installed: install one, or name the other with --server")
    return found[-1]


def glancing(redis_url: str) -> "redis.Redis":
    """A client that soon gives up, and never tries again: for looking at a server that may be stopped."""
    options = {"socket_timeout": 0.3, "retry": Retry(NoBackoff(), 0)}
    return redis.Redis.from_url(redis_url, decode_responses=True, **options)


class Stage:
    """One server and its players. `logs` gets every process's output. `data` is where the server keeps its file."""

    def __init__(
        self,
        logs: Path,
        binary: ServerBinary,
        *,
        scheduler: str = OURS,
        ledgered: bool = False,
        proxied: bool = False,
        options: Sequence[str] = (),
        server_options: Sequence[str] = (),
        data: Path | None = None,
        **conf: object,
    ) -> None:
        self.logs = logs
        logs.mkdir(parents=True, exist_ok=True)
        for log in logs.glob("*.log"):  # of an earlier run
            log.unlink()
        self.scratch = Path(tempfile.mkdtemp(prefix="lb-chaos-"))
        self.evidence = self.scratch / "evidence"
        self.evidence.mkdir()
        make_effects(self.evidence)
        self.binary = binary
        self.server = Server(data or self.scratch / "server", binary, server_options)
        url = self.server.client_url
        self.setup = Setup(url, to_broker_url(url), str(self.evidence), scheduler, ledgered, dict(conf))
        self.app = make_app(self.setup)
        self.client: redis.Redis = connect(url)
        self.glance = glancing(url)
        self.players: dict[str, Player] = {}
        self._options, self._proxied = options, proxied
        self._closing = ExitStack()

    def named(self, role: str) -> list[Player]:
        """The players of a role (`beat`, `worker`), in order."""
        return [player for name, player in self.players.items() if name.split("-")[0] == role]

    def start_beats(self, count: int) -> None:
        """So many beats; returns once all of them listen."""
        for place in range(count):
            self._enter(f"beat-{place}", self._beat(self._options))
        if self.setup.scheduler == OURS:
            self.await_beats()

    def start_workers(self, count: int) -> None:
        """So many workers, with `POOLS` in turn."""
        for place in range(count):
            self._enter(f"worker-{place}", self._worker(f"worker-{place}", POOLS[place % len(POOLS)]))

    def start_worker(self, name: str, *options: str) -> None:
        """One worker with these options."""
        self._enter(name, self._worker(name, options))

    def start_stock(self) -> None:
        """A stock RedBeat beside ours, as `stock`."""
        self._enter("stock", self._beat((f"--scheduler={STOCK}", "--max-interval=1")))

    def start_recorder(self) -> None:
        """The platform's recorder, on an SQLite database of its own."""
        env = {
            "LIVEBEAT_DATA_DIR": str(self.scratch),
            "DATABASE_URL": f"sqlite:///{self.database}",
            "PYTHONPATH": f"{PROJECT / 'backend'}",
        }
        migrate = Player(
            "migrate",
            [sys.executable, str(PROJECT / "backend" / "manage.py"), "migrate", "-v", "0"],
            clean_environment(REDIS_URL=self.setup.redis_url, **env),
            self.scratch,
            self.logs / "migrate.log",
        )
        migrate.start()
        if migrate.process is None or migrate.process.wait(60):
            raise AssertionError(f"the recorder's database was not made; see {migrate.log}")
        self._enter("recorder", [sys.executable, "-m", "app.recorder"], env)

    def enter_client(self) -> Celery:
        """The app of somebody who sends jobs, from the driver's own process, as `client`."""
        self._enter("client", ())
        return make_app(Setup.from_json(self.players["client"].env["CHAOS_SETUP"]))

    @property
    def database(self) -> Path:
        """The recorder's."""
        return self.scratch / "history.sqlite3"

    def await_beats(self) -> None:
        """Return once every beat runs and listens for changes."""
        count = len(self.named("beat"))
        wait_until(lambda: self.listening() == count, 60, f"{count} beats that listen")

    def listening(self) -> int:
        """How many beats of ours are subscribed; none where the server is away."""
        with suppress(redis.RedisError):
            return int(self.glance.pubsub_numsub(WAKE)[0][1])
        return 0

    def await_workers(self) -> None:
        """Return once a job that was sent now could be taken by each worker."""
        for player in self.named("worker"):
            wait_until(lambda of=player: " ready." in of.log.read_text(errors="replace"), 60, f"{player.name} ready")

    def fallen(self) -> list[str]:
        """Who ended by itself."""
        return [name for name, player in self.players.items() if player.process and not player.is_alive()]

    def leader(self) -> str | None:
        """The name of the beat that holds the lock; None where nobody of them does, or nobody can tell."""
        token = ""
        with suppress(redis.RedisError):
            token = str(self.glance.get(LOCK) or "")
        pid = token.split(":")[2] if token.count(":") > 2 else ""
        return next((player.name for player in self.named("beat") if str(player.pid) == pid), None)

    def await_leader(self) -> str:
        """The name of the leader, once there is one."""
        return wait_until(self.leader, 30, "a leader") or ""

    def end(self, *roles: str) -> dict[str, float | None]:
        """SIGTERM to all of these roles, at once; the seconds that each took, None where it had to be killed."""
        players = [player for role in roles for player in self.named(role)]
        for player in players:
            player.tell_to_end()
        return {player.name: player.await_end(END_SECONDS) for player in players}

    def heartbeats(self) -> list[dict[str, Any]]:
        """What each beat says of itself.

        Raises:
            redis.RedisError: the server does not answer.
        """
        texts: Any = self.glance.hvals(BEATS)
        return [json.loads(text) for text in texts]

    def executions(self) -> tuple[Execution, ...]:
        """What the tasks did so far."""
        return evidence(self.evidence)

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
        for player in self.players.values():
            player.kill()
        self._closing.close()
        self.app.close()
        self.client.close()
        self.glance.close()
        self.server.stop()
        shutil.rmtree(self.server.socket_path.parent, ignore_errors=True)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def _beat(self, options: Sequence[str]) -> list[str]:
        return [*self._celery(), "beat", "--pidfile=", "--loglevel=info", *options]

    def _worker(self, name: str, options: Sequence[str]) -> list[str]:
        return [*self._celery(), "worker", "-n", f"{name}@chaos", *_WORKER, *options]

    @staticmethod
    def _celery() -> list[str]:
        return [sys.executable, "-m", "celery", "-A", "chaos.process"]

    def _enter(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        """A new player, and its first process where it has one of its own."""
        proxy = self._closing.enter_context(Proxy(self.server.socket_path)) if self._proxied else None
        url = f"redis://127.0.0.1:{proxy.port}/0" if proxy else self.setup.redis_url
        setup = replace(self.setup, redis_url=url, broker_url=to_broker_url(url))
        own = env or {
            "CHAOS_SETUP": setup.to_json(),
            "CHAOS_CLOCK": str(self.clock_of(name)) if name.startswith("beat") else "",
            "PYTHONPATH": f"{TESTS}:{PROJECT / 'backend'}",
            "REMAP_SIGTERM": "SIGQUIT" if name.startswith("worker") else "",
        }
        environment = clean_environment(REDIS_URL=url, **own)
        player = Player(name, argv, environment, self.scratch, self.logs / f"{name}.log", proxy)
        self.players[name] = player
        if argv:
            player.start()

    def clock_of(self, name: str) -> Path:
        """The file that says by how many seconds this beat's clock is wrong."""
        return self.scratch / f"clock-of-{name}"
