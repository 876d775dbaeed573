"""Delivery: a message is never its own only record. Accept, claim, renew, release, finish; each one script.

A message that carries a run id has an entry in the ledger until its run has ended. What a worker vanished with is
pushed again with the same id; what comes twice is claimed once.
"""

from livebeat.delivery.children import Children, children
from livebeat.delivery.execution import current_run, current_slot, progress
from livebeat.delivery.installation import Allows, admit, install
from livebeat.delivery.ledger import Ledger, LedgerEntry, Run, Sent, run_state, send
from livebeat.delivery.relay import Relay

__all__ = [
    "Allows",
    "Children",
    "Ledger",
    "LedgerEntry",
    "Relay",
    "Run",
    "Sent",
    "admit",
    "children",
    "current_run",
    "current_slot",
    "install",
    "progress",
    "run_state",
    "send",
]
