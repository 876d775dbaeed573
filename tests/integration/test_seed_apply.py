"""`livebeat plan`, `apply` and `export`: what they answer, and that neither a kill nor a race loses a live edit."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import Cron, Excluding, Holidays, Interval, Once, RRule, ScheduleSpec, ScheduleStore, Union
from livebeat.beat.statics import apply_statics
from livebeat.cli import main
from livebeat.connection import link
from livebeat.errors import ScheduleNotFoundError, SeedFileError
from livebeat.seedfile import SeedFile, Seeding, apply, export, parse, plan
from livebeat.seedfile.memory import Memory
from support.engine import connect, make_app

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ("-A", "support.sample_app:app", "--lang", "en")


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def store(app: Celery) -> ScheduleStore:
    return ScheduleStore(app)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "schedules.json"


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(redis_url: str, tmp_path: Path) -> Run:
    """`livebeat …` as a process of its own."""

    def run(*arguments: object, **environment: str) -> "subprocess.CompletedProcess[str]":
        env = {
            "SAMPLE_REDIS": redis_url, "SAMPLE_EVIDENCE": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1",
            "PYTHONPATH": f"{ROOT / 'backend'}:{ROOT / 'tests'}", **environment,
        }  # fmt: skip
        command = [sys.executable, "-m", "livebeat", *map(str, arguments), *SAMPLE]
        return subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=60)

    return run


def entry(hour: int, **more: Any) -> dict[str, Any]:
    return {"task": "sample.echo", "schedule": {"hour": hour, "minute": 0}, **more}


def write(path: Path, entries: dict[str, Any]) -> Path:
    path.write_text(json.dumps(entries, ensure_ascii=False, indent=2), encoding="utf-8")
    return path


def hours(store: ScheduleStore) -> dict[str, str]:
    return {one.spec.name: one.spec.recurrence.expression.split()[1] for one in store.list()}


def move(store: ScheduleStore, name: str, hour: int) -> None:
    store.put(store.get(name).spec.with_changes(recurrence=Cron(f"0 {hour} * * *")), by="kim", origin="api")


def test_plan_apply_and_plan_again(run: Run, path: Path, store: ScheduleStore) -> None:
    write(path, {"아침": entry(6), "저녁": entry(18)})
    planned = run("plan", path)
    assert planned.returncode == 3, planned.stderr
    assert "+ create: 아침 — sample.echo" in planned.stdout
    assert store.list() == []
    applied = run("apply", path)
    assert (applied.returncode, hours(store)) == (0, {"아침": "6", "저녁": "18"})
    again = run("plan", path)
    assert (again.returncode, "Nothing to do." in again.stdout) == (0, True)

    move(store, "아침", 7)
    store.put(store.get("저녁").spec.with_changes(description="live"))
    write(path, {"아침": entry(6), "저녁": entry(19), "밤": entry(23)})
    planned = run("plan", path, "--json")
    told = {one["name"]: one for one in json.loads(planned.stdout)["schedules"]}
    assert (planned.returncode, {name: one["action"] for name, one in told.items()}) == (
        3,
        {"아침": "same", "저녁": "change", "밤": "create"},
    )
    assert [(one["field"], one["wins"]) for one in told["아침"]["fields"]] == [("recurrence", "live")]
    assert [(one["field"], one["wins"]) for one in told["저녁"]["fields"]] == [
        ("recurrence", "file"),
        ("description", "live"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "line 1, column 2"),
        ('{\n  "a": {"task": "sample.echo",\n    "schedule": {"hour": 6, "minute": 77}}\n}', "line 3, column 39"),
        ('{"a": {"task": "sample.echo",\n "schedule": {"hour": 6, "minute": 0}},\n "a": {}}', "line 3, column 7: 'a'"),
        ('{\n ":lock": {"task": "sample.echo", "schedule": {"hour": 6, "minute": 0}}}', "line 2, column 11"),
    ],
)
def test_what_can_not_be_used_is_exit_1_with_its_place(
    run: Run, path: Path, store: ScheduleStore, text: str, says: str
) -> None:
    path.write_text(text)
    for command in ("plan", "apply"):
        done = run(command, path)
        assert (done.returncode, says in done.stderr) == (1, True), done.stderr
    assert store.list() == []


def test_more_than_half_gone_needs_force(run: Run, path: Path, store: ScheduleStore) -> None:
    run("apply", write(path, {"a": entry(1), "b": entry(2), "c": entry(3)}))
    write(path, {"a": entry(1)})
    refused = run("apply", path)
    assert (refused.returncode, "--force" in refused.stderr, len(store.list())) == (1, True, 3)
    assert run("plan", path, "--force").returncode == 3
    assert run("apply", path, "--force").returncode == 0
    assert hours(store) == {"a": "1"}


def test_an_event_says_which_live_values_the_file_overwrote(
    app: Celery, path: Path, store: ScheduleStore, client: "redis.Redis"
) -> None:
    apply(link(app), SeedFile.read(write(path, {"a": entry(6)})))
    move(store, "a", 7)
    apply(link(app), SeedFile.read(write(path, {"a": entry(8)})))
    events = [(values["type"], json.loads(values["data"])) for _, values in client.xrange("livebeat:events")]
    assert [kind for kind, _ in events][-2:] == ["schedule.changed", "schedule.overwritten"]
    told = events[-1][1]
    assert (told["name"], told["by"], told["origin"]) == ("a", "schedules.json", "file")
    assert told["fields"]["recurrence"]["live"]["expression"] == "0 7 * * *"
    assert told["fields"]["recurrence"]["file"]["expression"] == "0 8 * * *"


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_a_kill_between_any_two_steps_loses_no_live_edit(
    run: Run, app: Celery, path: Path, store: ScheduleStore, when: str, step: int
) -> None:
    apply(link(app), SeedFile.read(write(path, {"a": entry(1), "b": entry(2), "c": entry(3)})))
    write(path, {"a": entry(11), "b": entry(12), "c": entry(13)})
    killed = run("apply", path, LIVEBEAT_FAILPOINT=f"{when}_seed:{step}")
    assert killed.returncode == -signal.SIGKILL
    done = min(max(step - (2 if when == "before" else 1), 0), 3)  # the first step only says which file is under way
    assert hours(store) == {
        **{"a": "1", "b": "2", "c": "3"},
        **dict(list({"a": "11", "b": "12", "c": "13"}.items())[:done]),
    }
    for name in ("a", "b", "c"):
        move(store, name, 20)
    Seeding(link(app), path).apply_if_changed()
    left = {name: "20" if place < done else str(11 + place) for place, name in enumerate("abc")}
    assert hours(store) == left  # what was applied before the edit is not applied over it
    Seeding(link(app), path).apply_if_changed()
    assert hours(store) == left


def test_of_two_leaders_at_once_each_schedule_is_applied_once(redis_url: str, path: Path, store: ScheduleStore) -> None:
    write(path, {f"s{number}": entry(number % 24) for number in range(40)})
    leaders = [Seeding(link(make_app(redis_url)), path) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda leader: leader.apply_if_changed(), leaders))
    for leader in leaders:
        leader.apply_if_changed()
    assert [stored.revision for stored in store.list()] == [1] * 40
    assert Memory(link(make_app(redis_url))).mark.done


def test_an_edit_between_reading_and_writing_is_merged(
    app: Celery, path: Path, store: ScheduleStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(link(app), SeedFile.read(write(path, {"a": entry(1)})))
    at = link(app)
    script, edits = type(at).script, iter([None])

    def edited(of: Any, name: str, keys: Any, args: Any) -> Any:
        if name == "seed" and args[4] == "put" and next(edits, "done") is None:
            store.put(store.get("a").spec.with_changes(description="live"))
        return script(of, name, keys, args)

    monkeypatch.setattr(type(at), "script", edited)
    apply(at, SeedFile.read(write(path, {"a": entry(2)})))
    assert (hours(store), store.get("a").spec.description) == ({"a": "2"}, "live")


def test_names_that_begin_like_what_is_remembered_of_the_file(app: Celery, path: Path, store: ScheduleStore) -> None:
    names = ["#file", "#problem", "##file", "#1"]
    Seeding(link(app), write(path, {name: entry(6) for name in names})).apply_if_changed()
    move(store, "#file", 7)
    Seeding(link(app), write(path, {name: entry(6, description="x") for name in names})).apply_if_changed()
    assert hours(store) == {"#1": "6", "##file": "6", "#file": "7", "#problem": "6"}
    assert {stored.spec.description for stored in store.list()} == {"x"}


def test_an_entry_that_can_not_be_read_stays_until_the_file_changes_it(
    app: Celery, path: Path, store: ScheduleStore, client: "redis.Redis"
) -> None:
    apply(link(app), SeedFile.read(write(path, {"a": entry(1), "b": entry(2)})))
    client.hset("redbeat:a", "definition", "{nonsense")
    assert [one.merged.action for one in apply(link(app), SeedFile.read(path)).steps] == ["unread", "same"]
    apply(link(app), SeedFile.read(write(path, {"a": entry(5), "b": entry(2)})))
    assert hours(store) == {"a": "5", "b": "2"}


# Export.

LIVE = [
    ScheduleSpec(name="아침", task="sample.echo", recurrence=Cron("0 6 * * *"), description="매일 \"아침\"\n\\"),
    ScheduleSpec(name="a/b", task="sample.echo", recurrence=Cron("30 0 6 * * *", "America/New_York", gap="skip")),
    ScheduleSpec(name="every", task="sample.echo", recurrence=Interval(seconds=90), enabled=False, overlap="skip"),
    ScheduleSpec(
        name="한번", task="t", recurrence=Once(datetime(2030, 1, 1, tzinfo=UTC)), args=(1, "x"), kwargs={"b": 1, "a": [None]}
    ),
    ScheduleSpec(
        name="rule", task="t", recurrence=RRule("FREQ=MONTHLY;BYDAY=2MO;BYHOUR=9;BYMINUTE=0"), labels=("x",), max_runs=3,
        catchup="all", catchup_window=60, max_runtime=90, pause_after_failures=2, options={"expires": 60},
    ),
    ScheduleSpec(
        name="both", task="t", start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2030, 1, 1, tzinfo=UTC), jitter=5,
        recurrence=Excluding(
            Union(Cron("0 9 * * *"), Cron("0 18 * * *")), dates=("2026-12-25",), holidays=Holidays("KR")
        ),
    ),
]  # fmt: skip


def test_export_after_import_gives_the_same_bytes(app: Celery, store: ScheduleStore, client: "redis.Redis") -> None:
    for spec in LIVE:
        store.put(spec)
    text = export(link(app))
    live = {stored.spec.name: stored.spec for stored in store.list()}
    client.flushall()
    apply(link(app), SeedFile(Path("schedules.json"), text))
    assert {stored.spec.name: stored.spec for stored in store.list()} == live
    assert export(link(app)) == text
    assert plan(link(app), SeedFile(Path("schedules.json"), text)).changes == []


def test_export_of_a_file_in_the_old_form_keeps_its_meaning(
    app: Celery, store: ScheduleStore, client: "redis.Redis"
) -> None:
    old = {
        "주간업데이트": entry(6, enabled=False, description="매주") | {"complex_id": 109208},
        "분기": {"task": "t", "schedule": {"hour": 6, "minute": 0, "day_of_week": "QUARTERLY_1", "comment": "분기"}},
        "월수금": {"task": "t", "schedule": {"hour": "6", "minute": "05", "day_of_week": [1, "3", 5]}},
    }
    file = SeedFile(Path("schedules.json"), json.dumps(old))
    apply(link(app), file)
    text, before = export(link(app)), [stored.spec for stored in store.list()]
    assert [stored.options for stored in before] == [{"expires": 3600}] * 3
    client.flushall()
    apply(link(app), SeedFile(Path("schedules.json"), text))
    assert [stored.spec for stored in store.list()] == before
    assert all(one.recurrence.timezone == "Asia/Seoul" for one in parse(text, file.path).values())
    assert '"주간업데이트": {\n    "task": "sample.echo",\n    "recurrence": {' in text


def test_export_names_what_is_asked_and_leaves_out_the_settings_own(redis_url: str) -> None:
    app = make_app(redis_url, beat_schedule={"static": {"task": "sample.echo", "schedule": 30.0}})
    for spec in LIVE[:2]:
        ScheduleStore(app).put(spec)
    apply_statics(app, link(app), ScheduleStore(app))
    assert list(json.loads(export(link(app)))) == ["a/b", "아침"]
    assert list(json.loads(export(link(app), ["static", "아침"]))) == ["static", "아침"]
    with pytest.raises(ScheduleNotFoundError):
        export(link(app), ["none"])


def test_export_is_utf_8_whatever_the_terminal_is(run: Run, store: ScheduleStore) -> None:
    store.put(LIVE[0])
    done = run("export", PYTHONIOENCODING="cp949")
    assert (done.returncode, list(json.loads(done.stdout))) == (0, ["아침"])
    none = run("export", "none")
    assert (none.returncode, "No schedule is named 'none'" in none.stderr) == (1, True)


def test_without_a_file_or_redis_it_says_so(run: Run, tmp_path: Path) -> None:
    nothing = run("plan")
    assert (nothing.returncode, "livebeat_seed_file" in nothing.stderr) == (1, True)
    (tmp_path / "conf.json").write_text(json.dumps({"livebeat_seed_file": "schedules.json"}))
    missing = run("plan")
    assert (missing.returncode, "schedules.json: can't be read" in missing.stderr) == (1, True)
    away = run("apply", tmp_path / "conf.json", SAMPLE_REDIS="redis://127.0.0.1:1/0")
    assert away.returncode == 1
    assert "Traceback" not in away.stderr


def test_a_broken_file_shows_in_status_until_it_is_repaired(
    app: Celery, path: Path, run: Run, store: ScheduleStore
) -> None:
    leader = Seeding(link(app), path)
    path.write_text('{"a": {"task": "sample.echo",\n "schedule": {"hour": 6, "minute": 77}}}')
    leader.apply_if_changed()
    shown = run("status")
    assert (shown.returncode, "SCHEDULES FILE:" in shown.stdout, "line 2, column 36" in shown.stdout) == (3, True, True)
    assert "2행 36열" in json.loads(run("status", "--json").stdout)["seed_problem"]["ko"]
    write(path, {"a": entry(6)})
    leader.apply_if_changed()
    assert "SCHEDULES FILE" not in run("status").stdout
    assert hours(store) == {"a": "6"}


def test_a_file_is_refused_whole_where_one_merged_schedule_could_not_be(
    app: Celery, path: Path, store: ScheduleStore
) -> None:
    apply(link(app), SeedFile.read(write(path, {"a": entry(1), "b": entry(2)})))
    store.put(store.get("b").spec.with_changes(jitter=60.0))
    every = {"task": "sample.echo", "recurrence": {"kind": "interval", "every": 10}, "options": {"expires": 3600}}
    with pytest.raises(SeedFileError, match="'b', jitter"):
        apply(link(app), SeedFile.read(write(path, {"a": entry(5), "b": every})))
    assert hours(store) == {"a": "1", "b": "2"}


def test_it_answers_in_korean(redis_url: str, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text("{}")
    assert main(["plan", str(path), "-A", "app.core.celery_app", "--lang", "ko"]) == 0
    assert "할 일이 없습니다." in capsys.readouterr().out
