"""A form of the API to a `ScheduleSpec`, and a change of some fields to a changed one.

The old API's hour, minute and day of the week stand beside `recurrence`, which can say every rule; what a change does not
name stays as it is.
"""

import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field

from app.api.problems import ProblemError
from app.api.validation import Body, Instant
from app.core.celery_app import celery_app, schedulable_tasks
from livebeat import Cron, Excluding, ScheduleSpec
from livebeat.delivery import admit
from livebeat.errors import SpecError
from livebeat.rules import Recurrence, from_json
from livebeat.seedfile.crontab import old_form_to_cron
from livebeat.spec import Catchup, Overlap

CRAWL_COMPLEX = "app.tasks.scheduler.crawl_complex_async"
DEFAULT_OPTIONS = {"expires": 3600}
_TEN_YEARS = 315_360_000

Hour = Annotated[int, Field(ge=0, le=23)]
Minute = Annotated[int, Field(ge=0, le=59)]
#: 0 = Sunday to 6; "1,3,5" or a list; "*"; MONTHLY_1, MONTHLY_15, QUARTERLY_1, QUARTERLY_15.
DayOfWeek = int | str | list[int | str]
Seconds = Annotated[int | float, Field(gt=0, le=_TEN_YEARS)]
#: A rule as JSON, of whatever kind.
Rule = Annotated[
    dict[str, Any],
    Field(
        description="In place of hour, minute and day_of_week: a rule of any kind (cron, interval, rrule, once, union, "
        "excluding).",
        examples=[
            {"kind": "cron", "expression": "*/10 9-18 * * 1-5", "timezone": "America/New_York"},
            {"kind": "interval", "every": 90},
            {
                "kind": "rrule",
                "rule": "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=0;BYSECOND=0",
                "timezone": "Asia/Seoul",
            },
            {"kind": "once", "at": "2026-12-24T18:00:00+09:00"},
            {
                "kind": "excluding",
                "rule": {"kind": "cron", "expression": "0 9 * * 1-5"},
                "holidays": {"country": "KR"},
                "timezone": "Asia/Seoul",
            },
        ],
    ),
]
#: Fields of a change that null takes away; null in any other leaves it as it is.
_CLEARABLE = ("catchup_window", "start", "end", "max_runs", "max_runtime", "pause_after_failures")
_PLAIN = ("kwargs", "enabled", "description", "catchup", "overlap", "jitter")


class OptionsForm(Body):
    """How a run is sent: the options that a schedule may set (`celery_app.OPTIONS`), typed. Times in seconds."""

    queue: str | None = None
    priority: Annotated[int, Field(ge=0, le=9)] | None = None
    expires: Seconds | None = None
    time_limit: Seconds | None = None
    soft_time_limit: Seconds | None = None


class ChangeForm(Body):
    """Body of PUT: any of these; what is absent or null stays as it is. Null takes away a limit: `catchup_window`, `start`,
    `end`, `max_runs`, `max_runtime`, `pause_after_failures`."""

    name: str | None = None
    task: str | None = None
    hour: Hour | None = None
    minute: Minute | None = None
    day_of_week: DayOfWeek | None = None
    complex_id: int | str | None = None
    description: Annotated[str, Field(max_length=1000)] | None = None
    enabled: bool | None = None
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    options: OptionsForm | None = None
    recurrence: Rule | None = None
    catchup: Catchup | None = None
    catchup_window: int | float | None = None
    overlap: Overlap | None = None
    jitter: int | float | None = None
    start: Instant | None = None
    end: Instant | None = None
    max_runs: int | None = None
    max_runtime: int | float | None = None
    pause_after_failures: int | None = None
    labels: list[str] | None = None


class CreateForm(ChangeForm):
    """Body of POST: `hour` and `minute`, or `recurrence`. Without `day_of_week` the schedule is daily; without `options` a
    run expires after an hour."""

    name: str
    task: str
    enabled: bool = True


def new_spec(form: CreateForm) -> ScheduleSpec:
    """The schedule that a POST asks for.

    Raises:
        ProblemError, SpecError: a field can't be used.
    """
    return _checked(
        ScheduleSpec(
            name=form.name,
            task=_known_task(form.task),
            recurrence=_new_rule(form),
            args=tuple(_arguments(form, form.task) or ()),
            options=form.options.model_dump(exclude_none=True) if form.options is not None else DEFAULT_OPTIONS,
            **_others(form),
        )
    )


