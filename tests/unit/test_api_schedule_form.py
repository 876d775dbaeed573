"""The old form to a schedule, and a change of one field that leaves the others alone."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from app.api.problems import ProblemError
from app.api.schedule_form import CRAWL_COMPLEX, ChangeForm, CreateForm, changed_spec, new_spec
from livebeat import Cron, Interval, ScheduleSpec
from livebeat.errors import SpecError

ALL = "app.tasks.scheduler.crawl_all_complexes"


def create(**more: Any) -> CreateForm:
    return CreateForm(**{"name": "주간업데이트", "task": ALL, "hour": 6, "minute": 0, **more})


MONDAYS = Cron("0 6 * * 1", "Asia/Seoul")


def existing(recurrence: Any = MONDAYS, **more: Any) -> ScheduleSpec:
    options = {"expires": 3600}
    return ScheduleSpec(**{"name": "n", "task": ALL, "recurrence": recurrence, "options": options, **more})


@pytest.mark.parametrize(
    ("day", "expression"),
    [
        (None, "0 6 * * *"),
        ("*", "0 6 * * *"),
        (1, "0 6 * * 1"),
        ("1", "0 6 * * 1"),
        ("1,3,5", "0 6 * * 1,3,5"),
        ([1, 3, 5], "0 6 * * 1,3,5"),
        ("MONTHLY_1", "0 6 1 * *"),
        ("MONTHLY_15", "0 6 15 * *"),
        ("QUARTERLY_1", "0 6 1 1,4,7,10 *"),
        ("QUARTERLY_15", "0 6 15 1,4,7,10 *"),
    ],
)
def test_every_day_of_the_old_form(day: Any, expression: str) -> None:
    assert new_spec(create(day_of_week=day)).recurrence == Cron(expression)


def test_defaults_are_the_old_ones() -> None:
    spec = new_spec(create())
    assert (spec.options, spec.args, spec.enabled) == ({"expires": 3600}, (), True)
    assert new_spec(create(options={})).options == {}


def test_a_complex_becomes_the_argument() -> None:
    assert new_spec(create(task=CRAWL_COMPLEX, complex_id=109208)).args == ("109208",)
    assert new_spec(create(task=CRAWL_COMPLEX, args=["109208"])).args == ("109208",)
    with pytest.raises(ProblemError) as refused:
        new_spec(create(task=CRAWL_COMPLEX))
    assert refused.value.status == 400
    assert refused.value.text("ko") == "특정 단지 크롤링 작업에는 complex_id가 필요합니다."
    with pytest.raises(SpecError, match="complex_id"):
        new_spec(create(complex_id="1"))


@pytest.mark.parametrize("task", ["nope", "celery.backend_cleanup", "app.tasks.stats.refresh_user_stats", ""])
def test_only_tasks_that_opted_in_can_be_scheduled(task: str) -> None:
    with pytest.raises(ProblemError) as refused:
        new_spec(create(task=task))
    assert refused.value.status == 400
    assert refused.value.text("ko").startswith("유효하지 않은 태스크입니다. 사용 가능한 태스크: [")
    assert ALL in refused.value.text("ko")


def test_arguments_must_fit_the_task() -> None:
    with pytest.raises(SpecError, match="don't fit"):
        new_spec(create(kwargs={"nonsense": 1}))
    with pytest.raises(SpecError, match="don't fit"):
        new_spec(create(args=[1, 2, 3]))


@pytest.mark.parametrize("day", ["7", 7, -1, "MONDAY", "1,,3", [], [9], "MONTHLY_2", "1,MONTHLY_1", "١"])
def test_unknown_days_are_refused(day: Any) -> None:
    with pytest.raises(SpecError, match="day_of_week"):
        new_spec(create(day_of_week=day))


@pytest.mark.parametrize(
    "bad",
    [
        {"hour": 24},
        {"hour": -1},
        {"hour": "6"},
        {"hour": 6.0},
        {"hour": True},
        {"minute": 60},
        {"enabled": "yes"},
        {"args": {}},
        {"kwargs": []},
        {"kwargs": {"job_type": "\ud800"}},
        {"kwargs": {"job_type": float("nan")}},
        {"minutes": 5},
        {"options": {"expires": 0}},
        {"options": {"expires": 1e300}},
        {"options": {"countdown": 5}},
        {"description": "x" * 1001},
    ],
)
def test_wrong_types_and_ranges_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        create(**bad)


def test_a_queue_must_be_declared() -> None:
    assert new_spec(create(options={"queue": "crawl"})).options == {"queue": "crawl"}
    with pytest.raises(SpecError, match="queue"):
        new_spec(create(options={"queue": "redbeat::schedule"}))


@pytest.mark.parametrize("days", ["1 * *", "1 1,4,7,10 *", "* * 1,3,5", "* * 1-5"])
def test_a_new_hour_leaves_the_days_alone(days: str) -> None:
    changed = changed_spec(existing(Cron(f"0 6 {days}", "Asia/Seoul")), ChangeForm(hour=7))
    assert changed.recurrence == Cron(f"0 7 {days}", "Asia/Seoul")


def test_a_new_day_leaves_the_time_alone() -> None:
    changed = changed_spec(existing(Cron("*/5 9-18 * * *", "UTC")), ChangeForm(day_of_week="QUARTERLY_1"))
    assert changed.recurrence == Cron("*/5 9-18 1 1,4,7,10 *", "UTC")


def test_one_field_is_one_field() -> None:
    before = existing(args=("manual",), description="매주", labels=("a",), catchup="all")
    assert changed_spec(before, ChangeForm(enabled=False)) == before.with_changes(enabled=False)
    assert changed_spec(before, ChangeForm(description="x")) == before.with_changes(description="x")
    assert changed_spec(before, ChangeForm()) is before


def test_another_task_does_not_inherit_the_arguments() -> None:
    before = existing(task=CRAWL_COMPLEX, args=("109208",))
    assert changed_spec(before, ChangeForm(task=ALL)).args == ()
    assert changed_spec(before, ChangeForm(complex_id="7")).args == ("7",)
    with pytest.raises(ProblemError):
        changed_spec(existing(), ChangeForm(task=CRAWL_COMPLEX))


def test_an_interval_becomes_a_time_of_day_only_as_a_whole() -> None:
    every = existing(Interval(every=timedelta(minutes=5)))
    with pytest.raises(SpecError, match="hour and minute"):
        changed_spec(every, ChangeForm(hour=7))
    assert changed_spec(every, ChangeForm(hour=7, minute=30)).recurrence == Cron("30 7 * * *")


def test_a_schedule_keeps_its_name() -> None:
    assert changed_spec(existing(), ChangeForm(name="n", hour=7)).name == "n"
    with pytest.raises(SpecError, match="name"):
        changed_spec(existing(), ChangeForm(name="other"))
