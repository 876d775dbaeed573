"""The admin shows both domains, and never a token."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from app.domains.realestate import models as realestate
from app.domains.velog import models as velog
from app.domains.velog.services import put_user
from livebeat import clock

pytestmark = pytest.mark.django_db

MODELS = [
    *(velog.User, velog.QRLoginToken, velog.Post, velog.PostDailyStatistics, velog.StatsRefreshRequest),
    *(realestate.Complex, realestate.Article, realestate.ArticleSnapshot, realestate.ArticleChange),
    *(realestate.CrawlJob, realestate.OddAnswer, realestate.Transaction),
]


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("root", password="only for this test"))
    return client


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_list_opens(staff: Client, model: type[velog.User]) -> None:
    meta = model._meta
    assert staff.get(reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist"), {"q": "x"}).status_code == 200


def test_a_user_s_page_shows_and_takes_no_token(staff: Client) -> None:
    put_user({"velog_uuid": "1" * 32, "access_token": "a.b.c", "refresh_token": "d.e.f", "group_id": 3})
    user = velog.User.objects.get()
    for name, args in (("changelist", []), ("change", [user.pk])):
        page = staff.get(reverse(f"admin:velog_user_{name}", args=args)).content.decode()
        assert user.access_token not in page
        assert user.refresh_token not in page
    form = {"username": "renamed", "access_token": "x.y.z", "is_active": "on"}
    assert staff.post(reverse("admin:velog_user_change", args=[user.pk]), form).status_code == 302
    changed = velog.User.objects.get()
    assert (changed.username, changed.access_token) == ("renamed", user.access_token)
    assert staff.get(reverse("admin:velog_user_add")).status_code == 403


def test_a_login_code_is_not_shown(staff: Client) -> None:
    put_user({"velog_uuid": "1" * 32, "access_token": "a.b.c", "refresh_token": "d.e.f"})
    code = velog.QRLoginToken.objects.create(token="QK7Z2M9XW4", user=velog.User.objects.get(), expires_at=clock.now())
    page = staff.get(reverse("admin:velog_qrlogintoken_change", args=[code.pk])).content.decode()
    assert code.token not in page
