"""Runs, complexes, health, the pages and what guards them, over real HTTP."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app.api.routes.flower import FlowerClient, flower_router
from app.core.celery_app import celery_app
from app.domains.realestate.models import Complex
from app.history import heartbeat
from app.history.services import record_events
from livebeat import Cron, ScheduleSpec, ScheduleStore
from livebeat.keys import Keys
from support.news import START, event, life
from support.serving import serving

pytest_plugins = ["support.api"]

ALL = "app.tasks.scheduler.crawl_all_complexes"


def test_runs_in_pages(api: httpx2.Client) -> None:
    record_events([item for n in range(5) for item in life(f"r{n}", n * 10)])
    first = api.get("/api/scheduler/runs", params={"limit": 3}).json()
    rest = api.get("/api/scheduler/runs", params={"limit": 3, "cursor": first["next"]}).json()
    assert [run["id"] for run in [*first["items"], *rest["items"]]] == ["r4", "r3", "r2", "r1", "r0"]
    assert rest["next"] is None
    newest = first["items"][0]
    assert newest["duration_seconds"] == 2.0
    assert (newest["state"], newest["worker"], newest["result"]) == ("succeeded", "b@host", {"ok": 1})
    assert newest["slot"] == START.isoformat().replace("+00:00", "Z")


def test_runs_filtered(api: httpx2.Client) -> None:
    record_events([*life("a"), event("run.failed", run="b", schedule="x/y 한글", error_class="E", error="why")])
    found = api.get("/api/scheduler/runs", params={"schedule": "x/y 한글"}).json()["items"]
    assert [(run["id"], run["error"]) for run in found] == [("b", "E: why")]
    assert api.get("/api/scheduler/runs", params={"state": "succeeded", "task": ALL}).json()["items"][0]["id"] == "a"


@pytest.mark.parametrize(
    "query",
    ["state=nonsense", "limit=0", "limit=201", "limit=x", "cursor=nonsense", "schedule=%00", "task=" + "x" * 300],
)
def test_bad_questions_are_422(api: httpx2.Client, query: str) -> None:
    answer = api.get(f"/api/scheduler/runs?{query}")
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_complexes_in_pages(api: httpx2.Client) -> None:
    for n in range(3):
        Complex.objects.create(complex_id=str(n), complex_name=f"단지 {n}")
    first = api.get("/api/realestate/complexes", params={"limit": 2}).json()
    rest = api.get("/api/realestate/complexes", params={"cursor": first["next"]}).json()
    assert [row["complex_id"] for row in [*first["items"], *rest["items"]]] == ["0", "1", "2"]
    assert rest["next"] is None
    assert api.get("/api/realestate/complexes", params={"cursor": "9" * 30}).status_code == 422


def test_live_is_always_200(api: httpx2.Client) -> None:
    assert api.get("/api/health/live").json() == {"status": "alive"}
    assert api.get("/health").json() == {"status": "healthy"}


def test_ready_names_what_is_missing(api: httpx2.Client, redis_url: str) -> None:
    answer = api.get("/api/health/ready")
    assert answer.status_code == 503
    checks = answer.json()["checks"]
    assert {name: check["ok"] for name, check in checks.items()} == {
        "redis": True,
        "database": True,
        "migrations": True,
        "beat": False,
        "worker": False,
        "recorder": False,
    }
    keys = Keys()
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.set(keys.lock, "livebeat:host:1:2")
        client.xgroup_create(keys.events, heartbeat.GROUP, id="0", mkstream=True)
        client.xgroup_createconsumer(keys.events, heartbeat.GROUP, "host")
        heartbeat.beat(client, "host", "ok")
        checks = api.get("/api/health/ready").json()["checks"]
        assert (checks["beat"]["ok"], checks["recorder"]["ok"]) == (True, True)
        client.set(keys.lock, "a stock beat's token")
        heartbeat.beat(client, "host", "waiting for the database")
        checks = api.get("/api/health/ready").json()["checks"]
        assert (checks["beat"]["ok"], checks["recorder"]["ok"]) == (False, False)
        assert "foreign" in checks["beat"]["detail"]


def test_the_front_page_lists_schedules_and_escapes_them(api: httpx2.Client) -> None:
    assert "등록된 스케줄이 없습니다" in api.get("/").text
    name = "<script>alert(1)</script>"
    ScheduleStore(celery_app).put(ScheduleSpec(name=name, task=ALL, recurrence=Cron("0 6 * * 1")))
    page = api.get("/", headers={"Accept-Language": "en-US,en"})
    assert page.status_code == 200
    assert name not in page.text
    assert "&lt;script&gt;" in page.text
    assert "every Monday 06:00" in page.text
    assert "Next run" in page.text
    for address in ("/docs", "/flower/", "/admin/"):
        assert f'href="{address}"' in page.text
    assert "<script" not in page.text


def test_docs_load_nothing_from_elsewhere(api: httpx2.Client) -> None:
    page = api.get("/docs").text
    assert "http://" not in page
    assert "https://" not in page
    for file in ("swagger-ui-bundle.js", "swagger-ui.css", "docs.js", "front.css", "admin/css/base.css"):
        assert api.get(f"/static/{file}").status_code == 200, file
    paths = api.get("/openapi.json").json()["paths"]
    assert {"/api/scheduler/schedule", "/api/scheduler/schedule/{name}", "/api/stats/refresh"} <= set(paths)


def test_django_serves_the_admin(api: httpx2.Client) -> None:
    login = api.get("/admin/login/", headers={"Accept-Language": "ko"})
    assert login.status_code == 200
    assert "로그인" in login.text
    assert api.get("/nothing").status_code == 404


def test_hosts_and_origins_are_checked_everywhere(api: httpx2.Client) -> None:
    for path in ("/", "/api/scheduler/schedule", "/admin/", "/flower/", "/static/front.css"):
        assert api.get(path, headers={"Host": "evil.example"}).status_code == 400
    evil = {"Origin": "http://evil.example"}
    for path in ("/api/stats/refresh", "/admin/login/", "/flower/tasks/datatable"):
        assert api.post(path, headers=evil).status_code == 403


def test_flower_that_is_not_there_is_a_page(api: httpx2.Client) -> None:
    answer = api.get("/flower/")
    assert answer.status_code == 503
    assert "Flower가 실행되고 있지 않습니다" in answer.text
    assert api.get("/flower", follow_redirects=False).headers["location"] == "/flower/"


@pytest.fixture
def flower(tmp_path: Path) -> Iterator[httpx2.Client]:
    """Our proxy before a stand-in for Flower on a unix socket, that says what it was asked."""
    import threading

    import uvicorn

    from support.waiting import wait_until

    async def answer(request: Request) -> PlainTextResponse:
        body = (await request.body()).decode()
        text = f"{request.method} {request.scope['raw_path'].decode()}?{request.url.query} {body}"
        hidden = {"X-Seen": ",".join(sorted(request.headers)), "Set-Cookie": "_xsrf=1", "X-Kept": "yes"}
        return PlainTextResponse(text, 200, hidden)

    socket = tmp_path / "f.sock"
    stand_in = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "HEAD", "POST", "DELETE"])])
    server = uvicorn.Server(uvicorn.Config(stand_in, uds=str(socket), log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, 10, "the stand-in listens")
    from fastapi import FastAPI

    from app.api import problems

    app = FastAPI()
    problems.install(app)
    app.include_router(flower_router(FlowerClient(socket)))
    with serving(app) as proxy:
        yield proxy.http
    server.should_exit = True
    thread.join(10)


def test_flower_is_passed_on_as_it_is(flower: httpx2.Client) -> None:
    answer = flower.get("/flower/task/a%2Fb?x=1&y=%20", headers={"Cookie": "sessionid=s", "Authorization": "Bearer k"})
    assert answer.text == "GET /flower/task/a%2Fb?x=1&y=%20 "
    assert answer.headers["x-kept"] == "yes"
    assert "set-cookie" not in answer.headers
    assert not {"cookie", "authorization"} & set(answer.headers["x-seen"].split(","))
    assert flower.post("/flower/tasks/datatable", data={"draw": "1"}).text == "POST /flower/tasks/datatable? draw=1"


@pytest.mark.parametrize("path", ["api/worker/shutdown/w", "api/task/revoke/x", "api/task/async-apply/t", "login"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed_through_flower(flower: httpx2.Client, method: str, path: str) -> None:
    answer = flower.request(method, f"/flower/{path}")
    assert answer.status_code == 403
    assert answer.json()["detail"] == "Flower는 읽기 전용입니다."
