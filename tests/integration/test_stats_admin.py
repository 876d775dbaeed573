"""Refresh requests in the admin: to look at, and to ask again for what failed."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.management import create_permissions
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from app.core.celery_app import celery_app
from app.domains.velog.models import StatsRefreshRequest
from app.domains.velog.requests import unique_key
from livebeat import clock
from livebeat.connection import link
from support.refreshes import make_user, new_id

pytest_plugins = ["support.api"]
pytestmark = pytest.mark.django_db

LIST = "admin:velog_statsrefreshrequest_changelist"


@pytest.fixture
def staff(client: Client, redis_url: str) -> Client:
    client.force_login(get_user_model().objects.create_superuser("root", password="only for this test"))
    return client


@pytest.fixture
def queued(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def request(status: str, user: int | None = None, *, ago: int = 0) -> StatsRefreshRequest:
    made = StatsRefreshRequest.objects.create(request_id=new_id(), user_id=user or make_user(), status=status)
    StatsRefreshRequest.objects.filter(pk=made.pk).update(created_at=clock.now() - timedelta(seconds=ago))
    return made


def retry(staff: Client, *rows: StatsRefreshRequest) -> str:
    form = {"action": "retry", "_selected_action": [row.pk for row in rows]}
    return staff.post(reverse(LIST), form, follow=True).content.decode()


def test_listed_searched_filtered_and_never_changed(staff: Client) -> None:
    made = request("FAILED")
    request("SUCCESS")
    page = staff.get(reverse(LIST), {"status": "FAILED"}).content.decode()
    assert str(made.request_id) in page
    assert "1 " in page
    assert str(made.request_id) in staff.get(reverse(LIST), {"q": str(made.request_id)}).content.decode()
    assert staff.get(reverse(LIST), {"q": "누구"}).status_code == 200
    assert staff.get(reverse("admin:velog_statsrefreshrequest_add")).status_code == 403
    change = reverse("admin:velog_statsrefreshrequest_change", args=[made.pk])
    assert staff.post(change, {"status": "SUCCESS"}).status_code == 403
    made.refresh_from_db()
    assert made.status == "FAILED"


def test_what_failed_is_asked_for_again_once(staff: Client, queued: "redis.Redis") -> None:
    rows = [request("FAILED"), request("DLQ"), request("SUCCESS"), request("PROCESSING")]
    page = retry(staff, *rows)
    assert "다시 요청함 / asked again: 2" in page
    assert "실패한 요청이 아님 / did not fail: 2" in page
    held = queued.hkeys("livebeat:unique")
    assert set(held) == {unique_key(row.user_id) for row in rows[:2]}
    assert "이미 진행 중 / under way already: 2" in retry(staff, *rows[:2])
    assert queued.llen("stats") == 2


def test_an_earlier_failure_is_not_asked_for_again(staff: Client, queued: "redis.Redis") -> None:
    user = make_user()
    first, second = request("FAILED", user, ago=60), request("FAILED", user)
    page = retry(staff, first, second)
    assert "다시 요청함 / asked again: 1" in page
    assert "이후 요청이 있음 / has a later request: 1" in page


@pytest.mark.usefixtures("absent_redis")
def test_a_redis_that_is_away_is_said(staff: Client) -> None:
    page = retry(staff, request("FAILED"))
    assert "Redis에 연결할 수 없습니다" in page


def test_who_may_only_look_cannot(client: Client, redis_url: str) -> None:
    create_permissions(apps.get_app_config("velog"))
    viewer = get_user_model().objects.create_user("viewer", password="only for this test", is_staff=True)
    viewer.user_permissions.add(Permission.objects.get(codename="view_statsrefreshrequest"))
    client.force_login(viewer)
    retry(client, request("FAILED"))
    assert link(celery_app).client.llen("stats") == 0
