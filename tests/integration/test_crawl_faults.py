"""Every fault that the simulated site knows, at every step: what the crawl comes to, and that the next one heals it."""

import uuid
from dataclasses import dataclass
from typing import Any

import pytest

from app.clients.http import Patience
from app.core.errors import (
    AccessRefusedError,
    PlatformError,
    RateLimitedError,
    ShapeChangedError,
    TokenExpiredError,
    UpstreamUnavailableError,
)
from app.core.settings import Settings
from app.domains.realestate import crawls, services
from app.domains.realestate.errors import CrawlStoppedError
from app.domains.realestate.models import Article, ArticleChange, ArticleSnapshot, Complex, CrawlJob, OddAnswer
from livebeat import clock
from simulators import naver_land, world
from simulators.faults import GENERIC
from support.serving import Simulator

pytest_plugins = ["support.simulators"]
pytestmark = pytest.mark.django_db

NUMBER = "109208"
LISTED = sum(item["complexNo"] == NUMBER for item in world.listings().values())
STEPS = ("overview", "articles")


@dataclass(frozen=True)
class Outcome:
    """What comes of a fault: an error, or none; whether it is tried again, stops the crawl of all, is kept to look at."""

    error: type[PlatformError] | None = None
    again: bool = False
    stops: bool = False
    kept: bool = False


HEALS = Outcome(UpstreamUnavailableError, again=True)
FINE = Outcome()
CHANGED = Outcome(ShapeChangedError, kept=True)
OUTCOMES: dict[str, Outcome] = {
    "status_500": HEALS,
    "status_503": HEALS,
    "timeout": HEALS,
    "cut": HEALS,
    "html": HEALS,
    "bad_json": HEALS,
    "slow": FINE,
    "rate_limit": Outcome(RateLimitedError, stops=True),
    "redirect_404": Outcome(AccessRefusedError, stops=True, kept=True),
    "expired_token": Outcome(TokenExpiredError, stops=True),
    "shape": CHANGED,
    "loop": CHANGED,
    "bad_price": CHANGED,
    "empty": FINE,  # a crawl's first listing may be empty; a later one is not believed at once
    "moved": FINE,
}
#: Kinds that mean something to a list of listings alone.
OF_LISTS = {"loop", "empty", "moved", "bad_price"}


def test_no_kind_of_fault_is_forgotten() -> None:
    assert set(OUTCOMES) == GENERIC | naver_land.KINDS


def begun() -> str:
    """A crawl of all that has begun."""
    Complex.objects.create(complex_id=NUMBER, complex_name="시범반도유보라아이비파크4.0")
    crawl_id = str(uuid.uuid4())
    assert crawls.begin(crawl_id, crawl_id, "scheduled") == [NUMBER]
    return crawl_id


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", sorted(OUTCOMES))
def test_a_fault_has_its_outcome_and_the_next_execution_heals_it(
    platform: Settings, impatient: Patience, land: Simulator, kind: str, step: str
) -> None:
    expected = FINE if step == "overview" and kind in OF_LISTS else OUTCOMES[kind]
    crawl_id, run_id = begun(), str(uuid.uuid4())
    given: dict[str, Any] = {"settings": platform, "patience": impatient}
    land.fault(kind, step, times=None, delay=0.05 if kind == "slow" else 1.2, after=int(kind == "moved"))

    def execute(retries: int) -> PlatformError | None:
        try:
            services.crawl_complex(NUMBER, services.Execution(run_id, crawl_id, retries), **given)
        except PlatformError as error:
            return error
        return None

    error = execute(0)
    assert type(error) is (expected.error or type(None))
    job = CrawlJob.objects.get(job_id=run_id)
    if error is not None:
        assert (job.status, job.error_message) == ("pending" if expected.again else "failed", str(error))
        assert (services.retry_in(error, 0) is not None) == expected.again
        assert not Article.objects.exists()
        assert not ArticleSnapshot.objects.exists()
    assert OddAnswer.objects.exists() == expected.kept
    stopped = CrawlJob.objects.get(job_id=crawl_id).error_message
    assert stopped == (str(error) if expected.stops else None)

    land.faults()
    if stopped:
        crawls.begin(crawl_id, "the run that resumes", "scheduled")
    assert execute(1) is None
    job.refresh_from_db()
    assert (job.status, job.error_message) == ("success", None)
    if error is not None:
        assert job.articles_collected == Article.objects.filter(is_active=True).count() == LISTED
    services.crawl_complex(NUMBER, services.Execution(str(uuid.uuid4())), **given)
    assert Article.objects.filter(is_active=True).count() == LISTED
    assert not ArticleChange.objects.exclude(change_type="NEW").exists()


