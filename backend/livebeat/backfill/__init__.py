"""Backfill: the slots of a schedule in a range are run once more, or at last, at a rate, while its cadence goes on.

The runs are those of the schedule as it was when the backfill was started: what a dry run shows is what runs. They go
through the ledger, each with its slot (`current_slot()`) and the backfill's id as its parent. Their ids follow from
backfill and slot, and each step compares the record with what was read, so no slot is lost or sent twice, whoever is
killed and however many beats there are. The schedule's next slot, last run and count of runs stay as they are.
"""

from livebeat.backfill.backfills import Backfills
from livebeat.backfill.record import Backfill, Overlap, State

__all__ = ["Backfill", "Backfills", "Overlap", "State"]
