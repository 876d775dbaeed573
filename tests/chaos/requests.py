"""Refresh requests by REST and by the old list, while workers, bridges, the recorder and Redis are killed.

And the same pushes, under the same kills, with the consumer of old.
"""

import json
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx2
import redis

from chaos import account, old_consumer
from chaos.drama import Say, keep_events
from chaos.figures import spread
from chaos.nemeses import Hand, Nemesis, plan
from chaos.players import Player
from chaos.recovery import recoveries
from chaos.report import Bar, Report
from chaos.request_checks import KEY, TASK, Asked, Queued, Story, check
from chaos.stage import LEDGER, PROJECT, TESTS, Stage, glancing
from chaos.stats_stage import StatsStage
from launcher.servers.binaries import ServerBinary
from livebeat import clock
from support.processes import clean_environment
from support.waiting import wait_until

MAIN, PROCESSING = old_consumer.QUEUE, old_consumer.PROCESSING
FAILED, HAND, QUEUE, UNIQUE = f"{MAIN}:failed", f"{MAIN}:bridge", "stats", "livebeat:unique"
WORKERS, BRIDGES = ("worker-0", "worker-1"), ("bridge-0", "bridge-1")
#: Requests a second, half by each way: what one worker can do while the other starts, so that nothing waits for long.
RATE = 2.0
RECOVERY_BAR = 15_000
#: Seconds after the last fault in which all must have come out, and of a job of the old consumer.
DRAIN, OLD_JOB = 240.0, 0.5
_REDIS = Nemesis("crash", ("redis",), (18.0, 26.0), (0.3, 1.5), 10_000)
NEMESES = (
    Nemesis("kill one", WORKERS, (6.0, 9.0)),
    Nemesis("kill", BRIDGES, (8.0, 12.0), name="kill bridge"),
    Nemesis("kill", ("recorder",), (16.0, 22.0), name="kill recorder"),
    _REDIS,
)
#: Of so many messages one is none, and of so many one is for the same user as the last.
_NONSENSE, _AGAIN = 100, 10


