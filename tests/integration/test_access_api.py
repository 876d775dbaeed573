"""Who gets to which route: the whole matrix from what the routes declare, and every way around it that we know."""

import logging
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import redis
from django.db import connection

from app.access.models import ApiKey
from app.access.scopes import Scope
from app.api.openapi import EXTENSION
from support.access import bearer, forget_attempts, make_keys

pytest_plugins = ["support.api"]

PATH = "/api/scheduler/schedule"
BODY = {"name": "n", "task": "app.tasks.scheduler.crawl_all_complexes", "hour": 1, "minute": 2}
PAGES = ("/", "/docs", "/openapi.json", "/flower/", "/flower/tasks", "/flower", "/nothing", "/api/nothing", "/flower/x")


@pytest.fixture
def keys(api: httpx2.Client) -> dict[str, str]:
    """A key of each kind."""
    return make_keys()


@pytest.fixture
def counters(redis_url: str) -> Iterator["redis.Redis"]:
    """Where attempts are counted."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def operations(api: httpx2.Client, key: str) -> list[tuple[str, str, str]]:
    """Method, path with something in each parameter, and need of every operation of the document."""
    paths = api.get("/openapi.json", headers=bearer(key)).json()["paths"]
    return [
        (method.upper(), path.replace("{", "").replace("}", ""), operation[EXTENSION])
        for path, methods in paths.items()
        for method, operation in methods.items()
    ]


def status(api: httpx2.Client, method: str, path: str, headers: dict[str, str]) -> int:
    """The status alone: some answers never end."""
    body = {} if method in {"POST", "PUT"} else None
    with api.stream(method, path, headers=headers, json=body, follow_redirects=False, timeout=20) as answer:
        if answer.status_code in {401, 403, 429} and not path.startswith("/flower"):
            assert answer.headers["content-type"] == "application/problem+json"
        return int(answer.status_code)


@pytest.mark.parametrize("who", ["nobody", "viewer", "operator", "admin", "expired", "revoked"])
def test_every_operation_for_everybody(
    api: httpx2.Client, keys: dict[str, str], counters: "redis.Redis", who: str
) -> None:
    headers = {} if who == "nobody" else bearer(keys[who])
    known = operations(api, keys["viewer"])
    assert len(known) > 10
    for method, path, need in known:
        forget_attempts(counters)
        found = status(api, method, path, headers)
        if need == "open":
            assert found in {200, 503}, (method, path)
        elif who in {"nobody", "expired", "revoked"}:
            assert found == 401, (method, path)
        elif not Scope(who).includes(Scope(need)):
            assert found == 403, (method, path)
        else:
            assert found not in {401, 403, 429}, (method, path)
            assert found < 500, (method, path)


@pytest.mark.parametrize("path", PAGES)
def test_pages_follow_the_rule_too(api: httpx2.Client, keys: dict[str, str], path: str) -> None:
    assert status(api, "GET", path, {}) == 401
    assert status(api, "GET", path, bearer(keys["viewer"])) not in {401, 403}


@pytest.mark.parametrize("name", ["health", "ready", "live", "metrics", "docs", "openapi.json", "static", "flower"])
@pytest.mark.parametrize(
    "form",
    ["{}", "{}/", "%2e%2e%2f{}", "..%2f{}", "x%2f..%2f{}", "{}%2f", "%252e%252e%252f{}", "x/../{}", "{}%00", "upper"],
)
def test_names_that_look_like_open_routes(api: httpx2.Client, keys: dict[str, str], name: str, form: str) -> None:
    shown = name.upper() if form == "upper" else form.format(name)
    for prefix in (f"{PATH}/", "/api/scheduler/", "/api/", "/api/health/live/../../scheduler/schedule/"):
        url = api.base_url.copy_with(raw_path=f"{prefix}{shown}".encode())
        for method in ("GET", "PUT", "DELETE"):
            found = api.request(method, url, json={} if method == "PUT" else None).status_code
            assert found == 401, (method, str(url))


@pytest.mark.parametrize("path", ["/health/", "/api/health/live/", "/API/health/live", "//api/health/live", "/static"])
def test_what_is_open_is_open_by_its_route_alone(api: httpx2.Client, keys: dict[str, str], path: str) -> None:
    answer = api.get(api.base_url.copy_with(raw_path=path.encode()), follow_redirects=False)
    assert answer.status_code in {401, 404}, answer.text


def test_either_header_and_only_ours(api: httpx2.Client, keys: dict[str, str]) -> None:
    key = keys["viewer"]
    for headers in ({"X-API-Key": key}, {"Authorization": f"bearer {key}"}, {"Authorization": f"Bearer  {key}"}):
        assert status(api, "GET", PATH, headers) == 200
    both = {"Authorization": "Basic dTpw", "X-API-Key": key}
    assert status(api, "GET", PATH, both) == 200
    for headers in ({"Authorization": f"Basic {key}"}, {"Authorization": key}, {"Cookie": f"key={key}"}):
        assert status(api, "GET", PATH, headers) == 401
    assert api.get(f"{PATH}?api_key={key}").status_code == 401


def test_refusals_say_why_in_both_languages(api: httpx2.Client, keys: dict[str, str]) -> None:
    nobody = api.get(PATH)
    assert nobody.headers["www-authenticate"].startswith("Bearer ")
    assert "인증이 필요합니다" in nobody.json()["detail"]
    assert "API key" in api.get(PATH, headers={"Accept-Language": "en"}).json()["detail"]
    wrong = api.get(PATH, headers=bearer("lb_wrong"))
    assert 'error="invalid_token"' in wrong.headers["www-authenticate"]
    small = api.post(PATH, json=BODY, headers={**bearer(keys["viewer"]), "Accept-Language": "en"})
    assert small.status_code == 403
    assert small.json()["detail"] == "This needs the scope operator; yours is viewer."
    assert 'error="insufficient_scope"' in small.headers["www-authenticate"]


def test_a_person_without_sign_in_is_led_to_it(api: httpx2.Client, keys: dict[str, str]) -> None:
    html = {"Accept": "text/html,*/*"}
    led = api.get("/flower/tasks?a=1&b=2", headers=html, follow_redirects=False)
    assert led.status_code == 303
    assert led.headers["location"] == "/admin/login/?next=/flower/tasks%3Fa%3D1%26b%3D2"
    assert api.get(led.headers["location"]).status_code == 200
    assert api.get(PATH, headers=html).status_code == 401
    assert api.get("/static/front.css").status_code == 200


def test_changes_are_made_in_the_keys_name(api: httpx2.Client, keys: dict[str, str]) -> None:
    assert api.post(PATH, json=BODY, headers=bearer(keys["operator"])).status_code == 200
    assert api.get(f"{PATH}/n", headers=bearer(keys["viewer"])).json()["changed_by"] == "operator-key"


def test_open_until_the_first_key_and_never_again(api: httpx2.Client) -> None:
    banner = "manage.py api_key create"
    assert banner in api.get("/").text
    assert api.post(PATH, json=BODY, headers=bearer("of no meaning yet")).status_code == 200
    keys = make_keys()
    assert status(api, "GET", PATH, {}) == 401
    assert banner not in api.get("/", headers=bearer(keys["viewer"])).text
    ApiKey.objects.update(revoked_at="2020-01-01T00:00:00Z")
    assert status(api, "GET", PATH, {}) == 401


def test_a_caller_from_elsewhere_needs_a_key_even_before_the_first_one(api: httpx2.Client) -> None:
    """As behind a proxy on this machine, which says for whom it asks."""
    for address in ("203.0.113.9", "not an address"):
        assert status(api, "GET", PATH, {"X-Forwarded-For": address}) == 401


def test_ten_failures_then_429_and_nobody_else_is_locked_out(
    api: httpx2.Client, keys: dict[str, str], counters: "redis.Redis"
) -> None:
    wrong = bearer("lb_" + "a" * 12 + "_" + "b" * 43)
    assert [status(api, "GET", PATH, wrong) for _ in range(12)] == [401] * 10 + [429] * 2
    late = api.get(PATH, headers=wrong)
    assert 0 < int(late.headers["retry-after"]) <= 300
    assert status(api, "GET", PATH, bearer(keys["viewer"])) == 200, "a good key is no attempt"
    assert status(api, "GET", PATH, {}) == 401
    transport = httpx2.HTTPTransport(local_address="127.0.0.2")
    with httpx2.Client(base_url=api.base_url, transport=transport) as other:
        assert status(other, "GET", PATH, wrong) == 401
    (left,) = {counters.ttl(key) > 0 for key in counters.scan_iter("app:attempts:*")}
    assert left


def test_refusals_are_logged_without_what_was_sent(
    api: httpx2.Client, keys: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    secrets = ["canary-in-a-key-0123456789", keys["revoked"].split("_", 2)[2], keys["viewer"].split("_", 2)[2]]
    with caplog.at_level(logging.DEBUG, logger="app"):
        api.get(f"{PATH}?token=canary-in-a-query", headers=bearer(secrets[0]))
        api.get(PATH, headers={"X-API-Key": keys["revoked"]})
        api.post(PATH, json=BODY, headers=bearer(keys["viewer"]))
        api.post(PATH, json=BODY, headers={**bearer(keys["admin"]), "Origin": "http://evil.example"})
    refused = [record.getMessage() for record in caplog.records if record.getMessage().startswith("refused ")]
    assert len(refused) == 4
    assert all(PATH in line for line in refused)
    everything = "\n".join(record.getMessage() for record in caplog.records)
    assert not [secret for secret in [*secrets, "canary-in-a-query"] if secret in everything]


def test_a_database_that_is_away_opens_nothing(api: httpx2.Client, keys: dict[str, str]) -> None:
    assert status(api, "GET", PATH, {}) == 401
    elsewhere = "/nowhere/at/all" if connection.vendor == "sqlite" else "nope"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(connection.settings_dict, "NAME", elsewhere)
        for headers in ({}, bearer(keys["admin"]), bearer(keys["revoked"]), {"Cookie": "sessionid=x"}):
            answer = api.get(PATH, headers=headers)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "2"
        assert api.get("/api/health/live").status_code == 200


def test_a_redis_that_is_away_lets_good_keys_in_and_no_attempt(
    api: httpx2.Client, keys: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> int:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr("app.api.admission.count_attempt", away)
    assert status(api, "GET", "/api/scheduler/runs", bearer(keys["viewer"])) == 200
    assert status(api, "GET", "/api/scheduler/runs", {}) == 401
    assert api.get("/api/scheduler/runs", headers=bearer("wrong")).status_code == 503
