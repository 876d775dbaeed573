"""One whole Livebeat as a person starts it: its folder, its port, and how to ask it."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from support.processes import Running, clean_environment
from support.waiting import wait_until

PROJECT_DIR = Path(__file__).parents[2]
READY_SECONDS = 90
#: The project's own `.env` must not decide what these tests run on.
NOTHING_CONFIGURED = dict.fromkeys(
    ("REDIS_URL", "REDIS_HOST", "DATABASE_URL", "POSTGRES_HOST", "VELOG_GRAPHQL_URL", "NAVER_LAND_URL", "API_HOST"), ""
)


@dataclass(frozen=True)
class Copy:
    """One Livebeat: its folder, its port, and how to start and ask it."""

    folder: Path
    port: int

    @property
    def environment(self) -> dict[str, str]:
        own = {"LIVEBEAT_DATA_DIR": str(self.folder), "API_PORT": str(self.port)}
        return clean_environment(**NOTHING_CONFIGURED, **own)

    def start(self, *options: str) -> Running:
        return Running([PROJECT_DIR / "run_all.sh", *options], env=self.environment, cwd=Path("/"))

    def start_and_wait(self, *options: str) -> Running:
        running = self.start(*options)
        running.wait_for_line(lambda line: line == f"ready http://127.0.0.1:{self.port}", READY_SECONDS)
        return running

    def launcher(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "launcher", *arguments]
        return subprocess.run(argv, env=self.environment, cwd="/", text=True, capture_output=True, timeout=60)

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of the project's scripts in a second terminal, where nothing but the data folder is known."""
        env = clean_environment(LIVEBEAT_DATA_DIR=str(self.folder))
        argv = [PROJECT_DIR / name, *arguments]
        return subprocess.run(argv, env=env, cwd="/", text=True, capture_output=True, timeout=60)

    def python(self, code: str) -> str:
        """What this code prints in a second terminal, where nothing but the data folder is known."""
        argv = [sys.executable, "-c", code]
        env = clean_environment(LIVEBEAT_DATA_DIR=str(self.folder))
        ran = subprocess.run(argv, env=env, cwd="/", text=True, stdout=subprocess.PIPE, timeout=60, check=True)
        return ran.stdout.strip()

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def wait_until_ready(self) -> None:
        answers: list[tuple[int, str]] = []

        def is_ready() -> bool:
            answers.append(self.get("/api/health/ready"))
            return answers[-1][0] == 200

        try:
            wait_until(is_ready, 60, "ready", every=0.5)
        except AssertionError as error:
            raise AssertionError(f"{error}: {answers[-1]}") from None

    def redis(self) -> "redis.Redis":
        state = json.loads((self.folder / "state.json").read_text())
        return redis.Redis.from_url(state["environment"]["REDIS_URL"], decode_responses=True)

    def pid_of(self, name: str) -> int:
        lines = self.launcher("status").stdout.splitlines()
        return next((int(line.split()[1]) for line in lines if line.split()[0] == name), 0)

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """A JSON request: status and answer."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
