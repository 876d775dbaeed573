"""`docs/moving-over.md`: each command in it is real, and the story of the old API and its file holds."""

import dbm.dumb
import json
import pickle
import re
import shlex
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import click
import httpx2
import pytest
from celery.beat import ScheduleEntry
from celery.bin.beat import beat as beat_command
from celery.schedules import crontab
from redbeat import RedBeatSchedulerEntry

from app.core.celery_app import celery_app
from livebeat import ScheduleStore, clock
from livebeat.beat.dispatch import Dispatcher
from livebeat.cli import main
from livebeat.connection import link
from livebeat.seedfile import Seeding
from support.platform_processes import platform_environment

pytest_plugins = ["support.api"]
pytestmark = pytest.mark.timeout(120)

ROOT = Path(__file__).resolve().parents[2]
CRAWL = "app.tasks.scheduler.crawl_all_complexes"
COMPLEX = "app.tasks.scheduler.crawl_complex_async"
PLATFORM = ("-A", "app.core.celery_app", "--lang", "en")


def commands() -> list[str]:
    """Every line of every shell block."""
    text = (ROOT / "docs" / "moving-over.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    return [line.strip() for block in blocks for line in block.splitlines() if line.strip()]


def old_file(path: Path, **entries: dict[str, object]) -> Path:
    path.write_text(json.dumps(entries, ensure_ascii=False), encoding="utf-8")
    return path


def persistent_file(path: Path) -> None:
    entry = ScheduleEntry("매일", CRAWL, clock.now(), 3, crontab(minute=0, hour=6), app=celery_app)
    values = {"entries": {"매일": entry}, "tz": "Asia/Seoul", "utc_enabled": True}
    with closing(dbm.dumb.open(str(path), "n")) as database:
        database.update({key: pickle.dumps(value) for key, value in values.items()})


def check_celery(words: list[str]) -> None:
    assert words[:4] == ["celery", "-A", "app.core.celery_app", "beat"]
    options = beat_command.make_parser(click.Context(beat_command)).parse_args(words[4:])[0]
    names = {"celery.beat.PersistentScheduler", "redbeat.RedBeatScheduler", "livebeat:LiveBeatScheduler"}
    assert options["scheduler"] in names


def check_script(words: list[str]) -> None:
    done = subprocess.run([ROOT / words[0], *words[1:], "--help"], capture_output=True, timeout=30)
    assert done.returncode == 0


def test_every_command_of_the_page(
    api: httpx2.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    persistent_file(tmp_path / "celerybeat-schedule")
    old_file(
        tmp_path / "schedules.json", 주간={"task": CRAWL, "schedule": {"hour": 6, "minute": 0, "day_of_week": "1"}}
    )
    env = platform_environment(tmp_path)
    seen = set()
    for command in commands():
        words = shlex.split(command)
        if words[1:3] == ["-m", "livebeat"] and words[0] in seen:  # the first is a process of its own
            assert main(words[3:]) == (3 if words[3] == "plan" else 0), command
            assert capsys.readouterr().err == "", command
        elif words[0] in {".venv/bin/python", "python3"}:
            done = subprocess.run([sys.executable, *words[1:]], cwd=tmp_path, env=env, capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, ""), command
        elif words[0] == "celery":
            check_celery(words)
        elif words[0].startswith("./"):
            check_script(words)
        else:
            assert words[:1] == ["curl"]
            assert api.get(words[1].removeprefix("http://localhost:8000")).status_code == 200
        seen.add(words[0])
    assert seen >= {".venv/bin/python", "python3", "celery", "./run_celery_beat.sh", "./check_schedules.sh", "curl"}
    assert [stored.spec.name for stored in ScheduleStore(celery_app).list()] == ["매일", "주간"]


def test_from_the_old_api_and_its_file(api: httpx2.Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Entries that the old API wrote to Redis, and a file that says some of it again and more."""
    for name, rule, args in (
        ("주간업데이트", crontab(hour=7, minute=0, day_of_week="1"), []),
        ("단지 / 감시", crontab(hour=14, minute=30), ["109208"]),
    ):
        task = COMPLEX if args else CRAWL
        RedBeatSchedulerEntry(name, task, rule, args=args, options={"expires": 3600}, app=celery_app).save()
    path = old_file(
        tmp_path / "schedules.json",
        **{
            "주간업데이트": {"task": CRAWL, "schedule": {"hour": 6, "minute": 0, "day_of_week": "1"}},
            "주간브리핑": {"task": CRAWL, "schedule": {"hour": 9, "minute": 0, "day_of_week": 0, "comment": "월요일"}},
            "꺼진 것": {"task": CRAWL, "schedule": {"hour": 6, "minute": 0, "day_of_week": "QUARTERLY_1"}, "enabled": False},
        },
    )  # fmt: skip
    store = ScheduleStore(celery_app)

    assert main(["plan", str(path), *PLATFORM]) == 3
    shown = capsys.readouterr().out
    assert "! left as edited live: 주간업데이트" in shown
    assert re.search(r"recurrence: stays .*07:00; the file says .*06:00", shown)
    assert "+ create: 주간브리핑" in shown
    assert "runs on Sunday, but its text says Monday" in shown
    assert len(store.list()) == 2

    (entries := json.loads(path.read_text()))["주간브리핑"]["schedule"]["day_of_week"] = 1
    old_file(path, **entries)
    assert main(["apply", str(path), *PLATFORM]) == 0
    assert main(["apply", str(path), *PLATFORM]) == 0
    assert store.get("주간브리핑").revision == 1

    answer = api.get("/api/scheduler/schedule").json()["schedule"]
    assert {name: entry["schedule"] for name, entry in answer.items()} == {
        "주간업데이트": "<crontab: 0 7 * * 1 (m/h/dM/MY/d)>",
        "단지 / 감시": "<crontab: 30 14 * * * (m/h/dM/MY/d)>",
        "주간브리핑": "<crontab: 0 9 * * 1 (m/h/dM/MY/d)>",
        "꺼진 것": "<crontab: 0 6 1 1,4,7,10 * (m/h/dM/MY/d)>",
    }
    assert store.get("단지 / 감시").spec.args == ("109208",)
    assert store.get("꺼진 것").spec.enabled is False

    Seeding(link(celery_app), path).apply_if_changed()  # the same file, now as the seed
    assert store.get("주간브리핑").revision == 1
    Dispatcher(link(celery_app), store).run_once(clock.now())
    assert link(celery_app).client.llen("crawl") == 0


def test_what_it_answers_without_a_file_an_app_or_redis(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "none.json")
    assert main(["import-beat", file, "-A", "app.core.celery_app", "--lang", "ko"]) == 1
    assert "파일이 없습니다" in capsys.readouterr().err
    assert main(["import-beat", file, "-A", "no_such_app", "--lang", "en"]) == 1
    assert "can't be loaded" in capsys.readouterr().err
    with pytest.raises(SystemExit) as wrong:
        main(["import-beat"])
    assert wrong.value.code == 2


def test_redis_away(tmp_path: Path) -> None:
    (tmp_path / "gone.py").write_text(
        "from celery import Celery\n"
        "app = Celery('gone', broker='redis://127.0.0.1:1/0')\n"
        "app.conf.update(redbeat_redis_url='redis://127.0.0.1:1/0', redbeat_redis_options={})\n"
    )
    persistent_file(tmp_path / "celerybeat-schedule")
    started = clock.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "livebeat", "import-beat", "celerybeat-schedule", "-A", "gone", "--lang", "en"],
        cwd=tmp_path, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("Redis does not answer")
    assert "Traceback" not in done.stderr
    assert clock.monotonic() - started < 20
