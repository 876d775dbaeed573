"""The whole platform on a stage, for its refresh requests: API, beat, workers, bridges, recorder, and a velog with a crowd."""

import json
import secrets
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx2
import redis

from chaos.crowd import accounts
from chaos.players import Player
from chaos.stage import PROJECT, TESTS, Stage
from launcher.servers.binaries import ServerBinary
from livebeat.connection import link
from livebeat.delivery.workers import workers
from support.processes import clean_environment, free_port
from support.waiting import wait_until

_CELERY = (sys.executable, "-m", "celery", "-A")
_WORKER = ("--loglevel=info", "-Q", "stats", "--concurrency=3", "--without-gossip", "--without-mingle")


class StatsStage(Stage):
    """`users` in the database, the first of them known to velog. `url` is the API's."""

    def __init__(self, logs: Path, binary: ServerBinary, users: int) -> None:
        super().__init__(logs, binary, ledgered=True)
        self._users = users
        api, velog = free_port(), free_port()
        self.url = f"http://127.0.0.1:{api}"
        schedules = self.scratch / "schedules.json"
        schedules.write_text("{}")
        self._env = {
            "LIVEBEAT_DATA_DIR": str(self.scratch),
            "LIVEBEAT_SCHEDULES_FILE": str(schedules),
            "DATABASE_URL": f"sqlite:///{self.database}",
            "PYTHONPATH": f"{TESTS}:{PROJECT / 'backend'}",
            "REMAP_SIGTERM": "SIGQUIT",
            "CHAOS_EVIDENCE": str(self.evidence),
            "VELOG_GRAPHQL_URL": f"http://127.0.0.1:{velog}/v3/graphql",
            "VELOG_STATS_URL": f"http://127.0.0.1:{velog}/v2cdn/graphql",
            "VELOG_REQUESTS_PER_SECOND": "10000",
            "STATS_UP_TO_DATE_MINUTES": "0",
            **{f"AES_KEY_{index}": secrets.token_hex(16) for index in range(10)},
        }
        self._ports = (api, velog)

    def enter_all(self, bridges: int, crew: int) -> list[int]:
        """Everybody, at work; returns the users' ids in the database."""
        self._manage("migrate", "-v", "0")
        crowd = self.scratch / "crowd.json"
        crowd.write_text(json.dumps(accounts(self._users)))
        self._manage("load_users", str(crowd))
        api, velog = self._ports
        self._enter("velog", [sys.executable, "-m", "chaos.crowd", str(velog), str(self._users)], self._env)
        self._enter("recorder", [sys.executable, "-m", "app.recorder"], self._env)
        listening = ("--host", "127.0.0.1", "--port", str(api), "--log-level", "warning")
        self._enter("api", [sys.executable, "-m", "uvicorn", "app.main:app", *listening], self._env)
        self._enter("beat-0", [*_CELERY, "app.core.celery_app", "beat", "--pidfile=", "--loglevel=info"], self._env)
        for place in range(crew):
            name = f"worker-{place}"
            self._enter(name, [*_CELERY, "chaos.stats_process", "worker", "-n", f"{name}@chaos", *_WORKER], self._env)
        for place in range(bridges):
            self._enter(f"bridge-{place}", [sys.executable, "-m", "app.bridge"], self._env)
        self.await_beats()
        wait_until(lambda: self._is_ready(crew), 90, "the whole platform", every=0.5)
        with closing(sqlite3.connect(self.database)) as database:
            return [row[0] for row in database.execute("SELECT id FROM users_user ORDER BY id")]

    def _is_ready(self, crew: int) -> bool:
        with suppress(redis.RedisError, httpx2.TransportError):
            at_work = len(workers(link(self.app))) == crew and self.client.keys("app:bridge:*")
            return bool(at_work) and httpx2.get(f"{self.url}/api/health/live").status_code == 200
        return False

    def requests(self) -> dict[str, str]:
        """The rows that the old back office reads: request id → status."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as database:
            rows: Any = database.execute("SELECT request_id, status FROM ops_tracking_statsrefreshrequest").fetchall()
        return {f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}": status for text, status in rows}

    def _manage(self, *arguments: str) -> None:
        argv = [sys.executable, str(PROJECT / "backend" / "manage.py"), *arguments]
        environment = clean_environment(REDIS_URL=self.setup.redis_url, **self._env)
        player = Player("manage", argv, environment, self.scratch, self.logs / "manage.log")
        player.start()
        if player.process is None or player.process.wait(180):
            raise AssertionError(f"manage.py {arguments[0]} failed; see {player.log}")
