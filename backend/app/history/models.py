"""`Run`: one row a run, a projection of the event stream. Only `services.record_events` writes it."""

from datetime import timedelta
from typing import ClassVar

from django.db import models

#: Longest text kept of an error, in characters.
ERROR_LENGTH = 2000


class State(models.TextChoices):
    """Where a run stands. The last five are final, but for `lost`, which a late finish may still correct."""

    QUEUED = "queued", "대기"
    RUNNING = "running", "실행 중"
    RETRYING = "retrying", "재시도 대기"
    SUCCEEDED = "succeeded", "성공"
    FAILED = "failed", "실패"
    LOST = "lost", "유실"
    CANCELLED = "cancelled", "취소"
    EXPIRED = "expired", "만료"


class Kind(models.TextChoices):
    """What made the run."""

    SCHEDULE = "schedule", "스케줄"
    TRIGGER = "trigger", "수동 실행"
    BACKFILL = "backfill", "백필"
    SEND = "send", "요청"
    BRIDGE = "bridge", "예전 목록"
    TASK = "task", "태스크"


class Run(models.Model):
    """One execution of one message; its retries are attempts of the same row.

    `id` is the Celery task id. `schedule`, `slot`, `revision` are empty where no schedule sent it; `unique_key` is
    the key that kept a second one from starting. `state`, `attempt`, `worker`, the error and the result belong to
    the newest event; `started_at` to the newest attempt. `lateness`: seconds from the slot (or the request) to the first
    start. `progress`: the last that the task told: `done`, `total`, `note`, `attempt`, `at`. `seen_at` is the instant of the
    oldest event: never empty, so rows are listed by it.
    """

    id = models.CharField(primary_key=True, max_length=64)
    schedule = models.CharField(max_length=200, null=True)
    task = models.CharField(max_length=255)
    slot = models.DateTimeField(null=True)
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.TASK)
    revision = models.BigIntegerField(null=True)
    queue = models.CharField(max_length=255, null=True)
    parent = models.CharField(max_length=64, null=True)
    unique_key = models.CharField(max_length=255, null=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    attempt = models.IntegerField(default=0)
    seen_at = models.DateTimeField()
    dispatched_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=255, null=True)
    error_class = models.CharField(max_length=255, null=True)
    error = models.CharField(max_length=ERROR_LENGTH, null=True)
    result = models.JSONField(null=True)
    lateness = models.FloatField(null=True)
    progress = models.JSONField(null=True)

    class Meta:
        verbose_name = "실행"
        verbose_name_plural = "실행"
        indexes: ClassVar = [
            models.Index(fields=["-seen_at", "-id"], name="history_run_newest"),
            models.Index(fields=["schedule", "-seen_at", "-id"], name="history_run_schedule"),
            models.Index(fields=["task", "-seen_at", "-id"], name="history_run_task"),
            models.Index(fields=["state", "-seen_at", "-id"], name="history_run_state"),
            models.Index(
                fields=["unique_key", "-seen_at"],
                name="history_run_unique_key",
                condition=models.Q(unique_key__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.schedule or self.task} {self.id} {self.state}"

    @property
    def duration(self) -> timedelta | None:
        """How long the last attempt took; None while it isn't over, or never started."""
        if self.started_at is None or self.finished_at is None:
            return None
        return max(self.finished_at - self.started_at, timedelta(0))
