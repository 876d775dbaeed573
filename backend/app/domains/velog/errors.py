"""What can end a statistics run beyond the platform's own errors.

InactiveUserError          the user's account is switched off
EmptyListError             velog lists no posts of a user who has some
AllStatisticsFailedError   velog gave no post's statistics; carries the first reason
TookTooLongError           the time limit of an attempt; what it wrote stays, and the next one goes on from there
NoSuchGroupError           a collection was asked for a group that there isn't
"""

from app.core.errors import PlatformError, UnknownUserError, UpstreamError


class InactiveUserError(UnknownUserError):
    """The user exists but is switched off; nothing is fetched for them."""

    en = "The velog user {user_id} is not active."
    ko = "ID가 {user_id}인 velog 사용자는 비활성 상태입니다."
    code = "inactive_user"


class EmptyListError(UpstreamError):
    """velog listed nothing where `count` posts are active: a broken answer looks like that."""

    en = "{service} lists none of the user's {count} posts."
    ko = "{service}가 사용자의 게시글 {count}개를 하나도 보여 주지 않습니다."
    code = "no_posts_listed"
    retryable = True

    def __init__(self, count: int) -> None:
        super().__init__("velog", "no posts", count=count)


class AllStatisticsFailedError(UpstreamError):
    """Not one post's statistics could be read. Worth another try exactly if the first failure was."""

    en = "{service} gave the statistics of none of {count} posts: {reason}"
    ko = "{service}에서 게시글 {count}개의 통계를 하나도 받지 못했습니다: {reason}"
    code = "no_statistics"

    def __init__(self, count: int, first: PlatformError) -> None:
        self.retryable = first.retryable
        super().__init__("velog", str(first), reason_ko=first.text("ko"), count=count)


class TookTooLongError(PlatformError):
    """An attempt met its soft time limit."""

    en = "Refreshing the statistics of user {user_id} took longer than {seconds:g} s."
    ko = "사용자 {user_id}의 통계 새로고침이 {seconds:g}초를 넘겼습니다."
    code = "too_long"
    retryable = True


class NoSuchGroupError(PlatformError):
    """`part` is none of 1 to `parts`."""

    en = "There is no group {part} of {parts}: write a part from 1 to the number of parts."
    ko = "{parts}개 그룹 중 {part}번째 그룹은 없습니다. part는 1부터 parts까지의 수여야 합니다."
    code = "no_such_group"
