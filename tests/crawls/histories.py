"""Random histories of listings, told to the product and to the model; what they report must be the same.

PYTHONPATH=backend:tests python -m crawls.histories --listings 1000 --seed 1
"""

import argparse
import os
import random
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crawls.reference import Model, Offer, Told
from simulators.world import price_text

IN_A_COMPLEX = 20
CRAWLS = 15
_RENTED = "월세"
_TRADES = ("매매", "전세", _RENTED)
_START = datetime(2026, 11, 2, tzinfo=UTC)


def _offer(rng: random.Random) -> Offer:
    trade = rng.choice(_TRADES)
    return Offer(trade, rng.randrange(1, 400) * 500, rng.randrange(30, 300, 5) if trade == _RENTED else None)


def _moved(rng: random.Random, offer: Offer) -> Offer:
    """Most offers stay; some ask more or less, some become another kind of trade, some a text that says nothing."""
    chance = rng.random()
    if chance < 0.02:
        return replace(offer, price=None, rent=None)
    if chance < 0.05 or offer.price is None:
        return _offer(rng)
    if chance < 0.15:
        return replace(offer, price=max(0, offer.price + rng.choice((-1_000, -500, 500, 15_000))))
    if chance < 0.20 and offer.rent is not None:
        return replace(offer, rent=max(0, offer.rent + rng.choice((-10, 5))))
    return offer


def history(rng: random.Random, numbers: list[str]) -> Iterator[tuple[Mapping[str, Offer], bool]]:
    """What each crawl of a complex finds, and whether its list was whole."""
    offers = {number: _offer(rng) for number in numbers}
    up = {number for number in numbers if rng.random() < 0.7}
    for _ in range(CRAWLS):
        offers = {number: _moved(rng, offer) for number, offer in offers.items()}
        up = {number for number in numbers if (rng.random() < 0.9 if number in up else rng.random() < 0.15)}
        whole, chance, shown = rng.random() > 0.1, rng.random(), sorted(up)
        if chance < 0.06:
            shown = []
        elif chance < 0.15 or not whole:
            shown = rng.sample(shown, rng.randrange(len(shown) + 1))
        rng.shuffle(shown)
        yield {number: offers[number] for number in shown}, whole


def differences(seed: int, listings: int) -> Iterator[str]:
    """Where product and model disagree, over so many listings; the product's rows are in the database at hand."""
    rng = random.Random(seed)
    for index in range(0, listings, IN_A_COMPLEX):
        complex_no = str(700_000 + index)
        numbers = [str(3_000_000_000 + index + each) for each in range(min(IN_A_COMPLEX, listings - index))]
        model = Model()
        for turn, (site, whole) in enumerate(history(rng, numbers)):
            expected = Counter(model.crawl(site, whole=whole))
            for _ in range(1 + (rng.random() < 0.2)):  # some crawls are delivered twice
                _product_crawls(complex_no, turn, site, whole=whole)
            reported = _product_reports(complex_no, turn)
            if reported != expected:
                less, more = list((expected - reported).elements()), list((reported - expected).elements())
                yield f"complex {complex_no}, crawl {turn}: missing {less}, too many {more}"
        if _product_up(complex_no) != model.up:
            yield f"complex {complex_no}: other listings are up"


def _product_crawls(complex_no: str, turn: int, site: Mapping[str, Offer], *, whole: bool) -> None:
    from app.clients.naver_land import ComplexOverview, LandArticle, Listing
    from app.domains.realestate.models import CrawlJob
    from app.domains.realestate.storage import Crawl, store

    at = _START + timedelta(hours=turn)
    job_id = uuid.uuid5(uuid.NAMESPACE_OID, f"{complex_no}/{turn}")
    job, _ = CrawlJob.objects.get_or_create(job_id=job_id, defaults={"status": "running", "started_at": at})
    articles = [
        LandArticle(article_no=number, trade_type_name=offer.trade, deal_or_warrant_prc=_text(offer))
        for number, offer in site.items()
    ]
    overview = ComplexOverview(complex_no=complex_no, complex_name=complex_no)
    store(Crawl(job.pk, str(job_id), str(job_id), at, overview, Listing(articles, whole)), at)


def _text(offer: Offer) -> str:
    if offer.price is None:
        return "협의"
    return price_text(offer.price) if offer.rent is None else f"{price_text(offer.price)}/{price_text(offer.rent)}"


def _product_reports(complex_no: str, turn: int) -> Counter[Told]:
    from app.domains.realestate.models import ArticleChange

    rows = ArticleChange.objects.filter(complex_id=complex_no, detected_at=_START + timedelta(hours=turn))
    return Counter(
        (kind, str(no), by) for kind, no, by in rows.values_list("change_type", "article_no", "price_change_amount")
    )


def _product_up(complex_no: str) -> set[str]:
    from app.domains.realestate.models import Article

    return set(Article.objects.filter(complex_id=complex_no, is_active=True).values_list("article_no", flat=True))


def main() -> int:
    """0 where there was no difference."""
    parser = argparse.ArgumentParser(prog="python -m crawls.histories", description="Product against model.")
    parser.add_argument("--listings", type=int, default=1000, help="listings with a history (default 1,000)")
    parser.add_argument("--seed", type=int, default=1, help="of the histories (default 1)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lb-histories-") as folder:
        os.environ.update(  # noqa: TID251  before anything of the platform reads its settings
            LIVEBEAT_DATA_DIR=folder,
            DATABASE_URL=f"sqlite:///{Path(folder) / 'histories.sqlite3'}",
            DJANGO_SETTINGS_MODULE="app.django_project.settings",
        )
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        found = list(differences(given.seed, given.listings))
        kinds = _kinds()
    for line in found[:20]:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{given.listings} listings, {kinds}: {len(found)} differences\n")
    return 1 if found else 0


def _kinds() -> str:
    from app.domains.realestate.models import ArticleChange

    counted = Counter(ArticleChange.objects.values_list("change_type", flat=True))
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counted.items()))


if __name__ == "__main__":
    sys.exit(main())
