"""Every operation of the engine, each with the process that is killed in the middle of it."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.context import ForkProcess

from chaos import roles
from chaos.rehearsal import INDEX, LOCK, PATIENCE, QUEUE, WORKERS, Rehearsal
from chaos.roles import STEADY, Role
from livebeat import ScheduleStore
from livebeat.errors import ScheduleNotFoundError
from support.waiting import wait_until

Step = Callable[[Rehearsal], None]


def _nothing(_stage: Rehearsal) -> None:
    pass


def _untouched(_stage: Rehearsal, _victim: ForkProcess) -> None:
    pass


@dataclass(frozen=True)
class Operation:
    """`victim` plays it, once `before` has set the stage; `during` is done to it then. It is killed before and after
    each of the scripts and steps `at`; `child`: not itself, but the children of its pool.

    `after`: what was found out afterwards goes into the history; it raises where something is half done. `worker`: who
    goes on with what is left.
    """

    victim: Role
    at: tuple[str, ...]
    before: Step = _nothing
    during: Callable[[Rehearsal, ForkProcess], None] = _untouched
    after: Step = _nothing
    worker: Role = roles.worker
    child: bool = False


def _has_backlog(stage: Rehearsal) -> None:
    stage.backlog()


def _after_a_leader_died(stage: Rehearsal) -> None:
    stage.backlog()
    stage.client.set(LOCK, "livebeat:elsewhere:1:dead:1", px=400)


def _has_a_bad_entry(stage: Rehearsal) -> None:
    stage.backlog()
    stage.client.hset("redbeat:bad", "definition", "{nonsense")
    stage.client.zadd(INDEX, {"redbeat:bad": 1})


def _leads_then_ends(stage: Rehearsal, victim: ForkProcess) -> None:
    wait_until(lambda: stage.client.get(LOCK) or not victim.is_alive(), PATIENCE, "a leader")
    if victim.is_alive():
        os.kill(victim.pid or 0, signal.SIGTERM)


def _a_job(**work: object) -> Step:
    def before(stage: Rehearsal) -> None:
        stage.send(**work)

    return before


def _has_released(stage: Rehearsal) -> None:
    """A worker has made the first attempt, and is gone."""
    run = stage.send(retries=1)
    stage.start(roles.worker)
    wait_until(lambda: stage.state(run).get("state") == "retrying", PATIENCE, "a run that waits for its next attempt")
    stage.kill_all()
    stage.let_time_pass()


def _has_vanished(stage: Rehearsal) -> None:
    """A worker has died with a run."""
    stage.send()
    stage.await_death(stage.start(roles.worker, "before_body"))
    stage.let_time_pass()
    stage.client.delete(QUEUE)


def _has_vanished_too_often(stage: Rehearsal) -> None:
    run = stage.send()
    stage.client.delete(QUEUE)
    lost = {"state": "running", "attempt": 9, "losses": 9, "owner": "dead", "lease_until": "0"}
    stage.client.hset(f"livebeat:run:{run}", mapping=lost)
    stage.let_time_pass()


def _has_expired(stage: Rehearsal) -> None:
    run = stage.send(expires=3600)
    stage.client.hset(f"livebeat:run:{run}", "expires_at", "1")
    stage.let_time_pass()


def _is_spoilt(stage: Rehearsal) -> None:
    """A ledger entry that can't be read."""
    stage.client.hset("livebeat:run:spoilt", "state", "nonsense")
    stage.client.zadd("livebeat:ledger", {"spoilt": 0})


def _is_put_back(how: str) -> Step:
    def before(stage: Rehearsal) -> None:
        stage.send_once("kill" if how == "kill" else "reject")

    return before


def _stops_cold(stage: Rehearsal, victim: ForkProcess) -> None:
    wait_until(lambda: stage.executions() or not victim.is_alive(), PATIENCE, "the start of the task")
    if victim.is_alive():
        os.kill(victim.pid or 0, signal.SIGQUIT)


def _has_steady(stage: Rehearsal) -> None:
    roles.put_steady(stage.app)


def _is_paused(stage: Rehearsal) -> None:
    roles.put_steady(stage.app)
    roles.pause(stage.app)


def _wholly(stage: Rehearsal) -> None:
    """A change is there whole, with its event, or not at all."""
    told = [fields["type"] for _, fields in stage.client.xrange("livebeat:events")]
    changes = [kind for kind in told if kind.startswith("schedule.")]
    listed = stage.client.zscore(INDEX, f"redbeat:{STEADY}") is not None
    try:
        stored = ScheduleStore(stage.app).get(STEADY)
    except ScheduleNotFoundError:
        assert not listed
        assert changes[-1:] in ([], ["schedule.deleted"])
        return
    assert listed
    assert stored.revision == len(changes)
    assert stored.spec.enabled == (changes[-1] != "schedule.paused")


def _note_backlog(stage: Rehearsal) -> None:
    stage.note_backlog()


def _perhaps_sent(stage: Rehearsal) -> None:
    stage.note_call("send", "job-0", "info")


def _perhaps_triggered(stage: Rehearsal) -> None:
    _wholly(stage)
    stage.note_call("trigger", STEADY, "info")


def _has_poison(stage: Rehearsal) -> None:
    stage.client.lpush(QUEUE, "{nonsense")
    stage.send()


def _is_idle_then_ends(stage: Rehearsal, victim: ForkProcess) -> None:
    wait_until(lambda: stage.client.exists(WORKERS) or not victim.is_alive(), PATIENCE, "a worker")
    if victim.is_alive():
        os.kill(victim.pid or 0, signal.SIGTERM)


def _waits_in_its_queue(stage: Rehearsal) -> None:
    stage.send()
    stage.let_time_pass()


