"""`schedules.json`: read in every form that it ever had, and applied without losing what was edited live."""

from livebeat.seedfile.crontab import cron_to_old_form, old_form_to_cron
from livebeat.seedfile.parsing import parse
from livebeat.seedfile.seeding import Seeding, SeedPolicy

__all__ = ["SeedPolicy", "Seeding", "cron_to_old_form", "old_form_to_cron", "parse"]
