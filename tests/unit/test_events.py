"""The text of an event's data."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kombu.utils.json import JSONEncoder

from livebeat.events import encode, quick

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize("encoder", [json.JSONEncoder(ensure_ascii=False, default=str), JSONEncoder()])
@given(value=VALUES)
def test_the_quick_encoder_writes_what_its_encoder_does(encoder: json.JSONEncoder, value: Any) -> None:
    assert quick(encoder)(value) == encoder.encode(value)


def test_what_has_no_json_form_is_written_as_its_str() -> None:
    assert json.loads(encode({"at": datetime(2026, 11, 1, tzinfo=UTC)})) == {"at": "2026-11-01 00:00:00+00:00"}


def test_what_holds_itself_is_an_error_and_no_crash() -> None:
    value: dict[str, Any] = {}
    value["itself"] = value
    with pytest.raises(RecursionError):
        encode(value)
