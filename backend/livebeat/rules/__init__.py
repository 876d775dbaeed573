"""Rules of time: pure arithmetic from an instant to the next one. `now` is always an argument.

Instants are aware UTC datetimes, in and out; a time zone is only a rule for finding the next one.
"""

from livebeat.rules.cron import Cron
from livebeat.rules.describe import describe
from livebeat.rules.interval import Interval
from livebeat.rules.once import Once
from livebeat.rules.recurrence import Recurrence, from_json
from livebeat.rules.rrule import RRule

__all__ = ["Cron", "Interval", "Once", "RRule", "Recurrence", "describe", "from_json"]
