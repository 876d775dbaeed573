"""Every error of the engine, and the one way in which an error speaks two languages.

    LivebeatError
    ├── SpecError                  a schedule's definition can't be used; says which field and what to write
    │   └── NameRefusedError       the name would land on a key that isn't a schedule
    ├── ScheduleNotFoundError      (also a LookupError)
    ├── ScheduleExistsError
    ├── StillRunningError          a run of the schedule is unfinished, and its overlap rule allows no second one
    ├── BackfillNotFoundError      (also a LookupError)
    ├── RevisionConflictError      somebody else changed it first
    ├── SeedFileError              schedules.json can't be used; says where
    │   └── SeedEntryError         one of its entries could not be applied, the others are
    ├── ImportFileError            another scheduler's file can't be read; says why
    ├── MalformedMessageError      what lies on a queue is no message that a worker can use
    └── ConfigurationError         the app can't run like this; says which setting

An expected outcome ("already under way", "lost the claim") is a value, not an error. Redis' own errors pass through.
"""

from typing import Any, ClassVar, Literal

Language = Literal["en", "ko"]


class LivebeatError(Exception):
    """Base. `str(error)` is English; `error.text("ko")` the same in Korean. `facts` are what the sentence names."""

    en: ClassVar[str] = "{reason}"
    ko: ClassVar[str] = "{reason}"

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        super().__init__(self.text("en"))

    def text(self, language: Language) -> str:
        """The sentence for a reader of `language`."""
        template: str = getattr(self, language)
        reason = self.facts.get(f"reason_{language}", self.facts.get("reason", ""))
        return template.format(**{**self.facts, "reason": reason})


class SpecError(LivebeatError):
    """A schedule's definition can't be used. `field` names the part, `reason` (and `reason_ko`) what to write."""

    en = "{field}: {reason}"
    ko = "{field}: {reason}"

    def __init__(self, field: str, reason: str, reason_ko: str | None = None, **facts: Any) -> None:
        super().__init__(field=field, reason=reason, reason_ko=reason_ko or reason, **facts)


class NameRefusedError(SpecError):
    """The name is empty, too long, unprintable, or would land on a key that isn't a schedule."""


class ScheduleNotFoundError(LivebeatError, LookupError):
    """No schedule of this name."""

    en = "No schedule is named '{name}'."
    ko = "'{name}' 스케줄을 찾을 수 없습니다."


class ScheduleExistsError(LivebeatError):
    """A schedule of this name is there already."""

    en = "A schedule named '{name}' already exists."
    ko = "'{name}' 스케줄이 이미 존재합니다."


class StillRunningError(LivebeatError):
    """A run of the schedule is unfinished, and its overlap rule allows no second one beside or behind it."""

    en = "'{name}' was not triggered: run {run} of it is unfinished, and its overlap rule is {overlap}. Wait for its end."
    ko = (
        "'{name}' 스케줄을 실행하지 않았습니다. 실행 {run}이(가) 아직 끝나지 않았고 겹침 규칙이 {overlap}입니다. "
        "끝난 뒤 다시 시도하세요."
    )


class BackfillNotFoundError(LivebeatError, LookupError):
    """No backfill of this id."""

    en = "There is no backfill {id}. One that has ended is kept until 50 newer ones have."
    ko = "백필 {id}을(를) 찾을 수 없습니다. 끝난 백필은 그 뒤로 50개가 더 끝날 때까지 보관됩니다."


class RevisionConflictError(LivebeatError):
    """The schedule's revision is not the one that the change was made against."""

    en = "'{name}' was changed by somebody else (revision {actual}, expected {expected}). Read it again, then edit."
    ko = (
        "'{name}' 스케줄이 그 사이에 변경되었습니다 (현재 리비전 {actual}, 예상 {expected}). 다시 조회한 뒤 수정하세요."
    )


class SeedFileError(LivebeatError):
    """The schedules file can't be used; nothing was changed."""

    en = "{path}: {reason} Nothing was changed."
    ko = "{path}: {reason} 아무것도 변경하지 않았습니다."


class SeedEntryError(SeedFileError):
    """An entry of the schedules file could not be applied; the others are."""

    en = "{path}: {reason} This schedule was left as it is."
    ko = "{path}: {reason} 이 스케줄은 그대로 두었습니다."


class ImportFileError(LivebeatError):
    """Another scheduler's file can't be read; nothing was imported."""

    en = "{path}: {reason} Nothing was imported."
    ko = "{path}: {reason} 아무것도 가져오지 않았습니다."


class MalformedMessageError(LivebeatError):
    """What lies on a queue is no message that a worker can use."""


class ConfigurationError(LivebeatError):
    """The app's settings don't let the engine run."""

    en = "{reason}"
    ko = "{reason}"
