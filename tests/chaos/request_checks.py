"""The judge of refresh requests, after Jepsen's `total-queue`: what went in came out, once at a time, each with a reason.

| check      | says                                                                                            |
|------------|-------------------------------------------------------------------------------------------------|
| lost       | an accepted request is no run that ended, and none that is unfinished                            |
| unexpected | more runs than messages and requests that may have asked for them; a body without a run          |
| at once    | two executions of one user's refresh overlapped                                                 |
| endings    | a run ended twice, or without a reason, or as the evidence contradicts; a row says something else |
| left       | something lies on a list, or in the ledger, when all is drained                                 |
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from chaos.history import Ending, Execution
from chaos.violation import Violation

#: The platform's public names: its task, and what a user's unique key begins with.
TASK, KEY = "app.tasks.stats.refresh_user_stats", "stats-refresh:"
#: Milliseconds before its end for which a process may have gone on once its kill was noted.
_ROUGHLY = 100.0
_GOOD = frozenset({"succeeded", "cancelled"})
#: The old back office's words for the ends.
_WORDS = {"succeeded": "SUCCESS", "failed": "FAILED", "cancelled": "FAILED", "expired": "FAILED", "lost": "DLQ"}


@dataclass(frozen=True)
class Asked:
    """One request, by REST or by a push on the old list. `info`: no answer, it may have been done. `run`: in the answer."""

    user: int
    way: Literal["rest", "list"]
    outcome: Literal["ok", "fail", "info"]
    at: float
    run: str = ""


@dataclass(frozen=True)
class Queued:
    """A run, as the stream tells of its acceptance."""

    run: str
    user: int
    kind: str


@dataclass(frozen=True)
class Story:
    """One whole run, read when all was drained.

    `coalesced`: the user of each message for a refresh that was under way already; `nonsense`: how many messages were
    none. `left`: what still lies where. `failed`: what is on the failed list; `rows`: request id → status. `killed`: when
    (ms), and which processes.
    """

    asked: Sequence[Asked]
    queued: Sequence[Queued]
    coalesced: Sequence[int]
    nonsense: int
    endings: Sequence[Ending]
    executions: Sequence[Execution]
    killed: Sequence[tuple[float, frozenset[int]]]
    left: Mapping[str, int]
    failed: Sequence[Mapping[str, Any]]
    rows: Mapping[str, str]
    read_at: float


def check(story: Story) -> list[Violation]:
    """All that is wrong; empty where every request came out."""
    looks = (_lost, _unexpected, _at_once, _endings, _failed_list, _rows, _left)
    return [violation for look in looks for violation in look(story)]


def _lost(story: Story) -> Iterator[Violation]:
    ended = {ending.run for ending in story.endings}
    for asked in story.asked:
        if asked.way == "rest" and asked.outcome == "ok" and asked.run not in ended:
            yield Violation(
                "lost", str(asked.user), None, f"accepted by REST, and nothing is known of it ({asked.run})"
            )
    out = _taken(story)
    for user, pushed in Counter(
        each.user for each in story.asked if each.way == "list" and each.outcome == "ok"
    ).items():
        if out[user] < pushed:
            yield Violation("lost", str(user), None, f"{pushed} messages, {out[user]} taken")


def _unexpected(story: Story) -> Iterator[Violation]:
    perhaps = Counter(each.user for each in story.asked if each.way == "list" and each.outcome != "fail")
    for user, count in _taken(story).items():
        if count > perhaps[user]:
            yield Violation("unexpected", str(user), None, f"{perhaps[user]} messages, {count} taken")
    by_rest = Counter(each.user for each in story.asked if each.way == "rest" and each.outcome != "fail")
    for user, count in Counter(each.user for each in story.queued if each.kind == "send").items():
        if count > by_rest[user]:
            yield Violation("unexpected", str(user), None, f"{by_rest[user]} requests by REST, {count} runs")
    known = {each.run: str(each.user) for each in story.queued}
    for line in story.executions:
        if line.kind == "start" and known.get(line.run) != line.job:
            yield Violation("unexpected", line.job, None, f"a body of run {line.run}, which is not this user's")


def _taken(story: Story) -> Counter[int]:
    runs = Counter(each.user for each in story.queued if each.kind == "bridge")
    return runs + Counter(story.coalesced)


def _at_once(story: Story) -> Iterator[Violation]:
    spans: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for begin, end, line in _spans(story):
        spans[line.job].append((begin, end, line.run))
    for user, found in spans.items():
        latest = float("-inf")
        for begin, end, run in sorted(found):
            if begin < latest:
                yield Violation("at once", user, None, f"refreshed twice at once ({run})")
            latest = max(latest, end)


def _spans(story: Story) -> Iterator[tuple[float, float, Execution]]:
    """Each execution from its start to its end, or to the kill of its process."""
    begun: dict[tuple[str, int], Execution] = {}
    for line in sorted(story.executions, key=lambda each: each.at):
        if line.kind == "start":
            begun[line.run, line.pid] = line
        elif line.kind == "end" and (start := begun.pop((line.run, line.pid), None)):
            yield start.at, line.at, start
    for (_, pid), start in begun.items():
        kills = [max(at, start.at) for at, pids in story.killed if pid in pids and at >= start.at - _ROUGHLY]
        yield start.at, min(kills, default=story.read_at), start


def _endings(story: Story) -> Iterator[Violation]:
    told: dict[str, list[Ending]] = defaultdict(list)
    for ending in story.endings:
        told[ending.run].append(ending)
    done = {line.run for line in story.executions if line.kind == "end" and line.outcome == "succeeded"}
    for each in story.queued:
        ends = told[each.run]
        if len(ends) != 1:
            outcomes = ", ".join(end.outcome for end in ends) or "none"
            yield Violation("endings", str(each.user), None, f"ends: {outcomes} ({each.run})")
        for end in ends:
            if end.outcome not in _GOOD and not end.reason:
                yield Violation("endings", str(each.user), None, f"{end.outcome} for no reason ({each.run})")
            if end.outcome == "succeeded" and each.run not in done:
                yield Violation("endings", str(each.user), None, f"said to have succeeded, and never did ({each.run})")


def _failed_list(story: Story) -> Iterator[Violation]:
    """What came over the bridge and failed is on the list, once, with its reason."""
    listed = Counter(entry.get("requestId") for entry in story.failed)
    bad = {ending.run for ending in story.endings if ending.outcome not in _GOOD}
    for each in story.queued:
        wanted = int(each.run in bad)
        if each.kind == "bridge" and listed[each.run] != wanted:
            yield Violation(
                "endings", str(each.user), None, f"{listed[each.run]} times on the failed list ({each.run})"
            )
    if (found := sum("raw_message" in entry for entry in story.failed)) != story.nonsense:
        yield Violation("lost", "", None, f"{story.nonsense} messages that are none, {found} set aside")
    for entry in story.failed:
        if not entry.get("error"):
            yield Violation("endings", str(entry.get("userId")), None, "on the failed list without a reason")


def _rows(story: Story) -> Iterator[Violation]:
    ends = {ending.run: ending.outcome for ending in story.endings}
    for each in story.queued:
        wanted, found = _WORDS.get(ends.get(each.run, "")), story.rows.get(each.run)
        if found != wanted:
            yield Violation("endings", str(each.user), None, f"{wanted}, and its row says {found} ({each.run})")


def _left(story: Story) -> Iterator[Violation]:
    for where, count in story.left.items():
        if count:
            yield Violation("left", where, None, f"{count} when all was drained")
