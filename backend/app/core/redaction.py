"""Keeps secrets out of everything that is written down: log lines, tracebacks, Sentry's events.

Two ways at once: the secrets in our own settings are known and are masked wherever they stand, in each spelling that
they may have; everybody else's (a user's tokens, a cookie, a header) are known by the words around them or by their
form. Rather too much is masked than too little. What no rule can know is a stranger's secret in plain prose.
"""

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

from app.core.sample_secrets import is_sample, password_in
from app.core.settings import Settings

MASK = "***"
#: A shorter known secret would mask half of every line; it is still masked by the words around it.
_SHORTEST_KNOWN = 6

#: Whatever has such a name is a secret.
_TELLTALE = (
    r"[\w-]{0,40}(?:token|password|passwd|passphrase|secret|secret[_-]?key|api[_-]?key|aes[_-]?key[_-]?\d|private[_-]?key"
    r"|sessionid|session[_-]?id|credentials?|sentry[_-]dsn)"
)
_HEADER_NAME = r"(?:proxy-)?authorization|(?:set-)?cookies?|x-api-key"
#: After a name: `=`, `:`, `=>`, or the comma of a pair, with the quotes that may end the name and start the value.
_IS = r"(?:\\*[\"']?\s*(?:=>|[=:])|\\*[\"'],)\s*(?:Secret(?:Str)?\()?b?"
_QUOTED = r"(?P<quote>\\*[\"'])(?:(?!(?P=quote))(?:\\.|[^\\\r\n]))*"
_QUOTED_VALUE = re.compile(rf"(?i)(?P<name>\b(?:{_TELLTALE}|{_HEADER_NAME}){_IS}){_QUOTED}")
_HEADER_LINE = re.compile(rf"(?i)(?P<name>\b(?:{_HEADER_NAME})\s*[=:]\s*)(?![\"'\\])[^\r\n\"']+")
_PLAIN_VALUE = re.compile(
    rf"(?i)(?P<name>\b{_TELLTALE}\\*[\"']?\s*(?:=>|[=:])\s*)(?:(?:bearer|basic|token)\s+)?"
    r"(?!None\b|True\b|False\b|null\b)[^\s,;&\"'\\)\]}<>]+"
)
_BEARER = re.compile(r"(?i)(?P<name>\bbearer\s+)[\w.~+/=-]{8,}")
_IN_ADDRESS = re.compile(r"(?P<name>\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@\"']*:)[^\s/\"']+(?=@)", re.IGNORECASE)
#: A JSON web token, whole or cut short; its first part is base64 of `{"`, `{ ` or a line break after the brace.
_WEB_TOKEN = re.compile(r"\be(?:yJ|yA|wo)[\w-]{6,}(?:\.[\w-]*){0,2}")
#: Without any of these in it, a text holds none of the above; nearly all texts are done with at that.
_SIGNS = (
    "token",
    "pass",
    "secret",
    "key",
    "session",
    "credential",
    "dsn",
    "auth",
    "cookie",
    "bearer",
    "://",
    "lb_",
    "eyj",
    "eya",
    "ewo",
)
#: One of the platform's own API keys: the prefix is public, the rest is not.
_API_KEY = re.compile(r"(?P<name>\blb_[a-z0-9]+_)[\w-]{20,}")
_NAMED = (_API_KEY, _QUOTED_VALUE, _HEADER_LINE, _PLAIN_VALUE, _BEARER, _IN_ADDRESS)
_SECRET_KEY = re.compile(rf"(?i)^(?:{_TELLTALE}|{_HEADER_NAME})$")


class Redactor:
    """Masks secrets in text and in plain data. `known` are secrets to be masked wherever they stand."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        spellings = {spelling for secret in known for spelling in _spellings(secret)}
        self._known = sorted(spellings, key=len, reverse=True)

    @classmethod
    def of(cls, settings: Settings) -> "Redactor":
        """One that knows the secrets of these settings; samples that everybody knows aren't any."""
        known = set()
        for field, text in settings.secret_values.items():
            if field.endswith("_webhook_url"):  # the path alone lets anybody post
                known |= {text, urlsplit(text).path, urlsplit(text).path.rpartition("/")[2]}
                continue
            known |= {password_in(text)} if field.endswith("_url") else {text}
            if field == "sentry_dsn":
                known.add(urlsplit(text).username or "")
        return cls(secret for secret in known if len(secret) >= _SHORTEST_KNOWN and not is_sample(secret))

    def text(self, text: str) -> str:
        """`text` with every secret masked."""
        for spelling in self._known:
            if spelling in text:
                text = text.replace(spelling, MASK)
        lower = text.lower()
        if not any(sign in lower for sign in _SIGNS):
            return text
        text = _WEB_TOKEN.sub(MASK, text)
        for pattern in _NAMED:
            text = pattern.sub(_masked, text)
        return text

    def data(self, data: Any, depth: int = 40) -> Any:
        """A copy of JSON-like data with every secret masked, by its text or by the key that it stands under."""
        if isinstance(data, str):
            return self.text(data)
        if depth == 0:
            return MASK
        if isinstance(data, dict):
            return {
                key: MASK if value and isinstance(key, str) and _SECRET_KEY.match(key) else self.data(value, depth - 1)
                for key, value in data.items()
            }
        if isinstance(data, list | tuple):
            return [self.data(value, depth - 1) for value in data]
        return data


def _masked(found: "re.Match[str]") -> str:
    return f"{found['name']}{found.groupdict().get('quote') or ''}{MASK}"


def _spellings(secret: str) -> set[str]:
    """The secret itself, and how it looks inside an address, a form, a `repr` and JSON."""
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
    }
