"""Messages that no worker can use: every way in which what lies on a queue's list can fail to be a task's message."""

import base64
import gzip
import json
import uuid
from collections.abc import Callable
from typing import Any

TASK = "sample.note"


def message(body: Any = None, **headers: Any) -> dict[str, Any]:
    """A good message of protocol 2 as kombu lays it on a list, with these headers beside the usual ones."""
    run = str(uuid.uuid4())
    return {
        "body": _base64(json.dumps([[], {}, {}] if body is None else body)),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": TASK, "id": run, "root_id": run, "ignore_result": True, **headers},
        "properties": {
            "correlation_id": run,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }


def protocol_1() -> dict[str, Any]:
    """A good message of the first protocol, which Celery still takes."""
    run = str(uuid.uuid4())
    made = message({"task": TASK, "id": run, "args": [], "kwargs": {}, "retries": 0, "utc": True})
    return {**made, "headers": {}, "properties": {**made["properties"], "correlation_id": run}}


def deep(levels: int) -> list[bytes]:
    """Messages with a header, and with an option, of so many levels."""
    nested = "[" * levels + "]" * levels
    header = json.dumps(message(note="NESTED")).replace('"NESTED"', nested)
    option = {**message(), "body": _base64(f'[[], {{}}, {{"note": {nested}}}]')}
    return [header.encode(), json.dumps(option).encode()]


def corpus() -> dict[str, tuple[bytes, str]]:
    """Name → a message's bytes, made anew, and words of the reason for which it is set aside."""
    return {name: (_bytes(made()), words) for name, (made, words) in _CORPUS.items()}


def _base64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def _bytes(made: Any) -> bytes:
    return made if isinstance(made, bytes) else json.dumps(made).encode()


def _envelope(**changes: Any) -> dict[str, Any]:
    """A good message with parts replaced; None takes a part away."""
    made = {**message(), **{name.replace("_", "-"): value for name, value in changes.items()}}
    return {name: value for name, value in made.items() if value is not None}


def _properties(**changes: Any) -> dict[str, Any]:
    """The same among its properties."""
    made = message()
    properties = {**made["properties"], **changes}
    return {**made, "properties": {name: value for name, value in properties.items() if value is not None}}


def _without(header: str) -> dict[str, Any]:
    made = message()
    del made["headers"][header]
    return made


def _compressed(body: bytes) -> dict[str, Any]:
    return {**message(compression="application/x-gzip"), "body": _base64(body)}


_CORPUS: dict[str, tuple[Callable[[], Any], str]] = {
    "empty": (lambda: b"", "not JSON"),
    "no JSON": (lambda: b"hello", "not JSON"),
    "half a message": (lambda: json.dumps(message()).encode()[:200], "not JSON"),
    "no UTF-8": (lambda: b"\xff\xfe\x00", "not UTF-8"),
    "a picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not UTF-8"),
    "a pickle": (lambda: b"\x80\x04\x95\x0b\x00\x00\x00", "not UTF-8"),
    "a number": (lambda: b"17", "no object"),
    "a list": (lambda: b"[1, 2]", "no object"),
    "null": (lambda: b"null", "no object"),
    "100,000 deep": (lambda: b"[" * 100_000 + b"]" * 100_000, "levels deep"),
    "a number of 10,000 digits": (lambda: b"9" * 10_000, "not JSON"),
    "an unknown type": (lambda: b'{"__type__": "x", "__value__": 1}', "not JSON"),
    "a bad datetime": (lambda: b'{"a": {"__type__": "datetime", "__value__": 5}}', "not JSON"),
    "an empty object": (lambda: {}, "no properties"),
    "no properties": (lambda: _envelope(properties=None), "no properties"),
    "properties are a list": (lambda: _envelope(properties=[]), "no properties"),
    "headers are a list": (lambda: _envelope(headers=[1]), "headers are no object"),
    "headers are a text": (lambda: _envelope(headers="x"), "headers are no object"),
    "no headers": (lambda: _envelope(headers=None), "names no task"),
    "no delivery tag": (lambda: _properties(delivery_tag=None), "delivery_tag"),
    "delivery tag is a list": (lambda: _properties(delivery_tag=[]), "delivery_tag"),
    "delivery tag is half a character": (lambda: _properties(delivery_tag="\ud800"), "delivery_tag"),
    "no delivery info": (lambda: _properties(delivery_info=None), "names no queue"),
    "delivery info is a text": (lambda: _properties(delivery_info="celery"), "names no queue"),
    "delivery info is empty": (lambda: _properties(delivery_info={}), "names no queue"),
    "routing key is a list": (lambda: _properties(delivery_info={"exchange": "", "routing_key": []}), "names no queue"),
    "priority is infinite": (lambda: _properties(priority=float("inf")), "priority"),
    "priority is a list": (lambda: _properties(priority=[]), "priority"),
    "body is no base64": (lambda: _envelope(body="abcde"), "body can't be decoded"),
    "body is an object": (lambda: _envelope(body={"a": 1}), "body can't be decoded"),
    "body of an unknown encoding": (lambda: _properties(body_encoding="base91"), "body can't be decoded"),
    "no body": (lambda: _envelope(body=None), "not the arguments"),
    "body is empty": (lambda: _envelope(body=""), "not the arguments"),
    "body is no JSON": (lambda: _envelope(body=_base64("{")), "body can't be decoded"),
    "body is no UTF-8": (lambda: _envelope(body=_base64(b"\xff\xfe")), "body can't be decoded"),
    "body is a number": (lambda: message(5), "not the arguments"),
    "body is an object without arguments": (lambda: message({"a": 1}), "not the arguments"),
    "body is an object of three": (lambda: message({"a": 1, "b": 2, "c": 3}), "not the arguments"),
    "body has two parts": (lambda: message([[], {}]), "not the arguments"),
    "body has four parts": (lambda: message([[], {}, {}, {}]), "not the arguments"),
    "arguments are a text": (lambda: message(["args", {}, {}]), "not the arguments"),
    "named arguments are a list": (lambda: message([[], [], {}]), "not the arguments"),
    "options are a number": (lambda: message([[], {}, 5]), "not the arguments"),
    "a deep body": (lambda: _envelope(body=_base64("[" * 100_000 + "]" * 100_000)), "RecursionError"),
    "pickle": (lambda: _envelope(content_type="application/x-python-serialize"), "accept_content"),
    "yaml": (lambda: _envelope(content_type="application/x-yaml"), "accept_content"),
    "content type is a list": (lambda: _envelope(content_type=["application/json"]), "body can't be decoded"),
    "content encoding is a number": (lambda: _envelope(content_encoding=5), "body can't be decoded"),
    "compressed with nothing known": (lambda: message(compression="application/x-none"), "decompressed"),
    "compressed and cut": (lambda: _compressed(gzip.compress(b"x" * 1000)[:20]), "decompressed"),
    "no id": (lambda: _without("id"), "its id is missing"),
    "id is an object": (lambda: message(id={}), "its id is missing"),
    "id is half a character": (lambda: message(id="\udfff"), "its id is missing"),
    "no task": (lambda: _without("task"), "names no task"),
    "task is a list": (lambda: message(task=["x"]), "its task is missing"),
    "task is null": (lambda: message(task=None), "its task is missing"),
    "a bad eta": (lambda: message(eta="tomorrow"), "its eta can't be used"),
    "eta is an object": (lambda: message(eta={"at": 1}), "its eta can't be used"),
    "eta beyond the calendar": (lambda: message(eta="9999-12-31T23:59:59-12:00"), "its eta can't be used"),
    "bad expires": (lambda: message(expires="never"), "its expires can't be used"),
    "expires is a number": (lambda: message(expires=60), "its expires can't be used"),
    "timelimit is a number": (lambda: message(timelimit=7), "its timelimit can't be used"),
    "timelimit is of texts": (lambda: message(timelimit=["a", "b"]), "its timelimit can't be used"),
    "retries is a text": (lambda: message(retries="many"), "its retries can't be used"),
    "protocol 1 without a task": (
        lambda: {**message({"id": "1", "args": [], "kwargs": {}}), "headers": {}},
        "its task is missing",
    ),
    "protocol 1 with a list of named arguments": (
        lambda: {**message({"id": "1", "task": TASK, "args": [], "kwargs": []}), "headers": {}},
        "not the arguments",
    ),
    "10 MB of nothing": (lambda: b"x" * 10_000_000, "not JSON"),
    "a good message of 10 MB, cut": (
        lambda: json.dumps(message([["x" * 7_000_000], {}, {}])).encode()[:-3],
        "not JSON",
    ),
}
