"""The supervisor over real, small processes: order, restarts, giving up, graces, and nobody left behind."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from support.processes import Running, clean_environment, command_line, descendants, is_alive
from support.waiting import wait_until

FAKE_PLATFORM = Path(__file__).parents[1] / "support" / "fake_platform.py"
FOREVER = "import signal; signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True)\nwhile True: signal.pause()"
TELLS_ITS_END = (
    "import os, signal, sys\n"
    "signal.signal(signal.SIGTERM, lambda *_: (os.write(1, b'bye\\n'), sys.exit(0)))\n"
    "print('hello', flush=True)\n"
    "while True: signal.pause()"
)
#: A parent that a SIGTERM doesn't end quickly, with a child of its own in the same group.
FAMILY = (
    "import signal, subprocess, sys\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import signal; signal.signal(15, signal.SIG_IGN); "
    "print(1, flush=True)\\nwhile True: signal.pause()'])\n"
    "print('grandchild', child.pid, flush=True)\n"
    "while True: signal.pause()"
)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def supervise(*specs: dict[str, object]) -> Running:
    return Running([sys.executable, FAKE_PLATFORM, json.dumps(specs)], env=clean_environment())


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def watchdog_of(running: Running) -> int:
    """The living watchdog's pid, or 0."""
    own = [pid for pid in descendants(running.pid) if "watchdog.py" in " ".join(command_line(pid))]
    return next((pid for pid in own if is_alive(pid)), 0)


def send_again(running: Running, pid: int) -> bool:
    running.send(signal.SIGINT)
    return not is_alive(pid)


def pid_of(running: Running, name: str, *, after: int = 0) -> int:
    return int(running.wait_for_line(f"pid {name} ", 5, after=after).split()[2])


def test_a_stage_starts_only_when_the_one_before_it_is_ready_and_stops_after_it(tmp_path: Path) -> None:
    sign = tmp_path / "open"
    server = {"name": "server", "argv": python(TELLS_ITS_END), "ready_file": str(sign)}
    client = {"name": "client", "argv": python(TELLS_ITS_END), "stage": 1}
    with supervise(client, server) as running:
        running.wait_for_line("server    | hello", 5)
        assert "pid client" not in running.output
        sign.touch()
        running.wait_for_line("ready", 5)
        running.wait_for_line("client    | hello", 5)
        running.send(signal.SIGTERM)
        assert running.wait(10) == 0
        assert running.output.index("client    | bye") < running.output.index("server    | bye")


def test_a_killed_process_is_started_again() -> None:
    with supervise({"name": "beat", "argv": python(FOREVER)}) as running:
        running.wait_for_line("ready", 5)
        first = pid_of(running, "beat")
        seen = len(running.lines)
        kill(first)
        assert pid_of(running, "beat", after=seen) != first
        assert "beat ended (signal SIGKILL); starting it again in 0.5 s" in running.output


def test_a_process_that_keeps_failing_ends_everything_and_shows_its_last_lines() -> None:
    failing = {"name": "worker", "argv": python("import sys; print('no such queue'); sys.exit(7)")}
    with supervise({"name": "beat", "argv": python(FOREVER)}, failing) as running:
        beat = pid_of(running, "beat")
        assert running.wait(30) == 1
        assert "worker ended 5 times within a minute, the last time with exit code 7: giving up" in running.output
        assert "    no such queue" in running.lines
        assert not is_alive(beat)


def test_a_configuration_error_is_not_tried_again() -> None:
    wrong = {"name": "api", "argv": python("import sys; print('API_HOST is open to everybody'); sys.exit(78)")}
    with supervise(wrong) as running:
        assert running.wait(10) == 1
        assert running.output.count("pid api") == 1
        assert "api refuses its configuration" in running.output
        assert "    API_HOST is open to everybody" in running.lines


def test_a_program_that_can_not_be_run_is_one_line() -> None:
    with supervise({"name": "api", "argv": ["/nowhere/api"]}) as running:
        assert running.wait(10) == 1
        assert running.lines == ["error: api: [Errno 2] No such file or directory: '/nowhere/api'"]


def test_a_process_that_is_never_ready_is_named(tmp_path: Path) -> None:
    with supervise({"name": "api", "argv": python(FOREVER), "ready_file": str(tmp_path / "never")}) as running:
        assert running.wait(20) == 1
        assert "error: api was not ready within 3 s" in running.lines


def test_a_deaf_process_is_killed_after_its_own_grace() -> None:
    with supervise({"name": "deaf", "argv": python(DEAF), "grace": 1}) as running:
        running.wait_for_line("| deaf", 5)
        running.send(signal.SIGINT)
        assert running.wait(8) == 0
        assert "deaf did not stop within 1 s: killed" in running.output


def test_a_second_signal_stops_at_once() -> None:
    with supervise({"name": "deaf", "argv": python(DEAF), "grace": 30}) as running:
        running.wait_for_line("| deaf", 5)
        pid = pid_of(running, "deaf")
        running.send(signal.SIGINT)
        wait_until(lambda: send_again(running, pid), 5, "the end after a second Ctrl-C", every=0.4)
        assert running.wait(5) == 1


def test_a_closed_terminal_stops_everything() -> None:
    with supervise({"name": "beat", "argv": python(FOREVER)}) as running:
        running.wait_for_line("ready", 5)
        running.send(signal.SIGHUP)
        assert running.wait(5) == 0


def test_a_signal_during_the_start_stops_what_was_started(tmp_path: Path) -> None:
    with supervise({"name": "slow", "argv": python(FOREVER), "ready_file": str(tmp_path / "never")}) as running:
        pid = pid_of(running, "slow")
        running.send(signal.SIGTERM)
        assert running.wait(5) == 0
        assert not is_alive(pid)


@pytest.mark.parametrize("watchdog_dies_first", [False, True], ids=["supervisor killed", "watchdog killed earlier"])
def test_nobody_outlives_a_killed_supervisor(watchdog_dies_first: bool) -> None:
    family = {"name": "family", "argv": python(FAMILY)}
    with supervise(family, {"name": "beat", "argv": python(FOREVER)}) as running:
        running.wait_for_line("ready", 5)
        grandchild = int(running.wait_for_line("grandchild", 5).split()[-1])
        living = [pid_of(running, "family"), pid_of(running, "beat"), grandchild]
        if watchdog_dies_first:
            first = watchdog_of(running)
            kill(first)
            wait_until(lambda: watchdog_of(running) not in {0, first}, 5, "a new watchdog")
        kill(running.pid)
        wait_until(lambda: not any(is_alive(pid) for pid in living), 5, "the end of all children")


def test_the_group_of_a_killed_process_is_gone_before_it_starts_again() -> None:
    with supervise({"name": "family", "argv": python(FAMILY)}) as running:
        grandchild = int(running.wait_for_line("grandchild", 5).split()[-1])
        seen = len(running.lines)
        kill(pid_of(running, "family"))
        running.wait_for_line("pid family", 5, after=seen)
        assert not is_alive(grandchild)
        running.wait_for_line("grandchild", 5, after=seen)
        kill(running.pid)


def test_output_that_is_not_read_by_anybody_stops_nothing() -> None:
    chatty = "import time\nwhile True: print('x' * 100, flush=True); time.sleep(0.01)"
    with supervise({"name": "chatty", "argv": python(chatty)}) as running:
        running.wait_for_line("chatty    | xxx", 5)
        running.close_output()
        pid = pid_of(running, "chatty")
        wait_until(lambda: is_alive(pid), 1, "the child to live on")
        running.send(signal.SIGTERM)
        assert running.wait(5) == 0
