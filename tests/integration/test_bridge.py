"""The bridge: what is pushed to the old list becomes a run, stays in sight until it ends, and is never lost."""

import json
import uuid
from typing import Any

import pytest

from app.bridge import lists, service
from app.core.celery_app import celery_app
from app.domains.velog.requests import TASK, unique_key
from livebeat import send
from support.bridges import FAILED, MAIN, PROCESSING, Place, bridging, compact, end, node
from support.waiting import wait_until

pytest_plugins = ["support.bridge_places"]


def envelope(user: int, **more: Any) -> dict[str, Any]:
    """A message of the later producers."""
    at = "2026-05-01T00:00:00+00:00"
    fields = {"requestId": str(uuid.uuid4()), "userId": user, "requestedAt": at, "requestedBy": 7, "retryCount": 0}
    return {**fields, "reclaimedCount": 0, "enqueuedAt": at, "lastAttemptAt": None, **more}


def test_a_bare_message_becomes_a_run_in_sight(place: Place) -> None:
    place.push(node(123))
    with bridging(place):
        (entry,) = place.visible(1)
    ((run, accepted),) = place.runs().items()
    assert (accepted.run.task, accepted.run.kind, accepted.unique) == (TASK, "bridge", unique_key(123))
    assert accepted.queue == "stats"
    assert json.loads(accepted.text)["headers"]["livebeat_kind"] == "bridge"
    (queued,) = place.events("run.queued")
    assert (queued["run"], queued["kind"], queued["unique"]) == (run, "bridge", "stats-refresh:123")
    told = {"userId": 123, "requestId": run, "requestedAt": "2025-12-24T12:00:00.000Z", "retryCount": 0}
    assert told.items() <= entry.items()
    assert place.store.llen("stats") == 1


@pytest.mark.parametrize("user", ["123", " 123 ", 2**63 - 1, "0123"])
def test_numeric_text_is_a_number(beside: Place, user: Any) -> None:
    beside.push(node(user))
    with bridging(beside):
        assert beside.visible(1)[0]["userId"] == int(user)


def test_a_later_envelope_keeps_its_name(place: Place) -> None:
    """The row that the old back office wrote for it is found by that name."""
    message = envelope(5)
    place.push(message)
    with bridging(place):
        (entry,) = place.visible(1)
    assert set(place.runs()) == {message["requestId"]}
    assert {**message, "takenBy": "livebeat", "processingStartedAt": entry["processingStartedAt"]} == entry


def test_the_name_of_another_users_run_is_not_believed(place: Place) -> None:
    message = envelope(5)
    place.push(message)
    with bridging(place):
        place.visible(1)
        place.push({**message, "userId": 6})
        place.visible(2)
    assert {entry.unique for entry in place.runs().values()} == {unique_key(5), unique_key(6)}


def test_a_second_message_of_a_user_in_flight_is_coalesced_and_an_event_says_so(place: Place) -> None:
    place.push(node(1), node("1"), node(2))
    with bridging(place):
        first, _ = place.visible(2)
        wait_until(lambda: place.events("request.coalesced"), 5, "the event")
    (event,) = place.events("request.coalesced")
    assert (event["run"], event["user_id"], event["task"]) == (first["requestId"], 1, TASK)
    assert len(place.runs()) == 2


def test_a_message_for_a_run_that_came_by_rest_is_in_sight_until_that_ends(place: Place) -> None:
    sent = send(TASK, kwargs={"user_id": 9}, unique=unique_key(9), app=celery_app)
    place.push(node(9))
    with bridging(place):
        (entry,) = place.visible(1)
        assert entry["requestId"] == sent.run_id
        end(sent.run_id)
        place.visible(0)
    assert place.lengths() == (0, 0, 0)


def test_a_run_that_succeeds_goes_out_of_sight(place: Place) -> None:
    place.push(node(1), node(2))
    with bridging(place):
        first, second = place.visible(2)
        end(first["requestId"])
        assert place.visible(1) == [second]
    assert place.lengths() == (0, 1, 0)


