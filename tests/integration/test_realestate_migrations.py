"""Taking over listings of the old crawler: their prices can be searched, and every complex stays watched."""

from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _migrated_afterwards() -> Iterator[None]:
    yield
    call_command("migrate", verbosity=0)


def to(name: str) -> MigrationExecutor:
    MigrationExecutor(connection).migrate([("realestate", name)])
    return MigrationExecutor(connection)


def test_prices_that_are_there_can_be_searched() -> None:
    old = to("0003_crawls_and_odd_answers").loader.project_state([("realestate", "0003_crawls_and_odd_answers")]).apps
    old.get_model("realestate", "Complex").objects.create(complex_id="7", complex_name="가람마을")
    for number, price in enumerate(("11억 5,000", "5,000/140", "협의", None)):
        old.get_model("realestate", "Article").objects.create(article_no=str(number), complex_id="7", price=price)
    to("0004_reading")
    from app.domains.realestate.models import Article, Complex

    found = dict(Article.objects.values_list("article_no", "price_amount"))
    assert found == {"0": 115_000, "1": 5_000, "2": None, "3": None}
    assert Complex.objects.get().is_watched
    with connection.cursor() as cursor:  # the old crawler, which knows nothing of the column, still adds complexes
        cursor.execute("INSERT INTO complexes (complex_id, complex_name, created_at) VALUES ('8', '나', '2026-01-01')")
    assert Complex.objects.get(complex_id="8").is_watched
    Complex.objects.all().delete()
