"""Request headers in settings: what an operator may say, and what stays the client's own."""

import json

import httpx2
import pytest

from app.clients.naver_land import _Bearer
from app.core.settings_headers import OWN_HEADERS, headers_of
from app.core.settings_problems import UnusableValueError


def test_headers_are_a_json_object_of_texts() -> None:
    assert headers_of('{"Referer": "https://host/", "x-a": ""}') == {"referer": "https://host/", "x-a": ""}
    assert headers_of("{}") == {}


@pytest.mark.parametrize(
    "text", ["", "referer: x", "[]", '{"a": 1}', '{"a": null}', '{"a b": "x"}', '{"a": "x\\r\\nb: y"}', '{"a": "값"}']
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UnusableValueError):
        headers_of(text)


@pytest.mark.parametrize("name", sorted(OWN_HEADERS))
def test_the_clients_own_are_not_the_operators(name: str) -> None:
    with pytest.raises(UnusableValueError, match=name):
        headers_of(json.dumps({name.title(): "x"}))


def test_they_go_out_with_the_token() -> None:
    request = httpx2.Request("GET", "https://host/", headers={"user-agent": "us"})
    next(_Bearer("token", headers_of('{"referer": "https://host/"}')).auth_flow(request))
    sent = {name: request.headers[name] for name in ("referer", "authorization", "user-agent")}
    assert sent == {"referer": "https://host/", "authorization": "Bearer token", "user-agent": "us"}
