"""The judge of a single instant: what a Redis holds, at any point of its append-only file, must add up.

Slots advanced = messages (queued or taken) + recorded skips, for each schedule: nothing is marked as run without its
message, and no message is there for what isn't marked.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from chaos.history import Dispatch, Schedule, Skip
from chaos.oracle import slots
from chaos.violation import Violation


@dataclass(frozen=True)
class Entry:
    """What is stored of a schedule: runs counted, the last slot dealt with, the next one and its score; None = none."""

    count: int
    last: int | None
    next: int | None
    score: int | None


@dataclass(frozen=True)
class Snapshot:
    """One Redis at one instant. `messages` are queued or taken; `ledger` is None where messages aren't ledgered."""

    entries: dict[str, Entry]
    messages: tuple[Dispatch, ...]
    news: tuple[Dispatch, ...]
    skips: tuple[Skip, ...]
    ledger: frozenset[str] | None


def conservation(snapshot: Snapshot, schedules: tuple[Schedule, ...]) -> list[Violation]:
    """All that doesn't add up, slot by slot; for schedules that were stored once, and never changed."""
    found: list[Violation] = []
    revisions = Counter(schedule.name for schedule in schedules)
    for schedule in schedules:
        if revisions[schedule.name] > 1:
            continue
        mine = [message.slot for message in snapshot.messages if message.schedule == schedule.name]
        entry = snapshot.entries.get(schedule.name)
        if entry is not None:
            found.extend(
                _of(schedule, entry, mine, [each for each in snapshot.skips if each.schedule == schedule.name])
            )
        elif mine:
            found.append(Violation("conservation", schedule.name, mine[0], "a message, and no schedule"))
    if _labels(snapshot.messages) != _labels(snapshot.news):
        found.append(Violation("conservation", "", None, "messages and news differ"))
    if snapshot.ledger is not None and snapshot.ledger != {message.run for message in snapshot.messages}:
        found.append(Violation("conservation", "", None, "messages and ledger differ"))
    return found


def conservation_by_count(snapshot: Snapshot) -> list[Violation]:
    """The same for a scheduler whose messages name no slot: runs counted = messages."""
    sent = Counter(message.schedule for message in snapshot.messages)
    return [
        Violation("conservation", name, None, f"{entry.count} runs counted, {sent[name]} messages")
        for name, entry in snapshot.entries.items()
        if entry.count != sent[name]
    ]


def _labels(dispatches: tuple[Dispatch, ...]) -> Counter[tuple[str, int | None, str]]:
    return Counter((dispatch.schedule, dispatch.slot, dispatch.run) for dispatch in dispatches)


def _of(schedule: Schedule, entry: Entry, sent: list[int | None], skips: list[Skip]) -> Iterator[Violation]:
    if entry.next is None or entry.next != entry.score:
        yield _wrong(schedule, f"its score {entry.score} is not its next slot {entry.next}")
        return
    named = slots(schedule.rule, schedule.asked_at, entry.next) if schedule.rule else []
    passed = [slot for skip in skips for slot in named if skip.first <= slot <= skip.last]
    outcomes = Counter([*sent, *passed])
    if entry.next not in named:
        yield _wrong(schedule, "its next slot is none of its rule", entry.next)
    yield from _slot_by_slot(schedule, {slot for slot in named if slot < entry.next}, outcomes)
    if entry.count != len(sent):
        yield _wrong(schedule, f"{entry.count} runs counted, {len(sent)} messages")
    if outcomes and entry.last != max(slot or 0 for slot in outcomes):
        yield _wrong(schedule, "its last run is not its newest slot", entry.last)


def _slot_by_slot(schedule: Schedule, advanced: set[int], outcomes: Counter[int | None]) -> Iterator[Violation]:
    for slot in advanced:
        if slot > (schedule.acknowledged_at or slot) and not outcomes[slot]:
            yield _wrong(schedule, "advanced, and neither sent nor skipped", slot)
    for settled, count in outcomes.items():
        if settled not in advanced:
            yield _wrong(schedule, "sent or skipped, and not advanced", settled)
        elif count > 1:
            yield _wrong(schedule, f"{count} outcomes", settled)


def _wrong(schedule: Schedule, detail: str, slot: int | None = None) -> Violation:
    return Violation("conservation", schedule.name, slot, detail)