@pytest.mark.parametrize("event", ["run.failed", "run.lost", "run.expired"])
def test_a_run_that_fails_goes_to_the_failed_list_with_its_reason(place: Place, event: str) -> None:
    place.push(envelope(4, retryCount=2))
    with bridging(place):
        (entry,) = place.visible(1)
        end(entry["requestId"], event, error="the tokens are not accepted", error_class="TokensRejectedError")
        place.visible(0)
    (failed,) = place.entries(FAILED)
    assert (failed["userId"], failed["requestId"], failed["retryCount"]) == (4, entry["requestId"], 2)
    assert (failed["error"], failed["error_type"]) == ("the tokens are not accepted", "TokensRejectedError")
    assert failed["lastAttemptAt"]
    assert "takenBy" not in failed


def test_a_failed_item_that_is_moved_back_is_a_new_run(place: Place) -> None:
    place.push(envelope(4))
    with bridging(place):
        (entry,) = place.visible(1)
        end(entry["requestId"], "run.failed", error="velog is down")
        wait_until(lambda: place.lengths() == (0, 0, 1), 5, "a failed item")
        place.old.lmove(FAILED, MAIN, "RIGHT", "LEFT")
        (again,) = place.visible(1)
    assert again["userId"] == 4
    assert again["requestId"] != entry["requestId"]
    assert set(place.runs()) == {again["requestId"]}


def test_a_run_that_somebody_cancelled_has_not_failed(beside: Place) -> None:
    beside.push(node(1))
    with bridging(beside):
        (entry,) = beside.visible(1)
        end(entry["requestId"], "run.cancelled")
        beside.visible(0)
    assert beside.lengths() == (0, 0, 0)


