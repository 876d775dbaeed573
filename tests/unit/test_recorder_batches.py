"""A batch that the database refuses as a whole is recorded one by one; one that never can be is skipped."""

from collections.abc import Callable, Sequence

import pytest
from django.db import OperationalError

from app.recorder import service
from livebeat.events import Event
from support.news import event

Record = Callable[[Sequence[Event]], int]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the runs that were recorded; `poison` never is, and `away` finds no database."""
    done: list[str] = []

    def record(events: Sequence[Event]) -> int:
        runs = [each.data["run"] for each in events]
        if "poison" in runs:
            raise TypeError("no database would take this")
        if "away" in runs:
            raise OperationalError("gone")
        done.extend(runs)
        return len(runs)

    monkeypatch.setattr(service, "record_events", record)
    return done


def batch(*runs: str) -> list[Event]:
    return [event("run.started", run=run) for run in runs]


def test_a_batch_is_recorded_as_a_whole(recorded: list[str]) -> None:
    service._record_whole_or_singly(batch("a", "b"))
    assert recorded == ["a", "b"]


def test_one_that_cannot_be_recorded_is_skipped_alone(recorded: list[str], caplog: pytest.LogCaptureFixture) -> None:
    service._record_whole_or_singly(batch("a", "poison", "b"))
    assert recorded == ["a", "b"]
    assert sum("was skipped" in record.message for record in caplog.records) == 1


def test_a_database_that_is_away_is_no_reason_to_skip(recorded: list[str]) -> None:
    for runs in (("away", "a"), ("a", "poison", "away")):
        with pytest.raises(OperationalError):
            service._record_whole_or_singly(batch(*runs))
