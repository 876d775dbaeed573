"""The task that this thread is executing, as logs and Sentry name it. Helper threads of a task know of none."""

from dataclasses import dataclass

from celery import current_task

from livebeat.message import SCHEDULE_HEADER, SLOT_HEADER


@dataclass(frozen=True)
class RunningTask:
    """One execution: its run id, its task, its queue, and, where a schedule sent it, schedule and slot (ISO, UTC)."""

    run: str
    task: str
    queue: str | None
    schedule: str | None
    slot: str | None


def running_task() -> RunningTask | None:
    """What is being executed here and now; None outside a worker's task."""
    request = current_task.request if current_task else None
    if request is None or not request.id:
        return None
    return RunningTask(
        run=request.id,
        task=current_task.name,
        queue=(request.delivery_info or {}).get("routing_key"),
        schedule=request.get(SCHEDULE_HEADER),
        slot=request.get(SLOT_HEADER),
    )
