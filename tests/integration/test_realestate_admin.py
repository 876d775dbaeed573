"""The real-estate admin: what may be changed there, and lists as CSV."""

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import reverse

from app.domains.realestate.models import Article, ArticleChange, Complex, Transaction

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(get_user_model().objects.create_superuser("root", password="only for this test"))
    return client


@pytest.fixture
def watched() -> Complex:
    return Complex.objects.create(complex_id="109208", complex_name="=시범반도")


def act(staff: Client, model: str, action: str, *pks: int) -> bytes:
    form = {"action": action, "_selected_action": [str(pk) for pk in pks]}
    answer = staff.post(reverse(f"admin:realestate_{model}_changelist"), form, follow=True)
    assert answer.status_code == 200
    return answer.content


def test_complexes_are_left_out_and_taken_in_again(staff: Client, watched: Complex) -> None:
    act(staff, "complex", "stop_watching", watched.pk)
    assert not Complex.objects.get().is_watched
    act(staff, "complex", "watch", watched.pk)
    assert Complex.objects.get().is_watched


def test_changes_are_marked_read_by_whoever_may(staff: Client, watched: Complex) -> None:
    row = ArticleChange.objects.create(complex=watched, article_no="1", change_type="NEW")
    act(staff, "articlechange", "read", row.pk)
    assert ArticleChange.objects.get().is_read
    assert staff.get(reverse("admin:realestate_articlechange_add")).status_code == 403


def test_the_chosen_rows_as_csv_without_formulas(staff: Client, watched: Complex) -> None:
    article = Article.objects.create(article_no="1", complex=watched, price="3억", feature_desc="@SUM(A1)")
    text = act(staff, "article", "export_csv", article.pk).decode("utf-8")
    assert text.startswith("\ufeffid,article_no,complex_id,")
    assert "'@SUM(A1)" in text
    assert "'=시범반도" in act(staff, "complex", "export_csv", watched.pk).decode("utf-8")


def test_a_trade_is_given_its_complex_and_nothing_else(staff: Client, watched: Complex) -> None:
    trade = Transaction.objects.create(apartment_name="시범", deal_price=1, trade_key="k")
    form = {"complex": "109208", "apartment_name": "다른 이름", "deal_price": "2"}
    answer = staff.post(reverse("admin:realestate_transaction_change", args=[trade.pk]), form)
    assert answer.status_code == 302
    trade.refresh_from_db()
    assert (trade.complex_id, trade.apartment_name, trade.deal_price) == ("109208", "시범", 1)
