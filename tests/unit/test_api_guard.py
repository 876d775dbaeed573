"""What a request passes before a route sees it."""

from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from app.api.guard import MAX_BODY, Guard

HOSTS = ("127.0.0.1", "localhost", "[::1]", "livebeat.example")


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await JSONResponse({"path": scope["path"], "size": len(body)})(scope, receive, send)


@pytest.fixture
def client() -> TestClient:
    return TestClient(Guard(echo, HOSTS), base_url="http://127.0.0.1:8000")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "LOCALHOST:1", "[::1]:8000", "livebeat.example"])
def test_known_hosts_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "127.0.0.1.evil.example", "evil@127.0.0.1", "127.0.0.1:80:80", "127.0.0.1:x", "[::1", "::1"],
)
def test_unknown_hosts_are_refused(client: TestClient, host: str) -> None:
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://127.0.0.1:8000"},
        {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_changes_from_here_pass(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "null"},
        {"Origin": "http://[bad"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_changes_from_another_site_are_refused(client: TestClient, method: str, headers: dict[str, str]) -> None:
    assert client.request(method, "/", headers=headers).status_code == 403
    assert client.get("/", headers=headers).status_code == 200


def test_a_large_body_is_refused_by_its_announced_length(client: TestClient) -> None:
    assert client.post("/", content=b"x" * MAX_BODY).json()["size"] == MAX_BODY
    answer = client.post("/", content=b"x" * (MAX_BODY + 1), headers={"Accept-Language": "en"})
    assert answer.status_code == 413
    assert "256 KiB" in answer.json()["detail"]


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 1024):
        yield b"x" * 1024


def test_a_large_body_of_unknown_length_is_refused_too(client: TestClient) -> None:
    assert client.post("/", content=chunks(MAX_BODY)).json()["size"] == MAX_BODY
    assert client.post("/", content=chunks(MAX_BODY + 1024)).status_code == 413


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    headers = client.get("/anything").headers
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "unsafe-inline" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers


def test_schedule_names_are_matched_on_the_raw_path(client: TestClient) -> None:
    assert client.get("/api/scheduler/schedule/a%2Fb%20c").json()["path"] == "/api/scheduler/schedule/a%2Fb%20c"
    assert client.get("/api/scheduler/a%2Fb").json()["path"] == "/api/scheduler/a/b"


def test_websockets_are_closed(client: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/"):
        pass
