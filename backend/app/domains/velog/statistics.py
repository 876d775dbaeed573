"""Reading the totals of a user's posts, several at once, and writing them as they come.

What an earlier attempt of the same run has written is not asked for again, so a run that was cut short goes on where it
stopped. A post that velog refuses is counted and passed over; a velog that is ill ends the reading at once.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from app.clients.velog import VelogClient
from app.core.errors import RateLimitedError, TokensRejectedError, UpstreamError, UpstreamRejectedError
from app.domains.velog import posts
from app.domains.velog.errors import AllStatisticsFailedError
from app.domains.velog.models import User
from livebeat import progress

logger = logging.getLogger(__name__)

#: Totals are read so many at a time, and written before the next ones are read.
CHUNK = 20
#: Requests of one user's run that are on their way at once.
THREADS = 8
#: So many failures in a row mean that velog is ill, not the posts.
FAILURES_IN_A_ROW = 5
#: velog's word for statistics of somebody else, and for those of an owner whose tokens have run out.
_NOT_THEIRS = "NO_PERMISSION"

_Result = posts.Totals | UpstreamError


@dataclass
class Reading:
    """How far a user's statistics are: rows of this run, and failed posts by the code of their error."""

    written: int
    failures: list[UpstreamError] = field(default_factory=list)
    in_a_row: int = 0

    @property
    def codes(self) -> dict[str, int]:
        """How many posts failed for which reason."""
        return dict(Counter(error.code for error in self.failures))

    def add(self, results: Sequence[_Result]) -> None:
        """Count the failures among the next results.

        Raises:
            UpstreamError: there is no use in asking on: told to slow down, or too many failures in a row.
        """
        failed = [result for result in results if isinstance(result, UpstreamError)]
        self.failures += failed
        for result in results:  # a post that velog refuses is no sign of illness
            well = isinstance(result, posts.Totals | UpstreamRejectedError)
            self.in_a_row = 0 if well else self.in_a_row + 1
        limited = next((error for error in failed if isinstance(error, RateLimitedError)), None)
        if limited is not None:
            raise limited
        if self.in_a_row >= FAILURES_IN_A_ROW:
            raise failed[-1]


def refresh_statistics(
    client: VelogClient, user: User, likes: Mapping[UUID, int], *, date: datetime, run_id: str | None
) -> Reading:
    """Read and write the totals of the posts in `likes` (by velog's id) for the day `date`.

    Raises:
        AllStatisticsFailedError: of no post could they be read.
        TokensRejectedError: velog takes none of the posts for the user's own.
        UpstreamError: velog is ill, or told us to slow down; what was read until then is written.
    """
    done = posts.written_by(run_id, user, date)
    reading = Reading(written=len(done & likes.keys()))
    left = [post for post in likes if post not in done]

    def read(post: UUID) -> _Result:
        try:
            return posts.Totals(post, client.stats(post), likes[post])
        except UpstreamError as error:
            logger.warning("no statistics of velog post %s: %s", post, error)
            return error

    # Not a `with`: at a time limit or a stop nobody may wait here for requests that are on their way.
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="velog-stats")
    try:
        for chunk in posts.batches(left, CHUNK):
            results = list(pool.map(read, chunk))
            reading.written += posts.put_statistics(
                [result for result in results if isinstance(result, posts.Totals)], date, run_id
            )
            reading.add(results)
            progress(reading.written + len(reading.failures), len(likes), "statistics")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    _refuse_nothing(reading, user)
    return reading


def _refuse_nothing(reading: Reading, user: User) -> None:
    if reading.written or not reading.failures:
        return
    if all(error.facts.get("code") == _NOT_THEIRS for error in reading.failures):
        raise TokensRejectedError(
            user_id=user.pk,
            reason="velog shows the statistics of none of the user's posts to them",
            reason_ko="velog가 사용자의 게시글 통계를 보여 주지 않습니다",
        )
    raise AllStatisticsFailedError(len(reading.failures), reading.failures[0])
