"""Figures of a history: how late, outside and inside faults, and how soon another beat took over."""

from collections.abc import Sequence
from itertools import pairwise
from statistics import quantiles

from chaos.history import Fault, History
from chaos.slot_checks import unpunctual

#: Milliseconds after a kill in which every due slot is looked at.
TAKEOVER_SPAN = 2_000


def lateness(history: History) -> dict[str, dict[str, float]]:
    """p50, p99 and maximum in ms of (arrival - slot), outside and inside of faults; how many are beyond their bars."""
    outside: list[float] = []
    inside: list[float] = []
    for dispatch in history.dispatches:
        if dispatch.slot is not None:
            (inside if _in_fault(dispatch.slot, history.faults) else outside).append(dispatch.at - dispatch.slot)
    late = float(len(unpunctual(history)))
    return {"outside faults": spread(outside), "inside faults": spread(inside), "beyond the bars": {"count": late}}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Count, p50, p99 and maximum, in the values' unit."""
    if len(values) < 2:
        return {"count": len(values), **({"max": round(values[0], 1)} if values else {})}
    cuts = quantiles(values, n=100, method="inclusive")
    return {"count": len(values), "p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "max": round(max(values), 1)}


def takeovers(history: History) -> list[float]:
    """For each kill of a leader: how late, in ms, the latest of the slots came that were due just after it."""
    late = [(each.slot, each.at - each.slot) for each in history.dispatches if each.slot is not None]
    return [
        max((by for slot, by in late if fault.began_at < slot <= fault.began_at + TAKEOVER_SPAN), default=float("inf"))
        for fault in history.faults
        if fault.kind == "kill" and fault.led
    ]


def longest_silence(history: History) -> float:
    """Milliseconds of the longest time without any arrival."""
    return max(
        (later - sooner for sooner, later in pairwise(sorted(each.at for each in history.dispatches))), default=0
    )


def _in_fault(slot: int, faults: Sequence[Fault]) -> bool:
    return any(fault.began_at <= slot <= fault.ended_at + fault.recovery for fault in faults)
