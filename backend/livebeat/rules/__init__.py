"""Rules of time: pure arithmetic from an instant to the next one. `now` is always an argument.

Instants are aware UTC datetimes, in and out; a time zone is only a rule for finding the next one.
"""

from livebeat.rules.bounded import Bounded
from livebeat.rules.cron import Cron
from livebeat.rules.days import Holidays
from livebeat.rules.describe import describe
from livebeat.rules.excluding import Excluding
from livebeat.rules.ics import from_ics
from livebeat.rules.interval import Interval
from livebeat.rules.once import Once
from livebeat.rules.recurrence import Recurrence, from_json
from livebeat.rules.rrule import RRule
from livebeat.rules.union import Union

__all__ = [
    "Bounded",
    "Cron",
    "Excluding",
    "Holidays",
    "Interval",
    "Once",
    "RRule",
    "Recurrence",
    "Union",
    "describe",
    "from_ics",
    "from_json",
]
