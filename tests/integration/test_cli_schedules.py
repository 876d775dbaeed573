"""A schedule by shell: shown in words, previewed, paused, resumed, triggered, backfilled; in both languages."""

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from celery import Celery

from livebeat import Backfills, Cron, Interval, ScheduleSpec, ScheduleStore, clock
from livebeat.cli import acting, backfilling, main, parser, showing
from livebeat.cli.instants import parsed
from livebeat.cli.output import DONE, LOOK
from livebeat.errors import Language, LivebeatError, ScheduleNotFoundError, SpecError
from support.beats import livebeat, messages
from support.engine import connect, make_app
from support.waiting import wait_until

pytestmark = pytest.mark.timeout(120)

_RUN = {"show": showing.run, "preview": showing.run, "backfill": backfilling.run}
DAYS = ("--from", "2026-11-01", "--to", "2026-11-01")


@pytest.fixture
def app(redis_url: str) -> Celery:
    return make_app(redis_url)


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url)


def put(app: Celery, name: str = "night", **changes: Any) -> None:
    fields: dict[str, Any] = {"task": "sample.echo", "recurrence": Cron("0 * * * *"), **changes}
    ScheduleStore(app).put(ScheduleSpec(name=name, **fields))


def run(app: Celery, *words: str, language: Language = "en") -> int:
    options = parser().parse_args([*words, "-A", "sample"])
    return _RUN.get(options.command, acting.run)(app, options, language)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_a_schedule_is_shown_whole(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    put(
        app,
        recurrence=Cron("30 2 * * *", timezone="America/New_York"),
        args=(1,),
        kwargs={"full": True},
        options={"expires": 60},
        overlap="skip",
        jitter=30,
        labels=("a", "b"),
        description="what it is for",
        start=datetime(2027, 3, 13, tzinfo=UTC),
    )
    assert run(app, "show", "night", "--count", "3") == DONE
    shown = told(capsys)
    for part in (
        "night: what it is for",
        "(America/New_York)",
        "task: sample.echo(1, full=True)",
        'options: {"expires": 60}',
        "policies: catchup one, overlap skip, jitter 30, start 2027-03-13 09:00:00+09:00",
        "labels: a, b",
        "runs: none yet",
        "revision 1, changed ",
    ):
        assert part in shown, part
    *_, first, second, third = shown.splitlines()
    assert first == "  2027-03-13 02:30:00-05:00"
    assert second.startswith("  2027-03-14 03:00:00-04:00  ")
    assert third == "  2027-03-15 02:30:00-04:00"
    assert run(app, "show", "night", language="ko") == DONE
    assert "정책: catchup one" in told(capsys)


def test_all_schedules_have_a_line(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(app, "show") == DONE
    assert told(capsys) == "There are no schedules.\n"
    put(app)
    put(app, "a b", recurrence=Interval(seconds=90), enabled=False)
    ScheduleStore(app).pause("a b", note="for now", by="me")
    assert run(app, "show") == DONE
    first, second = told(capsys).splitlines()
    assert first.startswith("a b  PAUSED since ")
    assert "by me: for now" in first
    assert second.startswith("night  20")


def test_programs_get_json(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    put(app)
    put(app, "other")
    run(app, "show", "night", "--json")
    found = json.loads(told(capsys))
    assert (found["name"], found["recurrence"]["expression"], len(found["upcoming"])) == ("night", "0 * * * *", 10)
    run(app, "show", "--json")
    assert [json.loads(line)["name"] for line in told(capsys).splitlines()] == ["night", "other"]
    run(app, "preview", "night", "--cron", "0 0 * * *", "--json")
    assert set(json.loads(told(capsys))) == {"before", "after", "lost", "gained"}
    run(app, "backfill", "night", *DAYS, "--dry-run", "--json")
    assert json.loads(told(capsys))["total"] == 24


def test_why_a_schedule_does_not_run(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    store = ScheduleStore(app)
    put(app)
    store.pause("night", until=clock.now() + timedelta(hours=30))
    run(app, "show", "night")
    assert ", until 20" in told(capsys)
    put(app, "over", recurrence=Cron("0 * * * *"), end=datetime(2020, 1, 1, tzinfo=UTC))
    run(app, "show", "over")
    assert "finished: no further slot" in told(capsys)


@pytest.mark.parametrize(
    "words",
    [
        ("--cron", "0 0 * * *", "--timezone", "Asia/Seoul"),
        ("--recurrence", '{"kind": "cron", "expression": "0 0 * * *"}'),
        ("--rrule", "FREQ=DAILY;BYHOUR=0;BYMINUTE=0;BYSECOND=0", "--timezone", "Asia/Seoul"),
    ],
)
def test_a_preview_saves_nothing(app: Celery, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    put(app)
    before = ScheduleStore(app).get("night")
    assert run(app, "preview", "night", *words, "--count", "30") == DONE
    shown = told(capsys)
    assert shown.index("before:") < shown.index("after:") < shown.index("gone: ")
    assert "00:00:00+09:00" in shown.split("after:")[1]
    assert shown.endswith("Nothing was saved.\n")
    assert ScheduleStore(app).get("night") == before


def test_a_preview_of_nothing_new(app: Celery, capsys: pytest.CaptureFixture[str]) -> None:
    put(app)
    run(app, "preview", "night", language="ko")
    assert "바뀌는 슬롯이 없습니다." in told(capsys)
    run(app, "preview", "night", "--end", "2020-01-01")
    assert "after:\n  none\n" in told(capsys)


def test_pause_resume_and_trigger_tell_who_did_it(
    app: Celery, client: "redis.Redis", capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acting.getpass, "getuser", lambda: "me")
    put(app)
    assert run(app, "pause", "night", "--note", "공사", "--until", "2100-01-01") == DONE
    assert told(capsys) == "night is paused until 2100-01-01 00:00:00+09:00.\n"
    stored = ScheduleStore(app).get("night")
    assert stored.pause is not None
    assert (stored.pause.note, stored.pause.by, stored.origin) == ("공사", "me", "shell")
    assert run(app, "pause", "night", language="ko") == DONE
    assert "다시 시작할 때까지" in told(capsys)
    assert run(app, "resume", "night") == DONE
    assert told(capsys).startswith("night runs again, next 20")
    assert run(app, "trigger", "night") == DONE
    (sent,) = messages(client, "celery")
    assert told(capsys) == f"night was sent as run {sent.run}.\n"


def test_what_can_not_be_done(app: Celery) -> None:
    for command in ("show", "preview", "pause", "resume", "trigger"):
        with pytest.raises(ScheduleNotFoundError):
            run(app, command, "none")
    put(app)
    with pytest.raises(SpecError, match="until"):
        run(app, "pause", "night", "--until", "2020-01-01")
    for words in (("--cron", "61 * * * *"), ("--timezone", "Mars/Base", "--cron", "0 0 * * *"), ("--recurrence", "{")):
        with pytest.raises(LivebeatError):
            run(app, "preview", "night", *words)
    with pytest.raises(LivebeatError, match="--from INSTANT --to INSTANT"):
        run(app, "backfill", "night", "--from", "2026-11-01")


def test_instants_as_people_type_them() -> None:
    midnight = datetime(2026, 10, 31, 15, tzinfo=UTC)
    assert parsed("2026-11-01", "Asia/Seoul") == midnight
    assert parsed("2026-11-01 00:00", "Asia/Seoul") == midnight
    assert parsed("2026-11-01T00:00:00+09:00", "America/New_York") == midnight
    assert parsed("2026-10-31T15:00:00Z", "Asia/Seoul") == midnight
    end = parsed("2026-11-01", "Asia/Seoul", last=True)
    assert midnight + timedelta(days=1) - end == timedelta(microseconds=1)
    assert parsed("2026-11-01 00:00", "Asia/Seoul", last=True) == midnight
    with pytest.raises(LivebeatError, match="no instant"):
        parsed("tomorrow", "Asia/Seoul")


def test_a_dry_run_shows_what_would_be_sent(
    app: Celery, client: "redis.Redis", capsys: pytest.CaptureFixture[str]
) -> None:
    put(app)
    assert run(app, "backfill", "night", *DAYS, "--dry-run", "--one-at-a-time") == DONE
    shown = told(capsys)
    assert shown.startswith(
        "24 slots of night from 2026-11-01 00:00:00+09:00 to 2026-11-01 23:59:59+09:00, one at a time"
    )
    assert "  2026-11-01 01:00:00+09:00\n" in shown
    assert "… and 19 more" in shown
    assert not client.exists("livebeat:backfills")


def test_a_backfill_is_listed_watched_and_cancelled(
    app: Celery, client: "redis.Redis", capsys: pytest.CaptureFixture[str]
) -> None:
    put(app)
    run(app, "backfill", "--list")
    assert told(capsys) == "There are no backfills.\n"
    assert run(app, "backfill", "night", *DAYS, "--rate", "1000", language="ko") == DONE
    (backfill,) = Backfills(app).list()
    assert backfill.id in told(capsys)
    seen: list[int] = []
    watching = threading.Thread(target=lambda: seen.append(run(app, "backfill", "--watch", backfill.id)))
    watching.start()
    try:
        wait_until(lambda: [Backfills(app).work()] and client.llen("celery") == 24, 20, "all slots")
        run(app, "backfill", "--list", "night")
        assert "24 of 24 sent, 0 ended" in told(capsys)
    finally:
        assert run(app, "backfill", "--cancel", backfill.id) == DONE
        watching.join(20)
    assert seen == [LOOK]
    shown = told(capsys)
    assert "cancelled" in shown
    assert backfill.id in shown


def test_by_the_real_command(
    app: Celery,
    redis_url: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every command by its whole command line; a process of its own tells what is right, and what is wrong."""
    (tmp_path / "of_the_shell.py").write_text(f"from support.engine import make_app\napp = make_app({redis_url!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    put(app, "매일 밤")
    for words, part in (
        (("show", "매일 밤"), "task: sample.echo"),
        (("preview", "매일 밤", "--every", "30"), "Nothing was saved."),
        (("pause", "매일 밤", "--note", "x"), "is paused"),
        (("resume", "매일 밤"), "runs again"),
        (("trigger", "매일 밤"), "was sent as run"),
        (("backfill", "매일 밤", *DAYS), "is started: 24 slots, side by side, 10 a second at most."),
        (("backfill", "--list"), "running: 0 of 24 sent"),
    ):
        assert main([*words, "-A", "of_the_shell", "--lang", "en"]) == DONE
        assert part in told(capsys)
    shown = livebeat(redis_url, tmp_path, "show")
    assert (shown.returncode, shown.stderr, "매일 밤  20" in shown.stdout) == (DONE, "", True), shown.stdout
    failed = livebeat(redis_url, tmp_path, "show", "none")
    assert (failed.returncode, failed.stderr) == (1, "No schedule is named 'none'.\n")