def changed_spec(spec: ScheduleSpec, form: ChangeForm) -> ScheduleSpec:
    """`spec` with the fields that a PUT names.

    Raises:
        ProblemError, SpecError: a field can't be used.
    """
    if form.name is not None and form.name != spec.name:
        raise SpecError("name", "can't be changed", "변경할 수 없습니다")
    changes: dict[str, Any] = {}
    task = spec.task
    if form.task is not None:
        task = changes["task"] = _known_task(form.task)
        if task != spec.task:
            changes["args"] = ()  # they were the other task's
    arguments = _arguments(form, task)
    if arguments is not None:
        changes["args"] = tuple(arguments)
    if form.recurrence is not None:
        changes["recurrence"] = _given_rule(form)
    elif _names_a_time(form):
        changes["recurrence"] = _moved(spec.recurrence, form)
    if form.options is not None:
        changes["options"] = form.options.model_dump(exclude_none=True)
    changes |= _others(form)
    return _checked(spec.with_changes(**changes)) if changes else spec


def _others(form: ChangeForm) -> dict[str, Any]:
    """The fields that are taken over as they are, as far as they are named."""
    found = {name: value for name in _PLAIN if (value := getattr(form, name)) is not None}
    found |= {name: getattr(form, name) for name in _CLEARABLE if name in form.model_fields_set}
    return found if form.labels is None else {**found, "labels": tuple(form.labels)}


def _names_a_time(form: ChangeForm) -> bool:
    return (form.hour, form.minute, form.day_of_week) != (None, None, None)


def _new_rule(form: CreateForm) -> Recurrence:
    if form.recurrence is not None:
        return _given_rule(form)
    for name in ("hour", "minute"):
        if getattr(form, name) is None:
            raise SpecError(
                name,
                "is missing: give hour and minute, or recurrence",
                "필수 항목입니다. hour와 minute, 또는 recurrence를 지정하세요",
            )
    return old_form_to_cron(form.hour, form.minute, form.day_of_week)


def _given_rule(form: ChangeForm) -> Recurrence:
    if _names_a_time(form):
        raise SpecError(
            "recurrence",
            "can't be given together with hour, minute or day_of_week",
            "hour, minute, day_of_week와 함께 지정할 수 없습니다",
        )
    return from_json(form.recurrence)


def _moved(rule: Recurrence, form: ChangeForm) -> Recurrence:
    """The rule with the named parts of its time changed, whatever else it says."""
    if isinstance(rule, Excluding):
        return replace(rule, rule=_moved(rule.rule, form))
    if not isinstance(rule, Cron):
        if form.hour is None or form.minute is None:
            raise SpecError(
                "hour",
                f"the schedule's rule is {rule}, not a time of day; give hour and minute to replace it",
                f"현재 규칙({rule})에는 시각이 없습니다. hour와 minute를 함께 지정하세요",
            )
        return old_form_to_cron(form.hour, form.minute, form.day_of_week)
    *seconds, minute, hour, day, month, weekday = rule.expression.split()
    days = [day, month, weekday]
    if form.day_of_week is not None:
        days = old_form_to_cron(0, 0, form.day_of_week).expression.split()[2:]
    minute = minute if form.minute is None else str(form.minute)
    hour = hour if form.hour is None else str(form.hour)
    return replace(rule, expression=" ".join([*seconds, minute, hour, *days]))


def _known_task(task: str) -> str:
    known = schedulable_tasks()
    if task not in known:
        raise ProblemError(
            400,
            "unknown-task",
            f"유효하지 않은 태스크입니다. 사용 가능한 태스크: {known}",
            f"This task can't be scheduled. Available tasks: {known}",
        )
    return task


def _arguments(form: ChangeForm, task: str) -> Sequence[Any] | None:
    if form.complex_id in (None, ""):
        return form.args
    if task != CRAWL_COMPLEX:
        raise SpecError("complex_id", f"is only for {CRAWL_COMPLEX}", f"{CRAWL_COMPLEX} 태스크에만 사용합니다")
    if form.args:
        raise SpecError("args", "can't be given together with complex_id", "complex_id와 함께 지정할 수 없습니다")
    return [str(form.complex_id)]


def _checked(spec: ScheduleSpec) -> ScheduleSpec:
    """`spec`, if it may be scheduled and its task can be called with its arguments."""
    if spec.task == CRAWL_COMPLEX and not spec.args and "complex_id" not in spec.kwargs:
        raise ProblemError(
            400,
            "complex-id-missing",
            "특정 단지 크롤링 작업에는 complex_id가 필요합니다.",
            "Crawling one complex needs complex_id.",
        )
    admit(celery_app, spec)
    try:
        inspect.signature(celery_app.tasks[spec.task].run).bind(*spec.args, **spec.kwargs)
    except TypeError as error:
        raise SpecError(
            "args", f"don't fit {spec.task}: {error}", f"{spec.task}의 인자와 맞지 않습니다: {error}"
        ) from None
    return spec
