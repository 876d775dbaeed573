"""What is wrong with a body or a query, a sentence a field, in the reader's language.

Also `Body`, the base of every JSON body: unknown members, wrong types and text that can't be stored are refused; and
`Instant`, an instant in a body or a query.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from livebeat.errors import Language

_OBJECT = (
    "JSON 객체여야 합니다 (Content-Type: application/json)",
    "must be a JSON object, sent as Content-Type: application/json",
)
_MOMENT = ("2026-11-22T06:00:00+09:00 형식이어야 합니다", "must look like 2026-11-22T06:00:00+09:00")
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
_SENTENCES: dict[str, tuple[str, str]] = {
    "missing": ("필수 항목입니다", "is missing"),
    "extra_forbidden": ("알 수 없는 항목입니다", "is not a known field"),
    "int_type": ("정수여야 합니다", "must be a whole number"),
    "int_parsing": ("정수여야 합니다", "must be a whole number"),
    "int_from_float": ("정수여야 합니다", "must be a whole number"),
    "string_type": ("문자열이어야 합니다", "must be text"),
    "bool_type": ("true 또는 false여야 합니다", "must be true or false"),
    "bool_parsing": ("true 또는 false여야 합니다", "must be true or false"),
    "float_parsing": ("숫자여야 합니다", "must be a number"),
    "finite_number": ("숫자여야 합니다", "must be a number"),
    "datetime_parsing": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "timezone_aware": _MOMENT,
    "list_type": ("목록이어야 합니다", "must be a list"),
    "dict_type": ("객체여야 합니다", "must be an object"),
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "greater_than": ("{gt}보다 커야 합니다", "must be greater than {gt}"),
    "greater_than_equal": ("{ge} 이상이어야 합니다", "must be at least {ge}"),
    "less_than": ("{lt}보다 작아야 합니다", "must be less than {lt}"),
    "less_than_equal": ("{le} 이하여야 합니다", "must be at most {le}"),
    "string_too_short": ("{min_length}자 이상이어야 합니다", "must have at least {min_length} characters"),
    "string_too_long": ("{max_length}자 이하여야 합니다", "must have at most {max_length} characters"),
    "string_pattern_mismatch": ("사용할 수 없는 문자가 있습니다", "holds characters that can't be used"),
    "enum": ("{expected} 중 하나여야 합니다", "must be {expected}"),
    "literal_error": ("{expected} 중 하나여야 합니다", "must be {expected}"),
    "instant": (
        "시간대가 있는 ISO 8601 시각이어야 합니다 (예: 2026-12-24T18:00:00+09:00)",
        "must be an instant in ISO 8601 with a time zone, such as 2026-12-24T18:00:00+09:00",
    ),
    "json_invalid": ("올바른 JSON이 아닙니다", "is not valid JSON"),
    "unstorable": (
        "저장할 수 없는 값(NaN, 깨진 문자)이 있습니다",
        "holds what can't be stored (NaN, broken characters)",
    ),
}


def _instant(value: Any) -> datetime:
    """The + of an offset means a space in a query that was not encoded."""
    try:
        instant = datetime.fromisoformat(value.replace(" ", "+") if "T" in value else value)
        if instant.tzinfo is not None and _FIRST_YEAR <= instant.year <= _LAST_YEAR:
            return instant.astimezone(UTC)
    except (TypeError, ValueError, AttributeError, OverflowError):
        pass
    raise PydanticCustomError("instant", "must be an instant in ISO 8601 with a time zone")


Instant = Annotated[datetime, BeforeValidator(_instant), Field(examples=["2026-12-24T18:00:00+09:00"])]


class Body(BaseModel):
    """A JSON body. Types are taken as they are: "1" is no number."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        try:
            json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
        except (ValueError, RecursionError):
            raise PydanticCustomError("unstorable", "holds what can't be stored") from None
        return data


def field_errors(errors: Iterable[Mapping[str, Any]], language: Language) -> list[dict[str, str]]:
    """`{"field", "message"}` of each field that pydantic found wrong; one a field, never the input itself."""
    found: dict[str, str] = {}
    for error in errors:
        where = [str(part) for part in error["loc"] if isinstance(part, str)]
        # A union reports one error a member, with the member's name last: the field is what counts.
        field = where[1] if len(where) > 1 else where[0]
        found.setdefault(field, _sentence(error, language))
    return [{"field": field, "message": message} for field, message in found.items()]


def _sentence(error: Mapping[str, Any], language: Language) -> str:
    message = str(error["msg"])
    ko, en = _SENTENCES.get(error["type"], (message, message))
    return (ko if language == "ko" else en).format(**error.get("ctx", {}))
