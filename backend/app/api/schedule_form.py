"""The old API's schedule form to a `ScheduleSpec`, and a change of some fields of it to a changed one.

The form knows hour, minute and day of the week; what it does not name stays as it is.
"""

import inspect
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from app.api.problems import ProblemError
from app.api.validation import Body
from app.core.celery_app import celery_app, schedulable_tasks
from livebeat import Cron, ScheduleSpec
from livebeat.delivery import admit
from livebeat.errors import SpecError
from livebeat.seedfile.crontab import old_form_to_cron

CRAWL_COMPLEX = "app.tasks.scheduler.crawl_complex_async"
DEFAULT_OPTIONS = {"expires": 3600}
_TEN_YEARS = 315_360_000

Hour = Annotated[int, Field(ge=0, le=23)]
Minute = Annotated[int, Field(ge=0, le=59)]
#: 0 = Sunday to 6; "1,3,5" or a list; "*"; MONTHLY_1, MONTHLY_15, QUARTERLY_1, QUARTERLY_15.
DayOfWeek = int | str | list[int | str]
Seconds = Annotated[int | float, Field(gt=0, le=_TEN_YEARS)]


class OptionsForm(Body):
    """How a run is sent: the options that a schedule may set (`celery_app.OPTIONS`), typed. Times in seconds."""

    queue: str | None = None
    priority: Annotated[int, Field(ge=0, le=9)] | None = None
    expires: Seconds | None = None
    time_limit: Seconds | None = None
    soft_time_limit: Seconds | None = None


class ChangeForm(Body):
    """Body of PUT: any of these; what is absent or null stays as it is."""

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


class CreateForm(ChangeForm):
    """Body of POST. Without `day_of_week` the schedule is daily; without `options` a run expires after an hour."""

    name: str
    task: str
    hour: Hour
    minute: Minute
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
            recurrence=old_form_to_cron(form.hour, form.minute, form.day_of_week),
            args=tuple(_arguments(form, form.task) or ()),
            kwargs=form.kwargs or {},
            options=form.options.model_dump(exclude_none=True) if form.options is not None else DEFAULT_OPTIONS,
            enabled=form.enabled,
            description=form.description or "",
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
    if (form.hour, form.minute, form.day_of_week) != (None, None, None):
        changes["recurrence"] = _moved(spec, form)
    if form.options is not None:
        changes["options"] = form.options.model_dump(exclude_none=True)
    for name in ("kwargs", "enabled", "description"):
        if getattr(form, name) is not None:
            changes[name] = getattr(form, name)
    return _checked(spec.with_changes(**changes)) if changes else spec


def _moved(spec: ScheduleSpec, form: ChangeForm) -> Cron:
    """The rule with the named parts of it changed, whatever else it says."""
    rule = spec.recurrence
    if not isinstance(rule, Cron):
        if form.hour is None or form.minute is None:
            raise SpecError(
                "hour",
                f"the schedule's rule is {rule}, not a time of day; give hour and minute to replace it",
                f"현재 규칙({rule})에는 시각이 없습니다. hour와 minute를 함께 지정하세요",
            )
        return old_form_to_cron(form.hour, form.minute, form.day_of_week)
    minute, hour, *days = rule.expression.split()
    if form.day_of_week is not None:
        days = old_form_to_cron(0, 0, form.day_of_week).expression.split()[2:]
    minute = minute if form.minute is None else str(form.minute)
    hour = hour if form.hour is None else str(form.hour)
    return Cron(" ".join([minute, hour, *days]), rule.timezone)


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
