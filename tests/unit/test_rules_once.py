"""One instant, and then never again."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livebeat import Once
from livebeat.errors import SpecError
from livebeat.rules import describe, from_json

AT = datetime(2026, 12, 24, 18, tzinfo=UTC)
_instants = st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.timezones())


@given(_instants, _instants)
def test_it_is_due_at_its_instant_and_never_again(at: datetime, now: datetime) -> None:
    rule = Once(at)
    assert rule.next_after(now) == (rule.at if at.astimezone(UTC) > now.astimezone(UTC) else None)
    assert rule.next_after(rule.at) is None
    assert rule.between(rule.at - timedelta(microseconds=1), rule.at) == [rule.at]
    assert from_json(rule.to_json()) == rule
    assert rule.resolved("Asia/Seoul", now) is rule


def test_an_instant_is_the_same_in_any_zone() -> None:
    assert Once(AT.astimezone(ZoneInfo("Asia/Seoul"))) == Once(AT)
    assert (describe(Once(AT), "ko"), describe(Once(AT), "en")) == (
        "2026-12-24 18:00:00 UTC에 한 번",
        "once, 2026-12-24 18:00:00 UTC",
    )


@pytest.mark.parametrize("at", [None, "2026-12-24", datetime(2026, 12, 24), 3])
def test_what_is_no_instant_is_refused(at: Any) -> None:
    with pytest.raises(SpecError) as caught:
        Once(at)
    assert caught.value.facts["field"] == "at"


@pytest.mark.parametrize("data", [{}, {"at": "tomorrow"}, {"at": "2026-12-24T18:00:00"}, {"at": 3}])
def test_json_that_is_no_instant_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(SpecError) as caught:
        from_json({"kind": "once", **data})
    assert caught.value.facts["field"] == "at"