@pytest.mark.parametrize(
    ("kind", "retry_after", "again"), [("rate_limit", 60, True), ("status_503", 60, True), ("rate_limit", 3600, False)]
)
def test_a_rest_that_the_site_asks_for_is_kept_or_ends_the_crawl(
    platform: Settings, impatient: Patience, land: Simulator, kind: str, retry_after: float, again: bool
) -> None:
    crawl_id = begun()
    land.fault(kind, retry_after=retry_after)
    with pytest.raises(RateLimitedError) as caught:
        services.crawl_complex(NUMBER, services.Execution("r1", crawl_id, 0), settings=platform, patience=impatient)
    wait = services.retry_in(caught.value, 0)
    assert wait == (retry_after if again else None)
    assert bool(CrawlJob.objects.get(job_id=crawl_id).error_message) is not again
    with pytest.raises(RateLimitedError):  # a run of its own: the site's rest holds for everybody, and nothing is sent
        services.crawl_complex("900001", services.Execution("r2"), settings=platform, patience=impatient)
    assert len(land.requests()) == 1


def test_what_stopped_a_crawl_keeps_the_others_from_asking(
    platform: Settings, impatient: Patience, land: Simulator
) -> None:
    crawl_id = begun()
    given: dict[str, Any] = {"settings": platform, "patience": impatient}
    land.fault("rate_limit", times=None)
    with pytest.raises(RateLimitedError):
        services.crawl_complex("900001", services.Execution("r1", crawl_id, 0), **given)
    land.faults()
    asked = len(land.requests())
    with pytest.raises(CrawlStoppedError, match="slow down"):
        services.crawl_complex(NUMBER, services.Execution("r2", crawl_id, 0), **given)
    assert len(land.requests()) == asked
    job = CrawlJob.objects.get(celery_task_id="r2")
    assert (job.status, job.started_at) == ("failed", None)


def test_of_an_odd_answer_only_its_form_is_kept(platform: Settings, impatient: Patience, land: Simulator) -> None:
    land.change(set={"2553710000": {"articleNo": "kim@example.com 010-1234-5678", "realtorName": "김철수"}})
    with pytest.raises(ShapeChangedError):
        services.crawl_complex(NUMBER, services.Execution("r1"), settings=platform, patience=impatient)
    kept = OddAnswer.objects.get()
    assert (kept.step, kept.error, kept.run_id, kept.complex_id) == ("articles", "ShapeChangedError", "r1", NUMBER)
    assert '"isMoreData": true' in kept.form
    token = platform.naver_land_token_file.read_text() if platform.naver_land_token_file else ""
    for secret in ("kim", "1234", "김철수", token[:20]):
        assert secret not in kept.form + kept.reason


def test_odd_answers_do_not_pile_up(platform: Settings, impatient: Patience, land: Simulator) -> None:
    land.fault("redirect_404", times=None)
    OddAnswer.objects.bulk_create(
        OddAnswer(created_at=clock.now(), complex_id="1", step="overview", error="E", reason="r") for _ in range(250)
    )
    with pytest.raises(AccessRefusedError):
        services.crawl_complex(NUMBER, services.Execution("r1"), settings=platform, patience=impatient)
    assert OddAnswer.objects.count() == 200
    assert OddAnswer.objects.order_by("-pk")[0].run_id == "r1"
