"""Every operation, its process killed at every failpoint that it comes by: nothing is lost, doubled or half done then.

Each script is two failpoints by itself; one that no operation has fails the build.
"""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.history.models import Run
from chaos.checker import check
from chaos.history import Row, to_ms
from chaos.operations import KILLS, OPERATIONS, play
from chaos.rehearsal import PATIENCE, Rehearsal
from chaos.roles import recorder, worker
from chaos.stage import PROJECT
from livebeat import failpoints
from livebeat.errors import ConfigurationError
from support.waiting import wait_until

#: The recorder's, which is killed apart: it needs a database.
ROWS = {"before_rows", "after_rows"}


@pytest.mark.parametrize(("name", "failpoint"), KILLS)
def test_all_ends_well_after_a_kill(name: str, failpoint: str, redis_url: str, tmp_path: Path) -> None:
    with Rehearsal(redis_url, tmp_path, restores=failpoint.startswith("after")) as stage:
        play(stage, OPERATIONS[name], failpoint)
        assert check(stage.end_well(OPERATIONS[name].worker)) == [], stage.log()
        assert stage.leftovers() == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("failpoint", sorted(ROWS))
def test_a_kill_of_the_recorder_leaves_each_run_one_row(failpoint: str, redis_url: str, tmp_path: Path) -> None:
    with Rehearsal(redis_url, tmp_path, restores=True) as stage:
        stage.backlog()
        stage.send(fails=True)
        history = stage.end_well(worker)
        stage.await_death(stage.start(recorder, failpoint))
        stage.start(recorder)
        wait_until(stage.is_recorded, PATIENCE, "a recorder that has read everything")
        found = Run.objects.values_list("id", "schedule", "slot", "state")
        rows = tuple(Row(run, schedule, to_ms(slot) if slot else None, state) for run, schedule, slot, state in found)
        assert check(replace(history, rows=rows)) == [], stage.log()


def test_every_failpoint_has_its_kill() -> None:
    assert {failpoint for _, failpoint in KILLS} | ROWS == set(failpoints.names())


def test_a_process_kills_itself_at_the_pass_that_its_environment_names() -> None:
    code = (
        "from livebeat import failpoints\nfor step in range(5): print(step, flush=True); failpoints.reach('after_body')"
    )
    environment = {failpoints.VARIABLE: "after_body:3", "PYTHONPATH": str(PROJECT / "backend")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["0", "1", "2"])


@pytest.mark.parametrize("setting", ["after_body", "after_body:0", "after_body:x", "nowhere:1", ""])
def test_a_setting_that_names_no_failpoint_is_refused(setting: str) -> None:
    with pytest.raises(ConfigurationError, match="LIVEBEAT_FAILPOINT"):
        failpoints.armed(setting)


def test_nothing_is_armed_where_nothing_is_set() -> None:
    assert failpoints.VARIABLE not in os.environ  # noqa: TID251
    failpoints.reach("after_body")
