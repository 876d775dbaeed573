"""What can end a crawl or a briefing beyond the platform's own errors.

CrawlStoppedError          the crawl that this one is part of was stopped before it began
CrawlUnderWayError         the same complex is being crawled at this moment: try later
BriefingUndeliveredError   a channel didn't take the briefing; what it has is not sent again
"""

from app.core.errors import PlatformError


class CrawlStoppedError(PlatformError):
    """The crawl of all complexes was stopped before this one's turn; `reason` is what stopped it."""

    en = "Not crawled, since the crawl was stopped: {reason}"
    ko = "전체 수집이 중지되어 이 단지는 수집하지 않았습니다: {reason}"
    code = "crawl_stopped"


class CrawlUnderWayError(PlatformError):
    """Another run crawls the complex at this moment."""

    en = "Complex {complex_id} is being crawled by run {run_id} already."
    ko = "단지 {complex_id}은(는) 이미 수집 중입니다 (실행 {run_id})."
    code = "crawl_under_way"
    retryable = True


class BriefingUndeliveredError(PlatformError):
    """`channels` did not take all of a briefing; `retry_after` is in seconds, None where nobody asked to wait."""

    en = "The briefing was not delivered to {channels}: {reason}. What is missing goes out with the next attempt."
    ko = "브리핑을 {channels}에 보내지 못했습니다: {reason}. 보내지 못한 내용은 다음 시도에 전송합니다."
    code = "briefing_undelivered"

    def __init__(self, *, retryable: bool, retry_after: float | None, **facts: object) -> None:
        self.retryable, self.retry_after = retryable, retry_after
        super().__init__(**facts)
