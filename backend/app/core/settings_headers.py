"""Request headers in settings: a JSON object of names and values, checked when it is read."""

import json
import re

from app.core.settings_problems import UnusableValueError

#: What a client must not pretend, and what the connection decides.
OWN_HEADERS = frozenset(
    {"authorization", "user-agent", "host", "connection", "content-length", "transfer-encoding", "accept-encoding"}
)
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[ -~]{0,4096}")


def headers_of(text: str) -> dict[str, str]:
    """The headers that `text` gives, names in lower case.

    Raises:
        UnusableValueError: it isn't a JSON object of printable ASCII texts, or names one that isn't the operator's.
    """
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict) or not all(_usable(name, value) for name, value in given.items()):
        raise UnusableValueError(
            'must be a JSON object like {"referer": "https://host/"}', '{"referer": "https://host/"} 형식이어야 합니다'
        )
    headers = {name.lower(): value for name, value in given.items()}
    owned = ", ".join(sorted(headers.keys() & OWN_HEADERS))
    if owned:
        raise UnusableValueError(f"may not set {owned}", f"{owned} 헤더는 지정할 수 없습니다")
    return headers


def _usable(name: str, value: object) -> bool:
    return bool(_NAME.fullmatch(name)) and isinstance(value, str) and bool(_VALUE.fullmatch(value))
