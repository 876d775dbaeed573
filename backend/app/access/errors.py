"""What can't be done with keys.

AccessError (an app.core.errors.PlatformError)
├── WeakKeyError        the text is no key that could protect anything
├── KeyNameError        the name can't be a key's
├── KeyNameTakenError   a key of this name is in use
├── KeyExpiryError      the end is not in the future
└── UnknownKeyError     no key in use has this name or prefix
"""

from app.core.errors import PlatformError


class AccessError(PlatformError):
    """Base."""


class WeakKeyError(AccessError):
    """Too short, or not to be sent in a header. Says nothing of the text itself."""

    en = "{setting} must have at least {least} characters, all of them printable ASCII without spaces."
    ko = "{setting}: 공백 없는 ASCII 문자 {least}자 이상이어야 합니다."


class KeyNameError(AccessError):
    """Empty, too long, or with characters that can't be printed."""

    en = "A key's name must have 1 to {most} printable characters."
    ko = "키 이름은 출력할 수 있는 문자 1~{most}자여야 합니다."


class KeyNameTakenError(AccessError):
    """Two keys of one name could not be told apart in the history; a revoked key's name is free again."""

    en = "A key named '{name}' is in use; revoke it first or choose another name."
    ko = "'{name}' 키를 이미 사용하고 있습니다. 먼저 폐기하거나 다른 이름을 사용하세요."


class KeyExpiryError(AccessError):
    """A key that never works helps nobody."""

    en = "A key must expire in the future, at an instant with a time zone."
    ko = "키의 만료 시각은 시간대가 있는 미래 시각이어야 합니다."


class UnknownKeyError(AccessError):
    """Never made, or revoked already."""

    en = "No key in use has the name or prefix '{name}'."
    ko = "이름이나 접두어가 '{name}'인 사용 중인 키가 없습니다."
