"""What a schedule becomes that was changed in the file, or live, or both: field by field, against what was last applied.

Pure. The rule with its start and end is one field here, and args, kwargs and options are each whole. What the file
changed is as the file says; what was changed only live stays. Whether a schedule is paused is live state: the file
decides it only for a schedule that it creates.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Literal

from livebeat.rules import Recurrence
from livebeat.spec import ScheduleSpec

SeedPolicy = Literal["merge", "overwrite", "create_only"]
#: `create`, `change`, `remove` write the schedule. Left as it is: `same`; `deleted` live; `kept`, though it is no
#: longer in the file; `unread`: what lies there can't be understood. `forget`: neither in the file nor live any more.
Action = Literal["create", "change", "remove", "same", "deleted", "kept", "unread", "forget"]

_RULE = ("recurrence", "start", "end")
#: What a rule of the file may leave open and the store fills in.
_FILLED_IN = frozenset({"anchor", "dtstart", "timezone"})


@dataclass(frozen=True)
class Difference:
    """A field in which the file and the live schedule differ, and who wins. `edited`: it was changed live."""

    field: str
    file: Any
    live: Any
    wins: Literal["file", "live"]
    edited: bool


@dataclass(frozen=True)
class Merged:
    """What is to happen to a schedule, and why. `spec`: as it is to be, where it is created or changed."""

    action: Action
    spec: ScheduleSpec | None = None
    differences: tuple[Difference, ...] = ()

    @property
    def writes(self) -> bool:
        """Whether the schedule is changed."""
        return self.action in {"create", "change", "remove"}


def merge(
    file: ScheduleSpec | None,
    base: ScheduleSpec | None,
    live: ScheduleSpec | None,
    policy: SeedPolicy,
    zone: str,
) -> Merged:
    """One name: what the file says of it, what was last applied, what is live (each None where it isn't there).

    `zone` is the app's, which a rule without one works in.
    """
    if file is None:
        return _left_out(base, live, policy, zone)
    if live is None:
        again = policy == "overwrite" or (policy == "merge" and is_changed(file, base, zone))
        return Merged("create", file) if base is None or again else Merged("deleted")
    differences = tuple(_differences(file, base, live, policy, zone))
    won = [field for one in differences if one.wins == "file" for field in _group(one.field)]
    changes = {field: getattr(file, field) for field in won}
    if not changes:
        return Merged("same", differences=differences)
    return Merged("change", live.with_changes(**changes), differences)


def is_as(live: ScheduleSpec, wanted: ScheduleSpec, zone: str) -> bool:
    """Whether the live schedule is what `wanted` says, its pause aside."""
    return not any(_differs(field, wanted, live, zone) for field in _names())


def is_changed(file: ScheduleSpec, base: ScheduleSpec | None, zone: str) -> bool:
    """Whether the file was changed since it was applied."""
    return base is None or file.enabled != base.enabled or not is_as(base, file, zone)


def _left_out(base: ScheduleSpec | None, live: ScheduleSpec | None, policy: SeedPolicy, zone: str) -> Merged:
    """A name that was applied once and isn't in the file any more."""
    if live is None:
        return Merged("forget")
    untouched = base is not None and is_as(live, base, zone)
    if policy == "overwrite" or (policy == "merge" and untouched):
        return Merged("remove")
    return Merged("kept")


def _differences(
    file: ScheduleSpec, base: ScheduleSpec | None, live: ScheduleSpec, policy: SeedPolicy, zone: str
) -> Iterable[Difference]:
    for field in _names():
        if _differs(field, file, live, zone):
            edited = base is None or _differs(field, base, live, zone)
            yield _difference(field, file, live, edited=edited, wins=_file_wins(field, file, base, policy, zone))
    if file.enabled != live.enabled:
        yield _difference("enabled", file, live, edited=True, wins=policy == "overwrite")


def _difference(field: str, file: ScheduleSpec, live: ScheduleSpec, *, edited: bool, wins: bool) -> Difference:
    return Difference(field, getattr(file, field), getattr(live, field), "file" if wins else "live", edited)


def _file_wins(field: str, file: ScheduleSpec, base: ScheduleSpec | None, policy: SeedPolicy, zone: str) -> bool:
    if policy == "merge" and base is not None:
        return any(_differs(one, file, base, zone) for one in _group(field))
    return policy == "overwrite"


def _group(field: str) -> tuple[str, ...]:
    """What is merged with it as one."""
    return _RULE if field in _RULE else (field,)


def _names() -> list[str]:
    """The fields that are merged."""
    return [one.name for one in fields(ScheduleSpec) if one.name not in {"name", "enabled"}]


def _differs(field: str, wanted: ScheduleSpec, live: ScheduleSpec, zone: str) -> bool:
    says, kept = getattr(wanted, field), getattr(live, field)
    if isinstance(says, Recurrence):
        return not _fits(says.to_json(), kept.to_json(), zone)
    return bool(says != kept)


def _fits(says: Any, kept: Any, zone: str) -> bool:
    """Whether the rule kept is the one said, with what that left open filled in."""
    if isinstance(says, dict) and isinstance(kept, dict):
        one_zone = says.get("timezone", zone) == kept.get("timezone", zone)
        members = [name for name in says if name != "timezone"]
        is_whole = kept.keys() - says.keys() <= _FILLED_IN
        return one_zone and is_whole and all(name in kept and _fits(says[name], kept[name], zone) for name in members)
    if isinstance(says, list) and isinstance(kept, list):
        return len(says) == len(kept) and all(_fits(one, other, zone) for one, other in zip(says, kept, strict=True))
    return bool(says == kept)