def _has_dispatched(stage: Rehearsal) -> None:
    """Slots' messages wait for a worker."""
    stage.backlog()
    stage.start(roles.beat)
    wait_until(lambda: not stage.is_overdue(), PATIENCE, "the dispatch of all that is due")
    stage.kill_all()


def _has_a_worker(stage: Rehearsal) -> None:
    stage.start(roles.worker)
    wait_until(lambda: stage.client.exists(WORKERS), PATIENCE, "a worker")


def _has_past(stage: Rehearsal) -> None:
    roles.put_past(stage.app)


def _has_backfill(stage: Rehearsal) -> None:
    roles.put_past(stage.app)
    roles.begin_backfill(stage.app)


def _note_backfill(stage: Rehearsal) -> None:
    stage.note_backfill()


def _has_one_that_waits(stage: Rehearsal) -> None:
    """… for a run whose entry can't be read: its end starts nothing."""
    roles.put_steady(stage.app, overlap="buffer_one")
    before, waits = (ScheduleStore(stage.app).trigger(STEADY).run_id for _ in range(2))
    for run in (before, waits):
        stage.note_call("trigger", STEADY, "ok", run)
    stage.client.hset(f"livebeat:run:{before}", "state", "nonsense")
    stage.let_time_pass()


def _is_given_up(stage: Rehearsal) -> None:
    """A run was lost, and a beat has told so."""
    _has_vanished_too_often(stage)
    stage.start(roles.beat)
    wait_until(lambda: stage.client.hlen("livebeat:dead-messages"), PATIENCE, "a run that is given up")
    stage.kill_all()


def _as_the_file_says(stage: Rehearsal) -> None:
    """The file is applied as far as it went, and once more it is whole: each schedule there once, with its event."""
    roles.apply_file(stage.app)
    told = [fields["type"] for _, fields in stage.client.xrange("livebeat:events")]
    stored = [one for one in ScheduleStore(stage.app).list() if one.origin == "file"]
    assert [one.revision for one in stored] == [1, 1]
    assert told.count("schedule.created") == len(stored)


OPERATIONS: dict[str, Operation] = {
    "dispatch": Operation(roles.beat, ("lead", "walk", "due", "heartbeat", "read", "dispatch"), _has_backlog),
    "take-over": Operation(roles.beat, ("lead", "dispatch"), _after_a_leader_died),
    "hand-over": Operation(roles.beat, ("resign",), _has_backlog, _leads_then_ends),
    "quarantine": Operation(roles.beat, ("quarantine",), _has_a_bad_entry),
    "asking who consumes": Operation(roles.beat, ("judge",), _has_a_worker),
    "relay: retry": Operation(roles.beat, ("push_again",), _has_released),
    "relay: worker vanished": Operation(roles.beat, ("push_again",), _has_vanished),
    "relay: vanished too often": Operation(roles.beat, ("finish",), _has_vanished_too_often),
    "relay: expired": Operation(roles.beat, ("finish",), _has_expired),
    "relay: spoilt entry": Operation(roles.beat, ("give_up",), _is_spoilt),
    "relay: waits for another": Operation(roles.beat, ("proceed",), _has_one_that_waits),
    "relay: waiting": Operation(roles.beat, ("postpone",), _waits_in_its_queue),
    "a slot's run": Operation(roles.worker, ("claim", "finish"), _has_dispatched),
    "success": Operation(roles.worker, ("heartbeat", "claim", "body", "finish"), _a_job()),
    "failure": Operation(roles.worker, ("finish",), _a_job(fails=True)),
    "retry": Operation(roles.worker, ("release",), _a_job(retries=1)),
    "reject": Operation(roles.worker, ("release",), _is_put_back("reject")),
    "long run": Operation(roles.worker, ("renew",), _a_job(seconds=3.6)),
    "cold stop": Operation(roles.prefork, ("release",), _a_job(seconds=2.0), _stops_cold, child=True),
    "warm stop": Operation(roles.worker, ("leave",), during=_is_idle_then_ends),
    "child lost": Operation(roles.prefork, ("release",), _is_put_back("kill"), worker=roles.prefork),
    "poison": Operation(roles.worker, ("set_aside",), _has_poison),
    "send": Operation(roles.send_one, ("accept",), after=_perhaps_sent),
    "trigger": Operation(roles.trigger, ("accept",), _has_steady, after=_perhaps_triggered),
    "put": Operation(roles.put_backlog, ("put",), after=_note_backlog),
    "change": Operation(roles.change, ("put",), _has_steady, after=_wholly),
    "pause": Operation(roles.pause, ("put",), _has_steady, after=_wholly),
    "resume": Operation(roles.resume, ("put",), _is_paused, after=_wholly),
    "delete": Operation(roles.delete, ("delete",), _has_steady, after=_wholly),
    "backfill": Operation(roles.beat, ("backfill",), _has_backfill, after=_note_backfill),
    "begin a backfill": Operation(roles.begin_backfill, ("backfill",), _has_past, after=_note_backfill),
    "apply a file": Operation(roles.apply_file, ("seed",), after=_as_the_file_says),
    "revive": Operation(roles.revive_all, ("revive",), _is_given_up),
}
#: Every operation with every failpoint that it comes by.
KILLS = [
    (name, f"{when}_{step}") for name, one in OPERATIONS.items() for step in one.at for when in ("before", "after")
]


def play(stage: Rehearsal, operation: Operation, failpoint: str) -> None:
    """Set the stage, begin, and return once the victim is dead."""
    operation.before(stage)
    victim = stage.start(operation.victim, failpoint, in_child=operation.child)
    operation.during(stage, victim)
    if operation.child:
        victim.join(PATIENCE)
    else:
        stage.await_death(victim)
    operation.after(stage)
