"""Whatever lies on the old list, reading it gives a request or a reason, and what is written of it is JSON."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.bridge.messages import MARK, READ_BYTES, Entry, Malformed, Request, entry_of, read
from livebeat import clock

NOW = clock.from_epoch(1_800_000_000)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = (
    "userId",
    "requestId",
    "requestedAt",
    "requestedBy",
    "retryCount",
    "reclaimedCount",
    "enqueuedAt",
    "lastAttemptAt",
)
ENVELOPES = st.dictionaries(st.sampled_from((*NAMES, "takenBy", "error", "more")), VALUES)


def entry(request: Request, run: str = "a-run") -> Entry:
    found = entry_of(MARK + run + request.rest(NOW))
    assert found is not None
    assert (found.run, found.seen_at) == (run, NOW)
    return found


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="surrogatepass")))
def test_any_bytes(raw: bytes) -> None:
    message = read(raw.decode(errors="surrogateescape"), len(raw))
    if isinstance(message, Malformed):
        told = json.loads(message.entry)
        assert told["raw_message"].encode(errors="surrogateescape") == raw
        assert told["error"]
        assert told["error_ko"]


@given(ENVELOPES, st.integers(1, 2**63 - 1))
def test_any_envelope_of_a_user(members: dict[str, Any], user: int) -> None:
    text = json.dumps({**members, "userId": user})
    request = read(text, len(text))
    assert isinstance(request, Request)
    one = entry(request)
    assert one.envelope["userId"] == user
    for written in (one.failed(NOW, 3, 'why "not"', "Error"), one.again(NOW)):
        again = read(written, len(written))
        assert isinstance(again, Request)
        assert (again.user_id, again.request_id) == (user, None)
        assert json.loads(written)["requestId"] == "a-run"


@given(ENVELOPES)
def test_any_envelope(members: dict[str, Any]) -> None:
    text = json.dumps(members)
    message = read(text, len(text))
    assert isinstance(message, Request) or json.loads(message.entry)["error_type"] == "ValueError"


def test_a_message_may_have_all_that_is_read() -> None:
    text = json.dumps({"userId": 1, "more": ""})
    whole = json.dumps({"userId": 1, "more": "x" * (READ_BYTES - len(text))})
    assert isinstance(read(whole, len(whole)), Request)
    assert isinstance(read(whole, len(whole) + 1), Malformed)


def test_attempts_are_counted_on() -> None:
    text = json.dumps({"userId": 1, "retryCount": 2})
    one = entry(read(text, len(text)))  # type: ignore[arg-type]
    assert json.loads(one.failed(NOW, 4, "why", "Error"))["retryCount"] == 5
