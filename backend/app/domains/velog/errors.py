"""What can end a statistics run beyond the platform's own errors.

InactiveUserError          the user's account is switched off
AllStatisticsFailedError   velog gave no post's statistics; carries the first reason
"""

from app.core.errors import PlatformError, UnknownUserError, UpstreamError


class InactiveUserError(UnknownUserError):
    """The user exists but is switched off; nothing is fetched for them."""

    en = "The velog user {user_id} is not active."
    ko = "ID가 {user_id}인 velog 사용자는 비활성 상태입니다."


class AllStatisticsFailedError(UpstreamError):
    """Not one post's statistics could be read. Worth another try exactly if the first failure was."""

    en = "{service} gave the statistics of none of {count} posts: {reason}"
    ko = "{service}에서 게시글 {count}개의 통계를 하나도 받지 못했습니다: {reason}"

    def __init__(self, count: int, first: PlatformError) -> None:
        self.retryable = first.retryable
        super().__init__("velog", str(first), reason_ko=first.text("ko"), count=count)