def stats(logs: Path, binary: ServerBinary, *, requests: int, seed: int, say: Say) -> Report:
    """So many requests are accepted, by REST and by the list."""
    with StatsStage(logs, binary, users=requests) as stage:
        keep_events(stage)
        users = stage.enter_all(len(BRIDGES), len(WORKERS))
        hand = Hand(stage, say)
        with _Asking(stage, users, (requests + 1) // 2, seed) as asking:
            seconds = requests / RATE
            hand.run(plan(seed, seconds, NEMESES), seconds)
            say("healed; waiting for the last requests, and for all to come out")
            wait_until(asking.is_done, DRAIN, "the last requests", every=0.2)
        drained = _drained(stage)
        fell = [*hand.fell, *stage.fallen()]
        ends = stage.end("bridge", "recorder", "worker", "api", "beat")
        story = _story(stage, asking, hand)
        told = {
            **asdict(story),
            "faults": [asdict(fault) for fault in hand.faults],
            "events": account.events(stage.client),
        }
        (logs / "story.json").write_text(json.dumps(told, default=sorted) + "\n")
    return _judged(story, hand, drained, fell, ends, requests)


def old_stats(logs: Path, binary: ServerBinary, *, requests: int, seed: int, say: Say) -> Report:
    """So many messages are pushed; the consumer of old and Redis are killed as often as a worker and Redis of ours."""
    with Stage(logs, binary) as stage:
        evidence = stage.evidence / "old.txt"
        evidence.touch()
        argv = [sys.executable, "-m", "chaos.old_consumer", stage.setup.redis_url, str(evidence), str(OLD_JOB)]
        env = clean_environment(PYTHONPATH=f"{TESTS}:{PROJECT / 'backend'}")
        player = stage.players["old"] = Player("old", argv, env, stage.scratch, logs / "old.log")
        player.start()
        hand = Hand(stage, say)
        pushed, stop = [], threading.Event()
        rate = RATE / 2
        client = glancing(stage.setup.redis_url)

        def push() -> None:
            for number in count():
                if stop.wait(1 / rate) or len(pushed) >= requests:
                    return
                with suppress(redis.RedisError):
                    client.lpush(MAIN, f"job-{number}")
                    pushed.append(f"job-{number}")

        thread = threading.Thread(target=push)
        thread.start()
        seconds = requests / rate
        hand.run(plan(seed, seconds, (Nemesis("kill", ("old",), (8.0, 12.0)), _REDIS)), seconds)
        wait_until(lambda: len(pushed) >= requests, DRAIN, "the last message")
        stop.set()
        thread.join()
        wait_until(lambda: _goes_on(stage, player) and not stage.client.llen(MAIN), DRAIN, "an empty list", every=0.2)
        threading.Event().wait(10 * OLD_JOB)
        listed: Any = stage.client.lrange(PROCESSING, 0, -1)
        done, seen = set(evidence.read_text().split()), set(listed)
    undone = set(pushed) - done
    kills = Counter(fault.kind for fault in hand.faults)
    return Report(
        "control: the old consumer's requests",
        (
            Bar(
                "requests lost or stranded for ever",
                f"{len(undone)} of {len(pushed)} in {kills.total()} faults",
                bool(undone),
            ),
            Bar("and most are done", f"{len(done)} of {len(pushed)}", len(done) * 2 > len(pushed)),
        ),
        {
            "faults": dict(kills),
            "stranded in :processing": len(undone & seen),
            "without any trace": len(undone - seen),
            "done, and in :processing for ever": len(done & seen),
        },
    )


def _goes_on(stage: Stage, player: Player) -> bool:
    """As its container's restart policy does."""
    if player.name in stage.fallen():
        player.start()
    return True


@dataclass
class _Way:
    """One way to ask, and a thread that goes it until so many requests are accepted."""

    name: Literal["rest", "list"]
    ask: Callable[[int], tuple[Literal["ok", "fail", "info"], str]]
    users: Sequence[int]
    wanted: int
    chance: random.Random
    asked: list[Asked]

    @property
    def is_done(self) -> bool:
        return sum(each.outcome == "ok" for each in self.asked) >= self.wanted

    def go(self, stop: threading.Event) -> None:
        user = self.users[0]
        due = clock.monotonic()
        while not self.is_done:
            due = max(due + 2 / RATE, clock.monotonic() - 1.0)
            if stop.wait(max(0.0, due - clock.monotonic())):
                return
            if not self.asked or self.chance.randrange(_AGAIN):
                user = self.chance.choice(self.users)
            began = clock.now().timestamp() * 1000
            outcome, run = self.ask(user)
            self.asked.append(Asked(user, self.name, outcome, began, run))


class _Asking:
    """Both ways at once, and nonsense among it."""

    def __init__(self, stage: StatsStage, users: Sequence[int], each: int, seed: int) -> None:
        self._http = httpx2.Client(base_url=stage.url, timeout=5.0, trust_env=False)
        self._client = glancing(stage.setup.redis_url)
        self.nonsense = 0
        self.ways = [
            _Way("rest", self._by_rest, users, each, random.Random(f"{seed} rest"), []),
            _Way("list", self._by_list, users, each, random.Random(f"{seed} list"), []),
        ]
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=way.go, args=(self._stop,), daemon=True) for way in self.ways]

    @property
    def asked(self) -> list[Asked]:
        return [each for way in self.ways for each in way.asked]

    def is_done(self) -> bool:
        return all(way.is_done for way in self.ways)

    def _by_rest(self, user: int) -> tuple[Literal["ok", "fail", "info"], str]:
        try:
            answer = self._http.post("/api/stats/refresh", json={"userId": user})
        except httpx2.TransportError:
            return "info", ""
        if answer.status_code == 202:
            return "ok", str(answer.json()["requestId"])
        return ("fail" if answer.status_code == 409 else "info"), ""

    def _by_list(self, user: int) -> tuple[Literal["ok", "fail", "info"], str]:
        message = {"userId": user, "requestedAt": clock.now().isoformat(), "retryCount": 0}
        try:
            self._client.lpush(MAIN, json.dumps(message, separators=(",", ":")))
            if len(self.ways[1].asked) % _NONSENSE == 0:
                self._client.lpush(MAIN, "{nonsense")
                self.nonsense += 1
        except redis.RedisError:
            return "info", ""
        return "ok", ""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(15)
        self._http.close()
        self._client.close()


