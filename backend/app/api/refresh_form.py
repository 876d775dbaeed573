"""What is asked of the stats refresh, and the sentences that answer it."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from app.api.validation import Body
from livebeat.errors import Language

LARGEST_ID = 2**63 - 1
_MAX_DIGITS = 19
#: Requests that one call asks for again.
MOST_RETRIED = 500

#: By `Asked.outcome`: the Node API's own sentences, and the same in English.
SENTENCES: dict[str, dict[Language, str]] = {
    "accepted": {
        "ko": "통계 새로고침 요청이 성공적으로 등록되었습니다.",
        "en": "The refresh of the statistics was accepted.",
    },
    "under_way": {
        "ko": "이미 통계 새로고침이 진행 중입니다.",
        "en": "A refresh of these statistics is under way already.",
    },
    "up_to_date": {"ko": "통계가 최신 상태입니다.", "en": "The statistics are up to date."},
}


def _number(value: Any) -> Any:
    """The Node API sends numbers and numeric text alike."""
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else value


Failed = Literal["failed", "lost", "cancelled", "expired"]
Code = Annotated[str, Field(max_length=100, pattern="^[a-z_]+$")]


class RefreshForm(Body):
    """Whose statistics."""

    userId: Annotated[int, BeforeValidator(_number), Field(gt=0, le=LARGEST_ID)]  # noqa: N815  the old API's name


class RetryForm(Body):
    """Which failed requests to ask for again: how and why they failed (`code`), and within how many hours they came in.

    At most `limit`, the newest first. Without `"dryRun": false` nothing is done.
    """

    status: Failed | None = None
    code: Code | None = None
    hours: Annotated[int, Field(ge=1, le=8760)] = 24
    limit: Annotated[int, Field(ge=1, le=MOST_RETRIED)] = 100
    dryRun: bool = True  # noqa: N815  like the other members
