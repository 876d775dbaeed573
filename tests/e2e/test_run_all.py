"""`./run_all.sh` as a person meets it: one command, one ready line, and nothing left behind."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.copies import PROJECT_DIR, Copy
from support.listening import listener
from support.processes import Running, clean_environment, free_port, mentioning
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module", autouse=True)
def environment_made() -> None:
    """A first start also tells about packages; these tests are about what comes after."""
    made = ["bash", "-c", "source scripts/environment.sh; ensure_environment run"]
    subprocess.run(made, cwd=PROJECT_DIR, env=clean_environment(), check=True, timeout=240)


@pytest.fixture(scope="module")
def running_copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """One that runs for the whole module."""
    made = Copy(tmp_path_factory.mktemp("livebeat"), free_port())
    with made.start_and_wait():
        yield made


@pytest.fixture
def copy(running_copy: Copy) -> Copy:
    """The running one, recovered from whatever the test before did to it."""
    running_copy.wait_until_ready()
    return running_copy


def test_everything_is_ready_and_said_so(copy: Copy) -> None:
    names = {line.split()[0] for line in copy.launcher("status").stdout.splitlines()[1:]}
    assert names == {"valkey", "velog", "naver_land", "recorder", "api", "beat", "worker", "flower"}


def test_the_demo_world_is_loaded(copy: Copy) -> None:
    status, body = copy.get("/api/realestate/complexes")
    assert status == 200
    assert json.loads(body)["items"]


def test_secrets_are_their_owners_alone(copy: Copy) -> None:
    assert copy.folder.stat().st_mode & 0o077 == 0
    for name in ("state.json", "demo_keys.json", "land_token", "launcher.lock"):
        assert (copy.folder / name).stat().st_mode & 0o777 == 0o600


def test_a_second_terminal_finds_the_servers(copy: Copy) -> None:
    code = "from app.core.celery_app import celery_app; print(celery_app.control.ping(timeout=5))"
    # A worker that is about to connect again, since the test before killed its server, misses a broadcast.
    wait_until(lambda: "pong" in copy.python(code), 60, "an answer of the worker")


def test_a_second_copy_in_the_same_folder_is_refused_in_one_line(copy: Copy) -> None:
    with Copy(copy.folder, free_port()).start() as second:
        assert second.wait(20) == 2
        assert len(second.lines) == 1
        assert "already runs in" in second.output
    copy.wait_until_ready()


def test_two_copies_run_side_by_side(copy: Copy, tmp_path: Path) -> None:
    other = Copy(tmp_path / "other", free_port())
    with other.start_and_wait("--no-demo") as running:
        assert "simulat" not in running.output
        other.redis().set("only-there", 1)
        assert copy.redis().get("only-there") is None
        copy.wait_until_ready()
        assert other.launcher("down").returncode == 0
        assert running.wait(5) == 0
    assert mentioning(str(other.folder)) == []


@pytest.mark.parametrize("name", ["worker", "valkey"])
def test_a_killed_process_comes_back(copy: Copy, name: str) -> None:
    killed = copy.pid_of(name)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: copy.pid_of(name) not in {0, killed}, 20, f"another {name}")
    copy.wait_until_ready()


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with listener() as port, Copy(tmp_path / "data", port).start() as running:
        assert running.wait(20) == 2
        assert running.lines == [
            f"livebeat: port {port} on 127.0.0.1 is already in use: stop what listens there, "
            "or set API_PORT to another port"
        ]
    assert mentioning(str(tmp_path)) == []


def test_a_stop_leaves_nothing_running_and_a_second_start_finds_everything(tmp_path: Path) -> None:
    copy = Copy(tmp_path / "data", free_port())
    with copy.start_and_wait() as running:
        copy.redis().set("kept", "yes")
        complexes = copy.get("/api/realestate/complexes")[1]
        running.send(signal.SIGTERM)
        assert running.wait(35) == 0
        assert running.lines[-1] == "stopped"
    assert mentioning(str(copy.folder)) == []
    with copy.start_and_wait() as running:
        assert "first start" not in running.output
        assert copy.redis().get("kept") == "yes"
        assert copy.get("/api/realestate/complexes")[1] == complexes
        os.kill(running.pid, signal.SIGKILL)
        wait_until(lambda: mentioning(str(copy.folder)) == [], 5, "the end of every process")


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    env = {**Copy(tmp_path / "data", 1).environment, "API_PORT": "http"}
    with Running([PROJECT_DIR / "run_all.sh"], env=env) as running:
        assert running.wait(20) == 2
        assert running.lines == ["livebeat: API_PORT is 'http': it must be a number from 1 to 65535"]


def test_an_address_open_to_others_is_refused_and_not_tried_again(tmp_path: Path) -> None:
    env = {**Copy(tmp_path / "data", free_port()).environment, "API_HOST": "0.0.0.0"}
    with Running([PROJECT_DIR / "run_all.sh", "--no-demo"], env=env) as running:
        assert running.wait(60) == 1
        assert "livebeat: api refuses its configuration, see above: giving up" in running.lines
    assert mentioning(str(tmp_path)) == []


@pytest.mark.parametrize("script", sorted(path.name for path in PROJECT_DIR.glob("run_*.sh")))
def test_every_script_tells_how_it_is_used_from_any_folder_and_through_a_link(script: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(PROJECT_DIR / script)
    argv = [tmp_path / "link", "--help"]
    shown = subprocess.run(argv, cwd=tmp_path, env=clean_environment(), text=True, capture_output=True, timeout=20)
    assert shown.returncode == 0, shown.stderr
    assert f"./{script}" in shown.stdout.splitlines()[0]