def _left(stage: Stage) -> dict[str, int]:
    lists = {name: int(stage.client.llen(name)) for name in (MAIN, PROCESSING, HAND, QUEUE)}
    return {**lists, LEDGER: int(stage.client.zcard(LEDGER)), UNIQUE: int(stage.client.hlen(UNIQUE))}


def _drained(stage: StatsStage) -> bool:
    def is_empty() -> bool:
        with suppress(redis.RedisError):
            return not any(_left(stage).values()) and account.is_recorded(stage.client)
        return False

    try:
        return wait_until(is_empty, DRAIN, "empty lists and an empty ledger", every=0.5)
    except AssertionError:
        return False


def _story(stage: StatsStage, asking: _Asking, hand: Hand) -> Story:
    events = account.events(stage.client)
    failed: Any = stage.client.lrange(FAILED, 0, -1)
    return Story(
        asked=asking.asked,
        queued=[
            Queued(data["run"], int(data["unique"].removeprefix(KEY)), data["kind"])
            for kind, data, _ in events
            if kind == "run.queued" and data["task"] == TASK
        ],
        coalesced=[data["user_id"] for kind, data, _ in events if kind == "request.coalesced"],
        nonsense=asking.nonsense,
        endings=account.endings(stage.client),
        executions=stage.executions(),
        killed=hand.killed,
        left=_left(stage),
        failed=[json.loads(text) for text in failed],
        rows=stage.requests(),
        read_at=clock.now().timestamp() * 1000,
    )


def _judged(
    story: Story, hand: Hand, drained: bool, fell: Sequence[str], ends: dict[str, float | None], requests: int
) -> Report:
    violations = check(story)
    found = Counter(each.check for each in violations)
    accepted = Counter(each.way for each in story.asked if each.outcome == "ok")
    soon = recoveries(hand.killed, story.executions)
    slow = sum(each > RECOVERY_BAR for each in soon)
    other = found.total() - found["lost"] - found["at once"]
    bars = (
        Bar(f"at least {requests} requests accepted", str(accepted.total()), accepted.total() >= requests),
        Bar("0 requests lost", str(found["lost"]), not found["lost"]),
        Bar("0 users refreshed twice at once", str(found["at once"]), not found["at once"]),
        Bar("0 of any other violation", str(other), not other),
        Bar("every request ended, all lists are empty", "yes" if drained else "no", drained),
        Bar("what a killed worker had in hand runs again within 15 s", f"{slow} of {len(soon)} later", not slow),
        Bar("nobody ended by itself", ", ".join(fell) or "nobody", not fell),
    )
    figures = {
        "faults": dict(Counter(f"{fault.kind} {fault.victim.split('-')[0]}" for fault in hand.faults)),
        "accepted": dict(accepted),
        "without an answer": sum(each.outcome == "info" for each in story.asked),
        "runs": dict(Counter(each.kind for each in story.queued)),
        "messages for a refresh under way": len(story.coalesced),
        "ends": dict(Counter(ending.outcome for ending in story.endings)),
        "executions": sum(line.kind == "start" for line in story.executions),
        "a killed worker's runs, ms to the next start": spread([each for each in soon if each != float("inf")]),
        "seconds to end after SIGTERM": {name: each if each is None else round(each, 1) for name, each in ends.items()},
    }
    return Report("stats", bars, figures, tuple(violations))
