"""Django's sign-in as a way into the API: staff are operators, superusers admins, and changes need our own pages."""

from collections.abc import Iterator

import httpx2
import pytest
import redis
from django.contrib.auth.models import User

from app.access.scopes import Scope
from app.access.services import issue

pytest_plugins = ["support.api"]

PATH = "/api/scheduler/schedule"
BODY = {"name": "n", "task": "app.tasks.scheduler.crawl_all_complexes", "hour": 1, "minute": 2}
RESTART = "/api/scheduler/beat/restart"
LOGIN = "/admin/login/"


@pytest.fixture
def closed(api: httpx2.Client) -> httpx2.Client:
    """The API once a key exists."""
    issue("some", Scope.ADMIN)
    return api


@pytest.fixture
def browser(closed: httpx2.Client) -> Iterator[httpx2.Client]:
    """A client with cookies of its own."""
    with httpx2.Client(base_url=closed.base_url, follow_redirects=False) as client:
        yield client


def sign_in(browser: httpx2.Client, name: str, password: str = "right") -> httpx2.Response:
    browser.get(LOGIN)
    form = {"username": name, "password": password, "csrfmiddlewaretoken": browser.cookies["csrftoken"], "next": "/"}
    return browser.post(LOGIN, data=form)


def person(name: str, **rights: bool) -> User:
    return User.objects.create_user(name, password="right", **rights)


def here(browser: httpx2.Client) -> dict[str, str]:
    return {"Origin": str(browser.base_url).rstrip("/")}


def test_staff_may_operate_and_superusers_administer(browser: httpx2.Client) -> None:
    person("op", is_staff=True)
    person("root", is_staff=True, is_superuser=True)
    assert sign_in(browser, "op").headers["location"] == "/"
    assert browser.get("/").status_code == 200
    assert browser.post(PATH, json=BODY, headers=here(browser)).status_code == 200
    assert browser.get(f"{PATH}/n").json()["changed_by"] == "op"
    assert browser.post(RESTART, headers=here(browser)).status_code == 403
    browser.cookies.clear()
    sign_in(browser, "root")
    assert browser.post(RESTART, headers=here(browser)).status_code == 200


def test_nobody_elses_session_counts(browser: httpx2.Client) -> None:
    user = person("op", is_staff=True)
    sign_in(browser, "op")
    assert browser.get(PATH).status_code == 200
    User.objects.filter(pk=user.pk).update(is_staff=False)
    assert browser.get(PATH).status_code == 401
    User.objects.filter(pk=user.pk).update(is_staff=True, is_active=False)
    assert browser.get(PATH).status_code == 401
    User.objects.filter(pk=user.pk).update(is_active=True)
    assert browser.get(PATH).status_code == 200
    user.set_password("another")
    user.save()
    assert browser.get(PATH).status_code == 401, "a new password ends the old sessions"
    for cookie in ("", "x", "../x", "x" * 5000):
        assert browser.get(PATH, headers={"Cookie": f"sessionid={cookie}"}).status_code == 401


def test_a_sign_out_ends_the_session_on_the_server(browser: httpx2.Client) -> None:
    person("op", is_staff=True)
    sign_in(browser, "op")
    kept = browser.cookies["sessionid"]
    browser.post("/admin/logout/", data={"csrfmiddlewaretoken": browser.cookies["csrftoken"]})
    assert browser.get(PATH, headers={"Cookie": f"sessionid={kept}"}).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "none"}, 403),
        ({"X-CSRFToken": "x" * 32}, 403),
        ({"X-CSRFToken": ""}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "ours"}, 200),
        ({"X-CSRFToken": "ours"}, 200),
    ],
)
def test_a_cookie_alone_changes_nothing(browser: httpx2.Client, headers: dict[str, str], status: int) -> None:
    person("op", is_staff=True)
    sign_in(browser, "op")
    ours = {"Origin": here(browser)["Origin"], "X-CSRFToken": browser.cookies["csrftoken"]}
    sent = {name: ours[name] if value == "ours" else value for name, value in headers.items()}
    assert browser.post(PATH, json=BODY, headers=sent).status_code == status
    names = browser.get(PATH).json()["schedule"]
    assert list(names) == (["n"] if status == 200 else [])


def test_passwords_are_tried_ten_times(browser: httpx2.Client, redis_url: str) -> None:
    person("op", is_staff=True)
    assert [sign_in(browser, "op", "wrong").status_code for _ in range(10)] == [200] * 10
    late = sign_in(browser, "op")
    assert late.status_code == 429
    assert 0 < int(late.headers["retry-after"]) <= 300
    assert "sessionid" not in browser.cookies
    with redis.Redis.from_url(redis_url) as client:
        client.delete("app:attempts:sign-in:127.0.0.1")
    for _ in range(12):
        assert sign_in(browser, "op").status_code == 302, "a success doesn't count"


def test_nobody_signs_in_uncounted(browser: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> int:
        raise redis.ConnectionError("gone")

    person("op", is_staff=True)
    monkeypatch.setattr("app.access.sign_in.count_attempt", away)
    assert sign_in(browser, "op").status_code == 503
    assert "sessionid" not in browser.cookies


def test_cookies_are_kept_from_scripts_and_other_sites(browser: httpx2.Client) -> None:
    person("op", is_staff=True)
    before = sign_in(browser, "op").headers["set-cookie"]
    session = next(part for part in before.split("sessionid=")[1:])
    assert "HttpOnly" in session
    assert "SameSite=Lax" in session
