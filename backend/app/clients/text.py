"""Text from outside, made fit for a database: no NUL (PostgreSQL refuses it), no half of a surrogate pair."""

from typing import Annotated, Any

from pydantic import BeforeValidator


def _clean(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


CleanText = Annotated[str, BeforeValidator(_clean)]
