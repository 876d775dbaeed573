"""Reading headers and fields of answers, without any network."""

from datetime import UTC, datetime, timedelta

import pytest

from app.clients.http import retry_after_seconds, validated
from app.clients.velog import VelogTokens, VelogUser, refreshed
from app.core.errors import ShapeChangedError
from app.domains.velog.posts import korean_midnight

NOW = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
OLD = VelogTokens("old.access.token", "old.refresh.token")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("0.5", 0.5),
        ("Sun, 22 Nov 2026 01:02:33 GMT", 30.0),
        ("Sun, 22 Nov 2026 01:00:00 GMT", 0.0),
        (None, None),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("1e9", None),
        ("inf", None),
        ("Sun, 22 Nov 2026 01:02:33", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, NOW) == seconds


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], OLD),
        (["_ga=GA1.2; Path=/"], OLD),
        (["access_token=; Max-Age=0", "refresh_token=; Max-Age=0"], OLD),
        (["access_token=n.e.w; Path=/; HttpOnly"], OLD),
        (["access_token=n.e.w", "refresh_token="], OLD),
        (["access_token=n.e.w", "refresh_token=<html>"], OLD),
        (["access_token=n.e.w; Path=/", 'refresh_token="r.e.f"; Secure', "_ga=1"], VelogTokens("n.e.w", "r.e.f")),
    ],
)
def test_tokens_are_renewed_as_a_pair_or_not_at_all(headers: list[str], expected: VelogTokens) -> None:
    assert refreshed(OLD, headers) == expected


def test_tokens_are_not_shown() -> None:
    assert "old" not in repr(OLD)


def test_a_wrong_shape_names_the_field_and_not_its_content() -> None:
    with pytest.raises(ShapeChangedError) as caught:
        validated("velog", "currentUser", VelogUser, {"id": "secret-content", "username": ""})
    assert "currentUser: id:" in str(caught.value)
    assert "(and 1 more)" in str(caught.value)
    assert "secret-content" not in str(caught.value)


def test_text_from_outside_fits_a_database() -> None:
    user = validated("velog", "currentUser", VelogUser, {"id": "0" * 32, "username": "a\x00b\ud83d"})
    assert user.username == "ab?"


def test_the_day_begins_at_midnight_in_korea() -> None:
    assert korean_midnight(datetime(2026, 1, 1, 14, 59, 59, tzinfo=UTC)) == datetime(2025, 12, 31, 15, tzinfo=UTC)
    assert korean_midnight(datetime(2026, 1, 1, 15, 0, tzinfo=UTC)) == datetime(2026, 1, 1, 15, tzinfo=UTC)
    assert korean_midnight(NOW).utcoffset() == timedelta(hours=9)
