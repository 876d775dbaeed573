"""Pickles of Celery's PersistentScheduler, read as plain records. Nothing that a pickle names is ever run.

A pickle can name any function and have it called. So only the few names that Celery's scheduler writes are known
here, and each stands for a record of ours or a date, not for the thing named; any other name refuses the whole file.
"""

import io
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

from celery.utils.time import LocalTimezone


class ForbiddenNameError(Exception):
    """The pickle names something that has no place in a schedule file; the text is that name."""


@dataclass
class Rule:
    """A schedule object: `crontab`, `schedule` or another kind of Celery's, with what it was made from."""

    kind: str
    arguments: tuple[Any, ...]

    def __setstate__(self, state: object) -> None:
        """A crontab's `nowfun` and `app` come after its arguments; nothing here needs them."""


@dataclass(frozen=True)
class Record:
    """One entry as the scheduler kept it; what its fields hold is still to be checked."""

    name: Any
    task: Any
    last_run_at: Any
    total_run_count: Any
    rule: Any
    args: Any = ()
    kwargs: Any = field(default_factory=dict)
    options: Any = field(default_factory=dict)


def load(data: bytes) -> Any:
    """What the pickle holds: plain data, dates, `Record` and `Rule`.

    Raises:
        ForbiddenNameError: it names anything else.
        Exception: it is damaged; a pickle can fail in any way.
    """
    return _Reader(io.BytesIO(data)).load()


class _StandIn:
    """What a known name is replaced by: it can be called, and nothing else."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:
        return self._make(*arguments)

    def __setstate__(self, state: object) -> NoReturn:
        raise TypeError("a name has no state")


def _no_call(*_: object) -> NoReturn:
    raise TypeError("this name is not for calling")


def _zone(key: str, *_: object) -> ZoneInfo:
    return ZoneInfo(key)


def _rule(kind: str) -> _StandIn:
    return _StandIn(lambda *arguments: Rule(kind, arguments))


_ZONE_CLASS = _StandIn(_no_call)
_MAKE_ZONE = _StandIn(_zone)


def _attribute(of: object, name: object) -> _StandIn:
    """`ZoneInfo` pickles itself as a call of `getattr(ZoneInfo, '_unpickle')`."""
    if of is _ZONE_CLASS and name == "_unpickle":
        return _MAKE_ZONE
    raise ForbiddenNameError(f"builtins.getattr({name!r})")


def _range(*arguments: int) -> list[int]:
    """A crontab field may be a range; none needs more values than an hour has minutes."""
    return list(range(*arguments)[:60])


_NOTHING = _StandIn(lambda *_: None)
_KNOWN: dict[str, _StandIn] = {
    "celery.beat.ScheduleEntry": _StandIn(Record),
    **{f"celery.schedules.{kind}": _rule(kind) for kind in ("crontab", "schedule", "solar")},
    # An entry made with `app=` takes its app along.
    "celery.app.utils._unpickle_app": _NOTHING,
    "celery.app.utils._unpickle_app_v2": _NOTHING,
    "celery.app.base.Celery": _NOTHING,
    "celery.utils.time.LocalTimezone": _StandIn(lambda *_: LocalTimezone()),
    "datetime.datetime": _StandIn(datetime),
    "datetime.timedelta": _StandIn(timedelta),
    "datetime.timezone": _StandIn(timezone),
    "builtins.range": _StandIn(_range),
    "builtins.getattr": _StandIn(_attribute),
    "zoneinfo.ZoneInfo": _ZONE_CLASS,
    "zoneinfo.ZoneInfo._unpickle": _MAKE_ZONE,
    "backports.zoneinfo.ZoneInfo": _ZONE_CLASS,
    "pytz._UTC": _StandIn(lambda *_: ZoneInfo("UTC")),
    "pytz._p": _MAKE_ZONE,
}


class _Reader(pickle._Unpickler):  # the C one makes room for any memo index that a pickle claims to have
    def find_class(self, module: str, name: str) -> Any:
        known = _KNOWN.get(f"{module}.{name}")
        if known is None:
            raise ForbiddenNameError(f"{module}.{name}")
        return known

    def persistent_load(self, pid: Any) -> NoReturn:
        raise ForbiddenNameError(f"persistent id {pid!r}")
