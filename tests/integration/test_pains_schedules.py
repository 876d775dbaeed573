"""What hurt in the old schedule API, one test a pain, each under the name of what is right now."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx2
import pytest
import redis
from celery.schedules import crontab
from redbeat import RedBeatSchedulerEntry

from app.core.celery_app import celery_app
from app.domains.realestate.models import CrawlJob
from livebeat import Cron, ScheduleSpec, ScheduleStore, clock
from livebeat.beat.dispatch import Dispatcher
from livebeat.connection import link

pytest_plugins = ["support.api"]

PATH = "/api/scheduler/schedule"
ALL = "app.tasks.scheduler.crawl_all_complexes"
ONE = "app.tasks.scheduler.crawl_complex_async"
SEOUL = ZoneInfo("Asia/Seoul")


def create(api: httpx2.Client, **more: Any) -> httpx2.Response:
    return api.post(PATH, json={"name": "주간", "task": ALL, "hour": 6, "minute": 0, **more})


def put(api: httpx2.Client, name: str = "주간", **changes: Any) -> httpx2.Response:
    return api.put(address(api, name), json=changes)


def address(api: httpx2.Client, name: str) -> httpx2.URL:
    return api.base_url.copy_with(raw_path=f"{PATH}/{quote(name, safe='').replace('.', '%2E')}".encode())


def rule(api: httpx2.Client, name: str = "주간") -> str:
    text = str(api.get(PATH).json()["schedule"][name]["schedule"])
    return text.removeprefix("<crontab: ").removesuffix(" (m/h/dM/MY/d)>")


def test_11_a_name_is_taken_or_free_as_it_is_now_whoever_made_or_deleted_it(api: httpx2.Client) -> None:
    elsewhere = ScheduleStore(celery_app)
    elsewhere.put(ScheduleSpec(name="주간", task=ALL, recurrence=Cron("0 6 * * 1")))
    taken = create(api)
    assert (taken.status_code, taken.json()["detail"]) == (400, "'주간' 스케줄이 이미 존재합니다.")
    elsewhere.delete("주간")
    assert create(api).status_code == 200
    RedBeatSchedulerEntry.from_key("redbeat:주간", app=celery_app).delete()
    assert create(api).status_code == 200


def test_12_enabled_is_kept_and_shown_and_an_unknown_name_cannot_be_deleted(api: httpx2.Client) -> None:
    create(api, description="매일")
    assert put(api, enabled=False).status_code == 200
    entry = api.get(PATH).json()["schedule"]["주간"]
    assert (entry["enabled"], entry["next_run_at"], entry["description"]) == (False, None, "매일")
    assert {"args", "last_run_at"} <= set(entry)
    assert RedBeatSchedulerEntry.from_key("redbeat:주간", app=celery_app).enabled is False
    assert put(api, enabled=True).status_code == 200
    assert api.get(PATH).json()["schedule"]["주간"]["enabled"] is True
    assert api.delete(address(api, "없음")).status_code == 404


@pytest.mark.parametrize(
    ("day", "days"),
    [
        ("MONTHLY_1", "1 * *"),
        ("MONTHLY_15", "15 * *"),
        ("QUARTERLY_1", "1 1,4,7,10 *"),
        ("QUARTERLY_15", "15 1,4,7,10 *"),
        ("1,3,5", "* * 1,3,5"),
        ([1, 3, 5], "* * 1,3,5"),
    ],
)
def test_13_a_new_time_leaves_the_days_alone(api: httpx2.Client, day: Any, days: str) -> None:
    create(api, day_of_week=day)
    put(api, minute=45)
    assert rule(api) == f"45 6 {days}"
    put(api, hour=21)
    assert rule(api) == f"45 21 {days}"
    put(api, description="다른 것")
    assert rule(api) == f"45 21 {days}"


@pytest.mark.parametrize("changes", [{"day_of_week": "7"}, {"day_of_week": "MON"}, {"day_of_week": "MONTHLY_2"},
                                     {"day_of_week": ""}, {"hour": 25}, {"minute": 60}])  # fmt: skip
def test_14_what_is_no_day_or_hour_is_422_with_a_sentence(api: httpx2.Client, changes: dict[str, Any]) -> None:
    assert create(api, **changes).status_code == 422
    create(api)
    refused = put(api, **changes)
    assert refused.status_code == 422
    assert next(iter(changes)) in refused.json()["detail"]
    assert rule(api) == "0 6 * * *"


def test_14_monthly_by_put_is_a_day_of_the_month(api: httpx2.Client) -> None:
    create(api)
    for day, days in (("MONTHLY_1", "1 * *"), ("MONTHLY_15", "15 * *"), ("QUARTERLY_1", "1 1,4,7,10 *")):
        assert put(api, day_of_week=day).json()["schedule"]["day_of_week"] == day
        assert rule(api) == f"0 6 {days}"


def test_15_moved_to_earlier_today_it_does_not_fire_at_once(api: httpx2.Client, redis_url: str) -> None:
    now = clock.now().astimezone(SEOUL)
    later, earlier = now + timedelta(hours=2), now - timedelta(minutes=1)
    rule_before = crontab(hour=later.hour, minute=later.minute)
    ran = clock.now() - timedelta(days=1)
    RedBeatSchedulerEntry("주간", ALL, rule_before, app=celery_app, last_run_at=ran).save()
    dispatcher = Dispatcher(link(celery_app), ScheduleStore(celery_app))
    assert put(api, hour=earlier.hour, minute=earlier.minute).status_code == 200
    assert dispatcher.run_once(clock.now()) == ("ok", 0)
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen("crawl") == 0
        assert client.zscore("redbeat::schedule", "redbeat:주간") > clock.now().timestamp()
    assert RedBeatSchedulerEntry.from_key("redbeat:주간", app=celery_app).is_due()[0] is False  # nor by a stock beat


def test_16_a_day_is_a_number_or_text(api: httpx2.Client) -> None:
    for number, day in enumerate((3, "3", [3], ["3"])):
        assert create(api, name=str(number), day_of_week=day).json()["schedule"]["day_of_week"] == "3"
        assert put(api, str(number), day_of_week=0).json()["schedule"]["day_of_week"] == "0"


def test_17_every_instant_names_its_zone(api: httpx2.Client) -> None:
    create(api)
    CrawlJob.objects.create(status="success", started_at=clock.now(), finished_at=clock.now())
    listed = api.get(PATH).json()
    one = api.get(address(api, "주간")).json()
    job = api.get("/api/scheduler/jobs").json()["jobs"][0]
    assert listed["timezone"] == one["timezone"] == "Asia/Seoul"
    assert one["next_run_at"].endswith("T21:00:00Z")  # 06:00 in Seoul
    for instant in (listed["schedule"]["주간"]["next_run_at"], *one["next_runs"], one["changed_at"], job["started_at"]):
        assert instant.endswith(("Z", "+00:00"))


@pytest.mark.parametrize("name", [":lock", ":statics", ":schedule"])
def test_18_redbeats_own_keys_are_no_schedules_on_any_way(api: httpx2.Client, redis_url: str, name: str) -> None:
    create(api, name="다른 것")
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.set("redbeat::lock", "livebeat:somebody")
        client.sadd("redbeat::statics", "a")
        before = {key: client.dump(key) for key in client.keys("redbeat:*")}
        answers = [create(api, name=name), put(api, name, hour=1)]
        answers += [api.request(method, address(api, name)) for method in ("GET", "DELETE")]
        for answer in answers:
            assert answer.status_code == 422
            assert f"Redis 키 'redbeat:{name}'와 겹칩니다" in answer.json()["detail"]
        assert {key: client.dump(key) for key in client.keys("redbeat:*")} == before


@pytest.mark.parametrize("name", ["", "a\nb", "a\x00b", "x" * 201, "\u200b"])
def test_18_a_name_that_cannot_be_is_refused_on_any_way(api: httpx2.Client, name: str) -> None:
    assert create(api, name=name).status_code == 422
    for method in ("GET", "PUT", "DELETE") if name else ():
        answer = api.request(method, address(api, name), json={"hour": 1} if method == "PUT" else None)
        assert answer.status_code == 422
        assert answer.json()["detail"]


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "주간 업데이트",
        "a/b",
        "/",
        "100%",
        "%2F",
        "it's",
        '"quoted"',
        "🏠 아파트",
        "👨‍👩‍👧",
        "a?b#c",
        "..",
        "a+b&c=d",
        "<b>",
    ],
)
def test_18_any_printable_name_goes_through_every_endpoint(api: httpx2.Client, name: str) -> None:
    assert create(api, name=name).json()["message"] == f"스케줄 '{name}'이 생성되었습니다."
    assert name in api.get(PATH).json()["schedule"]
    assert api.get(address(api, name)).json()["name"] == name
    assert put(api, name, hour=9).json()["schedule"]["name"] == name
    assert rule(api, name) == "0 9 * * *"
    assert api.delete(address(api, name)).json()["message"] == f"스케줄 '{name}'이 삭제되었습니다."
    assert api.get(PATH).json()["schedule"] == {}


def test_19_arguments_survive_edits_and_reach_the_message(api: httpx2.Client, redis_url: str) -> None:
    create(api, task=ONE, complex_id="109208")
    put(api, hour=9)
    assert api.get(PATH).json()["schedule"]["주간"]["args"] == ["109208"]
    assert RedBeatSchedulerEntry.from_key("redbeat:주간", app=celery_app).args == ["109208"]
    put(api, complex_id=7)
    assert api.get(PATH).json()["schedule"]["주간"]["args"] == ["7"]
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        _make_due(client, "redbeat:주간")
        Dispatcher(link(celery_app), ScheduleStore(celery_app)).run_once(clock.now())
        (message,) = client.lrange("crawl", 0, -1)
    assert json.loads(message)["headers"]["argsrepr"] == "['7']"


def test_19_a_task_that_needs_arguments_is_refused_without_them(api: httpx2.Client) -> None:
    missing = create(api, task=ONE)
    assert (missing.status_code, missing.json()["detail"]) == (
        400,
        "특정 단지 크롤링 작업에는 complex_id가 필요합니다.",
    )
    create(api, kwargs={"job_type": "manual"})
    assert api.get(PATH).json()["schedule"]["주간"]["kwargs"] == {"job_type": "manual"}


def _make_due(client: "redis.Redis", key: str) -> None:
    """As if its slot were a second ago."""
    ours = json.loads(str(client.hget(key, "livebeat")))
    ours["next"] = int(clock.now().timestamp()) - 1
    client.hset(key, "livebeat", json.dumps(ours))
    client.zadd("redbeat::schedule", {key: ours["next"]})
