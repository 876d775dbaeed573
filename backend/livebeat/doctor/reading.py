"""The index and its entries as they lie in Redis, page by page, whatever is wrong with them. Only reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from celery import Celery

from livebeat.connection import Link, as_stored
from livebeat.delivery import admit
from livebeat.entry import FIELDS, Raw, StoredSchedule, decode
from livebeat.errors import LivebeatError, SpecError

PAGE = 1000


@dataclass(frozen=True)
class Read:
    """A member of the index and what lies under its key; `found` is Redis' error where that is no hash."""

    key: str
    name: str
    score: float
    found: Raw | Exception


def pages(link: Link, lowest: str = "-inf", highest: str = "+inf") -> Iterator[list[Read]]:
    """The members of the index with scores in this range, as ZRANGEBYSCORE takes them, and their entries.

    Raises:
        redis.RedisError: Redis doesn't answer, or the index can't be read.
    """
    offset = 0
    while members := _members(link, lowest, highest, offset):
        pipeline = link.client.pipeline(transaction=False)
        for key, _ in members:
            pipeline.hmget(as_stored(key), list(FIELDS))
        texts = pipeline.execute(raise_on_error=False)
        yield [
            Read(key, link.keys.name(key), score, one if isinstance(one, Exception) else Raw(*(t or "" for t in one)))
            for (key, score), one in zip(members, texts, strict=True)
        ]
        offset += len(members)


def examine(app: Celery, link: Link, read: Read) -> tuple[StoredSchedule | None, LivebeatError | None]:
    """The schedule, as far as it can be understood, and why it can't be dispatched; None where it can."""
    try:
        link.keys.entry(read.name)
        stored = decode(read.name, _raw(read), link.zone)
    except LivebeatError as error:
        return None, error
    except Exception as error:  # whatever somebody wrote there
        return None, SpecError("definition", f"can't be read ({error})", f"읽을 수 없습니다 ({error})")
    if stored.problem is not None:
        return stored, LivebeatError(reason=stored.problem)
    try:
        admit(app, stored.spec)
    except LivebeatError as error:
        return stored, error
    except Exception as error:  # the app's own rule
        return stored, SpecError(
            "task", f"the app's own rule failed ({error!r})", f"앱의 허용 규칙에서 오류가 발생했습니다 ({error!r})"
        )
    return stored, None


def _raw(read: Read) -> Raw:
    if isinstance(read.found, Exception):
        raise SpecError("key", f"holds no schedule ({read.found})", f"스케줄이 아닙니다 ({read.found})")
    if not read.found.definition:
        raise SpecError(
            "key",
            "has no definition: the entry was deleted or evicted, and its place in the index was left",
            "정의가 없습니다. 항목이 삭제되었거나 메모리 부족으로 제거되었고 인덱스에만 남아 있습니다",
        )
    return read.found


def _members(link: Link, lowest: str, highest: str, offset: int) -> list[tuple[str, float]]:
    return cast(
        "list[tuple[str, float]]",
        link.client.zrangebyscore(link.keys.schedule, lowest, highest, start=offset, num=PAGE, withscores=True),
    )
