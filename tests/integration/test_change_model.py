"""Change detection reports what an independent model does, over random histories of listings."""

import pytest

from app.domains.realestate.models import ArticleChange
from crawls.histories import differences

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("seed", [1, 2])
def test_product_and_model_report_the_same(seed: int) -> None:
    assert list(differences(seed, 40)) == []
    kinds = set(ArticleChange.objects.values_list("change_type", flat=True))
    assert kinds == {"NEW", "REMOVED", "RELISTED", "PRICE_UP", "PRICE_DOWN"}
