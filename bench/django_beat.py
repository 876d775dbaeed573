"""`python -m bench.django_beat PLAN`: a plan into django-celery-beat's tables, its schema made first where it isn't."""

import json
import sys
from datetime import timedelta
from pathlib import Path

import django

from bench.plan import Planned, read
from bench.sample import TASK

#: Seconds; one interval row for all. With a row for each of 1,000, version 2.9 ends at its start on SQLite
#: ("Expression tree is too large"), so it is measured without that work.
EVERY = 7200


def populate(planned: list[Planned]) -> None:
    """One row a schedule, and the mark by which a running beat notices."""
    from django.core.management import call_command
    from django.db import transaction
    from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

    call_command("migrate", verbosity=0)
    with transaction.atomic():
        interval, _ = IntervalSchedule.objects.get_or_create(every=EVERY, period="seconds")
        rows = [
            PeriodicTask(
                name=one.name,
                task=TASK,
                kwargs=json.dumps(one.arguments),
                interval=interval,
                last_run_at=one.due_at - timedelta(seconds=EVERY),
            )
            for one in planned
        ]
        PeriodicTask.objects.bulk_create(rows, batch_size=500)
        PeriodicTasks.update_changed()


if __name__ == "__main__":
    django.setup()
    populate(read(Path(sys.argv[1])))
