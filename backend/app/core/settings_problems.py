"""What is wrong with the settings, in sentences: a setting's name, never a secret's value, English and Korean.

`SettingsError` holds one problem a line. Who reads the settings decides what to do with it;
`app.core.settings.get_settings` prints it and ends the process.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from app.core.errors import PlatformError

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Problem:
    """One setting that can't be used: its environment name, and what to write instead."""

    name: str
    en: str
    ko: str

    def __str__(self) -> str:
        return f"{self.name}: {self.en} / {self.ko}"


class SettingsError(PlatformError):
    """The settings can't be used. `problems` says why, one a setting."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__(
            reason_en="\n".join(f"{problem.name}: {problem.en}" for problem in problems),
            reason_ko="\n".join(f"{problem.name}: {problem.ko}" for problem in problems),
        )


class UnusableValueError(ValueError):
    """Raised by a setting's validator: what the value must be."""

    def __init__(self, en: str, ko: str) -> None:
        self.en, self.ko = en, ko
        super().__init__(en)


#: Pydantic's kinds of error, for a person.
_WORDS = {
    "int_parsing": ("must be a whole number", "정수여야 합니다"),
    "int_from_float": ("must be a whole number", "정수여야 합니다"),
    "float_parsing": ("must be a number", "숫자여야 합니다"),
    "bool_parsing": ("must be true or false", "true 또는 false여야 합니다"),
    "finite_number": ("must be a finite number", "유한한 숫자여야 합니다"),
    "greater_than": ("must be greater than {gt}", "{gt}보다 커야 합니다"),
    "greater_than_equal": ("must be {ge} or more", "{ge} 이상이어야 합니다"),
    "less_than_equal": ("must be {le} or less", "{le} 이하여야 합니다"),
    "literal_error": ("must be {expected}", "다음 중 하나여야 합니다: {expected}"),
}


def problems_of(error: ValidationError, secret: Collection[str]) -> tuple[Problem, ...]:
    """Each setting of a failed validation once. `secret` names the fields whose values are never shown."""
    found: dict[str, Problem] = {}
    for each in error.errors(include_url=False):
        field = str(each["loc"][0]) if each["loc"] else "settings"
        en, ko = _sentence(each)
        if field not in secret:
            value = repr(each["input"])[:_SHOWN_CHARACTERS]
            en, ko = f"{en}, it is {value}", f"{ko} (현재 {value})"
        found.setdefault(field, Problem(field.upper(), f"{en}.", f"{ko}."))
    return tuple(found.values())


def _sentence(each: Any) -> tuple[str, str]:
    context = each.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, UnusableValueError):
        return cause.en, cause.ko
    words = _WORDS.get(each["type"])
    if words is None:
        return "can't be used", "사용할 수 없는 값입니다"
    context = {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
    expected = str(context.get("expected", "")).replace(" or ", ", ")
    en, ko = (text.format(**{**context, "expected": expected}) for text in words)
    return (en.replace("must be '", "must be one of '"), ko)
