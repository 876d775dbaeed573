"""`schedules.json`: read in every form that it ever had, and applied without losing what was edited live."""

from livebeat.seedfile.applying import Plan, Planned, SeedFile, apply, plan
from livebeat.seedfile.crontab import cron_to_old_form, old_form_to_cron
from livebeat.seedfile.exporting import export
from livebeat.seedfile.memory import OvertakenError, problem_of
from livebeat.seedfile.merging import Difference, SeedPolicy
from livebeat.seedfile.parsing import parse
from livebeat.seedfile.seeding import Seeding, differences

__all__ = [
    "Difference",
    "OvertakenError",
    "Plan",
    "Planned",
    "SeedFile",
    "SeedPolicy",
    "Seeding",
    "apply",
    "cron_to_old_form",
    "differences",
    "export",
    "old_form_to_cron",
    "parse",
    "plan",
    "problem_of",
]
