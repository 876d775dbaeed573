"""What lies on the old lists: messages of others, which are believed in nothing, and our entries for them.

A message is JSON with a `userId`: the Node API's `{"userId", "requestedAt", "retryCount"}`, or the later consumer's
envelope. While its run is unfinished an entry of ours lies in `:processing`: that envelope again, beginning with our mark
and the run's id, so that scripts find it without reading JSON. Pure.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: Each of our entries begins so; the run's id follows.
MARK = '{"takenBy": "livebeat", "requestId": "'
#: Bytes of a message that are read; none of these requests has a tenth of it.
READ_BYTES = 16 * 1024
_LARGEST_ID = 2**63 - 1
_ID_DIGITS = 19
_TEXT_LENGTH = 64
_LARGEST_COUNT = 1_000_000
#: The later consumer's envelope, in its order, without the id.
_FIELDS = ("userId", "requestedAt", "requestedBy", "retryCount", "reclaimedCount", "enqueuedAt", "lastAttemptAt")


@dataclass(frozen=True)
class Request:
    """A refresh that somebody asked for. `request_id` is a name that it came with and that no run can have had yet."""

    user_id: int
    request_id: str | None
    envelope: Mapping[str, Any]

    def rest(self, now: datetime) -> str:
        """Our entry after the run's id."""
        return _rest({**self.envelope, "processingStartedAt": iso(now)})


@dataclass(frozen=True)
class Malformed:
    """What is no request, and why: in English and Korean, and in one word as the old consumer had it."""

    text: str
    length: int
    en: str
    ko: str
    kind: str = "ValueError"

    @property
    def entry(self) -> str:
        """For `:failed`, as the old consumer wrote it."""
        told = {"raw_message": self.text, "error": self.en, "error_ko": self.ko, "error_type": self.kind}
        return json.dumps(told | ({"length": self.length} if self.length > READ_BYTES else {}))


@dataclass(frozen=True)
class Entry:
    """One of our entries in `:processing`."""

    run: str
    text: str
    envelope: Mapping[str, Any]

    @property
    def seen_at(self) -> datetime | None:
        """When a bridge last said that its run is unfinished."""
        try:
            return datetime.fromisoformat(self.envelope["processingStartedAt"]).astimezone(UTC)
        except (KeyError, TypeError, ValueError):
            return None

    def seen(self, now: datetime) -> str:
        """The same entry, seen now."""
        return MARK + self.run + _rest({**self.envelope, "processingStartedAt": iso(now)})

    def failed(self, at: datetime, attempts: int, reason: str, kind: str) -> str:
        """For `:failed`: the envelope with its reason. Moved back to the main list as it is, it is a new request."""
        count = self._count("retryCount") + max(attempts - 1, 0)
        told = {"retryCount": count, "lastAttemptAt": iso(at), "error": reason, "error_type": kind}
        return json.dumps({"requestId": self.run, **self._known, **told})

    def again(self, at: datetime) -> str:
        """For the main list: the envelope of a request that is to be taken once more."""
        told = {"reclaimedCount": self.reclaimed + 1, "lastAttemptAt": iso(at)}
        return json.dumps({"requestId": self.run, **self._known, **told})

    @property
    def reclaimed(self) -> int:
        """How often it was put back."""
        return self._count("reclaimedCount")

    @property
    def _known(self) -> dict[str, Any]:
        return {name: self.envelope.get(name) for name in _FIELDS}

    def _count(self, name: str) -> int:
        value = self.envelope.get(name)
        return value if isinstance(value, int) else 0


def read(text: str, length: int) -> Request | Malformed:
    """What a message asks for. `length`: its bytes, of which `text` is the beginning."""

    def malformed(en: str, ko: str, kind: str = "ValueError") -> Malformed:
        return Malformed(text, length, en, ko, kind)

    if length > READ_BYTES:
        return malformed(
            f"the message has {length} bytes; a request has at most {READ_BYTES}",
            f"메시지가 {length}바이트입니다. 요청은 최대 {READ_BYTES}바이트입니다",
        )
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        return malformed(f"it is not JSON: {why}", f"JSON이 아닙니다: {why}", "JSONDecodeError")
    if not isinstance(given, dict):
        return malformed("it is not a JSON object", "JSON 객체가 아닙니다")
    user_id = _user_id(given.get("userId"))
    if user_id is None:
        return malformed("userId must be a whole number above 0", "userId는 0보다 큰 정수여야 합니다")
    tried = any(given.get(name) for name in ("takenBy", "lastAttemptAt", "error"))
    return Request(user_id, None if tried else _uuid(given.get("requestId")), _envelope(user_id, given))


def entry_of(text: str) -> Entry | None:
    """One of our entries; None where it is somebody else's."""
    if not text.startswith(MARK):
        return None
    run = text.removeprefix(MARK).split('"', 1)[0]
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError):
        envelope = None
    return Entry(run, text, envelope if isinstance(envelope, dict) else {})


def iso(instant: datetime) -> str:
    """As JavaScript writes an instant."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _rest(members: Mapping[str, Any]) -> str:
    known = {name: members.get(name) for name in (*_FIELDS, "processingStartedAt")}
    return '", ' + json.dumps(known).removeprefix("{")


def _envelope(user_id: int, given: Mapping[str, Any]) -> dict[str, Any]:
    requested_at = _short(given.get("requestedAt"))
    return {
        "userId": user_id,
        "requestedAt": requested_at,
        "requestedBy": _user_id(given.get("requestedBy")),
        "retryCount": _small(given.get("retryCount")),
        "reclaimedCount": _small(given.get("reclaimedCount")),
        "enqueuedAt": _short(given.get("enqueuedAt")) or requested_at,
        "lastAttemptAt": _short(given.get("lastAttemptAt")),
    }


def _user_id(value: Any) -> int | None:
    """The Node API writes numbers and numeric text alike."""
    text = value.strip() if isinstance(value, str) else ""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= _ID_DIGITS else value
    return number if type(number) is int and 0 < number <= _LARGEST_ID else None


def _uuid(value: Any) -> str | None:
    try:
        return str(uuid.UUID(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _short(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= _TEXT_LENGTH else None


def _small(value: Any) -> int:
    return value if type(value) is int and 0 <= value <= _LARGEST_COUNT else 0
