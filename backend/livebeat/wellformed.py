"""What a message has to be, so that kombu and Celery's worker can work with it: JSON, an envelope, a task's message.

And how one is known that has an entry in the ledger.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from celery.utils.time import maybe_iso8601, maybe_make_aware, timezone
from kombu.exceptions import ContentDisallowed, SerializationError
from kombu.utils.json import loads

from livebeat.errors import MalformedMessageError

#: Present on every message that has a ledger entry; its value is the run's id.
RUN_HEADER = "livebeat_run"
_REASON = 500
#: Levels of a message: a worker dies of what it can read and then can't pickle for its pool.
_LEVELS = 100
#: How code that takes its input to be well formed fails on what is not.
BAD_DATA = (
    TypeError,
    ValueError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RecursionError,
    SerializationError,
    ContentDisallowed,
    MalformedMessageError,
)


def is_run(headers: Any, run_id: Any) -> bool:
    """Whether a message with these headers and this id has an entry in the ledger."""
    return isinstance(run_id, str) and headers.get(RUN_HEADER) == run_id


def parsed(item: bytes) -> Any:
    """What lay on a list, as JSON.

    Raises:
        MalformedMessageError: it is none.
    """
    try:
        return loads(item.decode())
    except UnicodeDecodeError:
        raise flaw("it is not UTF-8", "UTF-8이 아닙니다") from None
    except RecursionError:
        raise _too_deep() from None
    except Exception as error:
        raise flaw(f"it is not JSON: {error}", f"JSON이 아닙니다: {error}") from None


def check_envelope(payload: Any) -> None:
    """Hold a message to what kombu takes for granted.

    Raises:
        MalformedMessageError: what is missing.
    """
    if not isinstance(payload, dict):
        raise flaw("it is JSON but no object", "JSON이지만 객체가 아닙니다")
    _check_depth(payload)
    if not isinstance(payload.get("headers") or {}, dict):
        raise flaw("its headers are no object", "headers가 객체가 아닙니다")
    properties = payload.get("properties")
    if not isinstance(properties, dict):
        raise flaw("it has no properties", "properties가 없습니다")
    if not _is_name(properties.get("delivery_tag")):
        raise flaw("its delivery_tag is missing, or no text", "delivery_tag가 없거나 문자열이 아닙니다")
    came_by = properties.get("delivery_info")
    if not isinstance(came_by, dict) or not name_a_queue(came_by.get("exchange"), came_by.get("routing_key")):
        raise flaw("its delivery_info names no queue", "delivery_info에 큐가 지정되어 있지 않습니다")
    if not _fits(_is_priority, properties.get("priority")):
        raise flaw("its priority is no number", "priority가 숫자가 아닙니다")


def check_task(message: Any) -> None:
    """Hold a message to what Celery's worker takes for granted of a task's, of protocol 1 or 2.

    Raises:
        MalformedMessageError: what is wrong.
    """
    body = _body(message)
    _check_depth([body])
    headers = message.headers
    if "task" not in headers or (isinstance(body, dict) and "args" in body):
        if not isinstance(body, dict):
            raise flaw("it names no task, in its headers or its body", "headers와 본문 어디에도 태스크 이름이 없습니다")
        headers = {**body, **headers}
        body = [body.get("args", ()), body.get("kwargs", {}), {}]
    _check_body(body)
    for name in ("id", "task"):
        if not isinstance(headers.get(name), str) or not _is_name(headers[name]):
            raise flaw(f"its {name} is missing, or no text", f"{name}이(가) 없거나 문자열이 아닙니다")
    for name, fits in _HEADERS.items():
        if headers.get(name) is not None and not _fits(fits, headers[name]):
            shown = f"{headers[name]!r}"[:100]
            raise flaw(f"its {name} can't be used: {shown}", f"{name}을(를) 사용할 수 없습니다: {shown}")


def _body(message: Any) -> Any:
    """The decoded body; kombu keeps it for who asks next."""
    if message.errors:
        problem = f"{message.errors[0][1]!r}"
        raise flaw(f"its body can't be decompressed: {problem}", f"본문의 압축을 풀 수 없습니다: {problem}")
    try:
        return message.payload
    except ContentDisallowed:
        kind = f"{message.content_type!r}"[:100]
        raise flaw(
            f"its content type {kind} is not one that this app accepts (accept_content)",
            f"콘텐츠 유형 {kind}은(는) 이 앱이 허용하지 않습니다 (accept_content)",
        ) from None
    except Exception as error:
        raise flaw(f"its body can't be decoded: {error!r}", f"본문을 디코딩할 수 없습니다: {error!r}") from None


def _check_depth(outermost: Any) -> None:
    level = [outermost]
    for _ in range(_LEVELS):
        inner = (values for outer in level for values in (outer.values() if isinstance(outer, dict) else outer))
        level = [value for value in inner if isinstance(value, dict | list | tuple)]
        if not level:
            return
    raise _too_deep()


def _check_body(body: Any) -> None:
    if not (
        isinstance(body, list | tuple)
        and len(body) == 3
        and isinstance(body[0], list | tuple)
        and isinstance(body[1], dict)
        and isinstance(body[2] or {}, dict)
    ):
        raise flaw(
            "its body is not the arguments of a task: a list, an object and an object of options",
            "본문이 태스크의 인자 형식(목록, 객체, 옵션 객체)이 아닙니다",
        )


def _is_instant(value: Any) -> bool:
    """Whether the worker can wait for it, or compare it with now."""
    instant = maybe_iso8601(value)
    return isinstance(instant, datetime) and bool(timezone.to_system(maybe_make_aware(instant)))


def _are_limits(value: Any) -> bool:
    return not value or (len(value) == 2 and all(limit is None or limit >= 0 for limit in value))


_HEADERS: dict[str, Callable[[Any], bool]] = {
    "eta": _is_instant,
    "expires": _is_instant,
    "timelimit": _are_limits,
    "retries": lambda value: isinstance(value, int),
}


def _is_priority(value: Any) -> bool:
    return value is None or int(value) is not None


def name_a_queue(exchange: Any, key: Any) -> bool:
    """Whether a message that was sent by this exchange and routing key can be given back."""
    return bool(exchange or key) and all(name is None or isinstance(name, str) for name in (exchange, key))


def _fits(check: Callable[[Any], bool], value: Any) -> bool:
    try:
        return check(value)
    except BAD_DATA:
        return False


def _is_name(value: Any) -> bool:
    """Whether it is a text that Redis takes, or a number that kombu takes for one."""
    if isinstance(value, int):
        return True
    return isinstance(value, str) and value != "" and printable(value) == value


def printable(value: Any) -> str:
    """As text that can be written anywhere; what is no UTF-8 in it is escaped."""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return str(value).encode(errors="backslashreplace").decode()


def flaw(en: str, ko: str) -> MalformedMessageError:
    """What is wrong with a message, in both languages, cut to a readable length."""
    return MalformedMessageError(reason_en=printable(en)[:_REASON], reason_ko=printable(ko)[:_REASON])


def _too_deep() -> MalformedMessageError:
    return flaw(f"it is nested more than {_LEVELS} levels deep", f"{_LEVELS}단계보다 깊이 중첩되어 있습니다")


def flaw_of(error: Exception) -> MalformedMessageError:
    """The flaw that an error shows."""
    if isinstance(error, MalformedMessageError):
        return error
    if isinstance(error, RecursionError):
        return _too_deep()
    return flaw(f"the worker can't work with it: {error!r}", f"워커가 처리할 수 없습니다: {error!r}")
