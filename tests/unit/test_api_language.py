"""Korean unless the caller prefers English."""

import pytest

from app.api.language import preferred


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        ("", "ko"),
        ("*", "ko"),
        ("en", "en"),
        ("en-US,en;q=0.9", "en"),
        ("EN-gb", "en"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        ("en;q=0.5, ko;q=0.4", "en"),
        ("en;q=0.5, ko;q=0.5", "ko"),
        ("fr, de", "ko"),
        ("fr, en;q=0.1", "en"),
        ("en;q=0", "ko"),
        ("en;q=nonsense", "ko"),
        (",;=q,,", "ko"),
    ],
)
def test_the_language_of_a_reader(accept: str, language: str) -> None:
    assert preferred(accept) == language