MALFORMED = {
    "no-json": ("{oops", "JSONDecodeError"),
    "text-alone": ('"123"', "ValueError"),
    "list": ("[1]", "ValueError"),
    "no-user": ('{"requestedAt":"x"}', "ValueError"),
    "true": ('{"userId":true}', "ValueError"),
    "half": ('{"userId":1.5}', "ValueError"),
    "zero": ('{"userId":0}', "ValueError"),
    "negative": ('{"userId":"-1"}', "ValueError"),
    "too-large": ('{"userId":9223372036854775808}', "ValueError"),
    "digits-of-another-script": ('{"userId":"١"}', "ValueError"),
    "nan": ('{"userId":NaN}', "ValueError"),
    "deep": ("[" * 8000 + "]" * 8000, "JSONDecodeError"),
    "many-digits": ('{"userId":' + "9" * 5000 + "}", "JSONDecodeError"),
    "bytes": (b'{"userId": "\xff\xfe"}', "ValueError"),
    "empty": ("", "JSONDecodeError"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_no_request_is_set_aside_with_its_reason(place: Place, name: str) -> None:
    text, kind = MALFORMED[name]
    place.push(text, node(8))
    with bridging(place):
        place.visible(1)
    (failed,) = place.entries(FAILED)
    assert failed["error_type"] == kind
    assert failed["error"]
    assert failed["error_ko"]
    kept = failed["raw_message"].encode(errors="surrogateescape")
    assert kept == (text if isinstance(text, bytes) else text.encode())


def test_of_a_huge_message_the_beginning_is_kept(place: Place) -> None:
    text = json.dumps({"userId": 1, "note": "x" * 3_000_000})
    place.push(text, node(8))
    with bridging(place):
        place.visible(1)
    (failed,) = place.entries(FAILED)
    assert failed["length"] == len(text)
    assert failed["raw_message"] == text[: len(failed["raw_message"])]
    assert 1000 < len(failed["raw_message"]) < 100_000


def test_what_else_a_message_claims_is_kept_only_where_it_is_what_it_should_be(beside: Place) -> None:
    odd = {"retryCount": "many", "reclaimedCount": -1, "enqueuedAt": {}, "lastAttemptAt": ["x"], "requestedBy": "a"}
    beside.push({"userId": 3, "requestedAt": "y" * 500, "requestId": "not-a-uuid", "more": [1], **odd})
    with bridging(beside):
        (entry,) = beside.visible(1)
    assert (entry["retryCount"], entry["reclaimedCount"]) == (0, 0)
    assert [entry[name] for name in ("requestedAt", "requestedBy", "enqueuedAt", "lastAttemptAt")] == [None] * 4
    assert "more" not in entry
    assert str(uuid.UUID(entry["requestId"])) == entry["requestId"]


@pytest.mark.parametrize("event", ["run.succeeded", "run.failed"])
def test_an_end_that_no_bridge_saw_is_told_when_one_is_back(place: Place, event: str) -> None:
    place.push(node(1))
    with bridging(place):
        (entry,) = place.visible(1)
    end(entry["requestId"], event, error="why")
    with bridging(place):
        place.visible(0)
    assert [failed["error"] for failed in place.entries(FAILED)] == (["why"] if event == "run.failed" else [])


def test_a_run_that_the_ledger_does_not_know_waits_again_and_then_is_failed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis lost the stream, or the ledger."""
    monkeypatch.setattr(service, "UNTOLD_SECONDS", 0.0)
    monkeypatch.setattr(service, "SWEEP_SECONDS", 0.05)
    place.push(node(1))
    seen = set()

    def failed() -> list[dict[str, Any]]:
        for run in place.runs():
            seen.add(run)
            for key in (f"livebeat:run:{run}", "livebeat:unique"):
                place.store.delete(key)
            place.store.zrem("livebeat:ledger", run)
        return place.entries(FAILED)

    with bridging(place):
        ((last,),) = (wait_until(failed, 15, "a failed item"),)
    assert last["reclaimedCount"] == service.MOST_RECLAIMED
    assert len(seen) == service.MOST_RECLAIMED + 1
    assert place.lengths() == (0, 0, 1)


def test_an_entry_is_seen_anew_in_its_place_while_its_run_is_unfinished(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "SEEN_SECONDS", 0.0)
    monkeypatch.setattr(service, "SWEEP_SECONDS", 0.05)
    place.push(node(1), node(2))
    with bridging(place):
        before = place.visible(2)
        first = [entry["processingStartedAt"] for entry in before]
        wait_until(lambda: all(new > old for new, old in zip(_started(place), first, strict=True)), 5, "newer entries")
        after = place.visible(2)
    assert [entry["requestId"] for entry in after] == [entry["requestId"] for entry in before]


def _started(place: Place) -> list[str]:
    return [entry["processingStartedAt"] for entry in place.entries()]


def test_what_is_beyond_the_window_waits_on_the_main_list(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the three lengths say what an old dashboard takes them for."""
    monkeypatch.setattr(lists, "UNDER_WAY", 3)
    place.old.lpush(PROCESSING, compact(node(99)))  # of somebody else: it doesn't count
    place.push(*map(node, range(1, 6)))
    with bridging(place):
        wait_until(lambda: place.lengths() == (2, 4, 0), 5, "a full window")
        end(place.entries()[1]["requestId"])
        wait_until(lambda: len(place.events("run.queued")) == 4, 5, "the next one")
    assert [entry["userId"] for entry in place.entries()] == [99, 2, 3, 4]


def test_several_bridges_take_each_message_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "UNDER_WAY", 1000)
    place.push(*map(node, range(1, 151)))
    with bridging(place, "a"), bridging(place, "b"), bridging(place, "c"):
        entries = place.visible(150)
    assert {entry["userId"] for entry in entries} == set(range(1, 151))
    assert len(place.events("run.queued")) == len(place.runs()) == place.store.llen("stats") == 150


def test_a_list_that_is_none_holds_nothing_back_for_ever(beside: Place) -> None:
    beside.store.set(PROCESSING, "of somebody")
    beside.push(node(1))
    with bridging(beside):
        wait_until(lambda: "WRONGTYPE" in str(beside.store.get("app:bridge:here")), 5, "a heartbeat that says so")
        assert beside.runs() == {}
        beside.store.delete(PROCESSING)
        beside.visible(1)


def test_while_a_plain_worker_consumes_the_queue_messages_wait(place: Place) -> None:
    place.store.hset("livebeat:plain", "stats", json.dumps(["plain@host"]))
    place.push(node(1))
    with bridging(place):
        wait_until(lambda: "livebeat.install" in str(place.store.get("app:bridge:here")), 5, "a heartbeat that says so")
        assert place.runs() == {}
        place.store.delete("livebeat:plain")
        place.visible(1)


def test_nothing_is_kept_in_the_stream_for_a_bridge_that_is_not_needed_any_more(place: Place) -> None:
    place.push(node(1))
    with bridging(place):
        (entry,) = place.visible(1)
    assert [group["name"] for group in place.store.xinfo_groups("livebeat:events")] == ["bridge"]
    with bridging(place):
        end(entry["requestId"])
        place.visible(0)
    assert place.store.xinfo_groups("livebeat:events") == []
