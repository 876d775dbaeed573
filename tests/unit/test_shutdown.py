"""A threads pool that is stopped by a signal, wherever that finds it."""

import os
import signal

import pytest
from celery.concurrency.thread import TaskPool

from livebeat.delivery.shutdown import let_stop_interrupt


@pytest.mark.timeout(20)
def test_a_stop_in_the_middle_of_giving_the_pool_a_task_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = TaskPool(limit=2)
    let_stop_interrupt(pool)
    ran: list[str] = []
    start_a_thread = pool.executor._adjust_thread_count

    def be_told_to_stop_meanwhile() -> None:
        os.kill(os.getpid(), signal.SIGUSR2)
        start_a_thread()

    monkeypatch.setattr(pool.executor, "_adjust_thread_count", be_told_to_stop_meanwhile)
    before = signal.signal(signal.SIGUSR2, lambda *_: pool.on_stop())
    try:
        pool.executor.submit(ran.append, "the task")
    finally:
        signal.signal(signal.SIGUSR2, before)
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.executor.submit(ran.append, "another")
