"""Every fault of the velog simulator at every step: the right end, nothing in false success, and a second run heals it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest

from app.clients.http import Patience
from app.core.errors import (
    PlatformError,
    RateLimitedError,
    ShapeChangedError,
    TokensRejectedError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from app.core.settings import Settings
from app.domains.velog.errors import AllStatisticsFailedError, EmptyListError
from app.domains.velog.models import Post, PostDailyStatistics, User
from app.domains.velog.services import ScraperTargetUser, put_user
from livebeat import clock
from simulators import world
from simulators.faults import GENERIC
from simulators.velog import KINDS
from support.serving import Simulator

pytest_plugins = ["support.simulators"]
pytestmark = pytest.mark.django_db

HARU = world.users()[0]
POSTS = {post.id for post in world.posts() if post.user_id == HARU.id and not post.is_temp}
#: What the simulator calls a step, and how many of its requests go well before the fault.
STEPS = {
    "who am I": ("currentUser", 0),
    "posts, page 1": ("posts", 0),
    "posts, page 2": ("posts", 1),
    "statistics": ("getStats", 0),
    "statistics, later": ("getStats", 30),
}
FINE = None
Ends = dict[str, type[PlatformError] | None]


def everywhere(end: type[PlatformError] | None) -> Ends:
    return dict.fromkeys(STEPS, end)


#: How a run ends whose every request of a step, from then on, meets the fault. FINE: it succeeds, and with all it should.
MATRIX: dict[str, Ends] = {
    "status_500": everywhere(UpstreamUnavailableError),
    "status_503": everywhere(UpstreamUnavailableError),
    "timeout": everywhere(UpstreamUnavailableError),
    "html": everywhere(UpstreamUnavailableError),
    "bad_json": everywhere(UpstreamUnavailableError),
    "cut": everywhere(UpstreamUnavailableError),
    "rate_limit": everywhere(RateLimitedError),
    "redirect_404": {
        **everywhere(UpstreamRejectedError),
        "statistics": AllStatisticsFailedError,
        "statistics, later": FINE,  # with the posts that failed: see PARTLY
    },
    "shape": everywhere(ShapeChangedError),
    "slow": everywhere(FINE),
    "expired_token": {**everywhere(TokensRejectedError), "statistics, later": FINE},
    "empty": {**everywhere(FINE), "posts, page 1": EmptyListError, "posts, page 2": UpstreamUnavailableError},
    "loop": {**everywhere(FINE), "posts, page 1": ShapeChangedError, "posts, page 2": ShapeChangedError},
    "not_found": {**everywhere(FINE), "statistics": AllStatisticsFailedError, "statistics, later": FINE},
    "unrelated_cookie": everywhere(FINE),
    "one_cookie": everywhere(FINE),
}
#: Faults by which velog refuses single posts: the run succeeds and says of how many posts it has no statistics.
PARTLY = {"redirect_404", "expired_token", "not_found"}
CASES = [(kind, step) for kind in MATRIX for step in STEPS]


@dataclass(frozen=True)
class Stage:
    """A user who was refreshed yesterday, with the tokens of then."""

    user: User
    settings: Settings
    patience: Patience
    now: datetime

    def refresh(self, run_id: str) -> dict[str, Any]:
        given = {"settings": self.settings, "patience": self.patience, "now": self.now}
        return ScraperTargetUser([self.user.pk], run_id, **given).run()


@pytest.fixture
def stage(platform: Settings, impatient: Patience) -> Stage:
    now = clock.now()
    pair = {kind: world.velog_token(HARU.id, now.timestamp(), kind) for kind in ("access_token", "refresh_token")}
    put_user({"velog_uuid": HARU.id, "group_id": HARU.group_id, **pair})
    stage = Stage(User.objects.get(), platform, impatient, now)
    for post in POSTS:  # as an earlier refresh left them: without any, an empty list would be none
        Post.objects.create(post_uuid=post, user=stage.user, title="as it was")
    return stage


def rows_of(run_id: str) -> int:
    return PostDailyStatistics.objects.filter(run_id=run_id).count()


def stored_tokens(user: User) -> tuple[str, str]:
    user.refresh_from_db()
    return user.access_token, user.refresh_token


def test_it_knows_every_fault_of_the_simulator() -> None:
    assert MATRIX.keys() == GENERIC | KINDS
    assert all(ends.keys() == STEPS.keys() for ends in MATRIX.values())


@pytest.mark.parametrize(("kind", "step"), CASES, ids=lambda value: str(value).replace(" ", "-"))
def test_a_fault_that_stays(stage: Stage, velog: Simulator, kind: str, step: str) -> None:
    before = stored_tokens(stage.user)
    at, after = STEPS[step]
    velog.fault(kind, at, times=None, after=after, delay=1.2 if kind == "timeout" else 0.001)
    expected = MATRIX[kind][step]
    if expected is FINE:
        summary = stage.refresh("first")
        failed = summary["failed_posts"]
        assert summary["posts"] == len(POSTS)
        assert summary["statistics"] == rows_of("first") == len(POSTS) - failed
        assert failed == (len(POSTS) - after if kind in PARTLY and step == "statistics, later" else 0)
        assert sum(summary["details"][0]["failures"].values()) == failed
    else:
        with pytest.raises(PlatformError) as caught:
            stage.refresh("first")
        assert type(caught.value) is expected
        assert rows_of("first") == (after if at == "getStats" else 0), "what was read before stays, and no more"
        assert caught.value.text("ko")
        assert caught.value.text("ko") != str(caught.value)
    assert not Post.objects.filter(is_active=False).exists()
    assert stored_tokens(stage.user) == before

    velog.faults()
    healed = stage.refresh("second")
    assert (healed["posts"], healed["statistics"], healed["failed_posts"]) == (len(POSTS), len(POSTS), 0)
    assert rows_of("second") == PostDailyStatistics.objects.count() == len(POSTS)


#: Faults of one request that the client doesn't get over by asking again.
NOT_ASKED_AGAIN = {"rate_limit", "redirect_404", "shape", "expired_token", "not_found", "empty", "loop"}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("kind", sorted(MATRIX.keys() - NOT_ASKED_AGAIN))
def test_one_bad_answer_is_asked_again_and_leaves_no_trace(
    stage: Stage, velog: Simulator, kind: str, step: str
) -> None:
    at, after = STEPS[step]
    velog.fault(kind, at, after=after, delay=1.2 if kind == "timeout" else 0.001)
    summary = stage.refresh("first")
    assert (summary["posts"], summary["statistics"], summary["failed_posts"]) == (len(POSTS), len(POSTS), 0)
    assert rows_of("first") == len(POSTS)
