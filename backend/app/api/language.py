"""Which of the two languages a caller reads: Korean, unless `Accept-Language` prefers English."""

from typing import Annotated

from fastapi import Depends, Request

from livebeat.errors import Language


def preferred(accept: str) -> Language:
    """The language of an `Accept-Language` value; 'ko' where it names neither, or both alike."""
    weights = {"ko": 0.0, "en": 0.0}
    for part in accept.split(","):
        tag, _, parameters = part.strip().partition(";")
        language = tag.strip().lower().split("-")[0]
        if language in weights:
            weights[language] = max(weights[language], _weight(parameters))
    return "en" if weights["en"] > weights["ko"] else "ko"


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return max(0.0, min(float(value), 1.0))
    except ValueError:
        return 0.0


def language_of(request: Request) -> Language:
    """The language of a request's reader."""
    return preferred(request.headers.get("accept-language", ""))


Reader = Annotated[Language, Depends(language_of)]
