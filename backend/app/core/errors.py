"""Every error of the platform. HTTP statuses belong to the API layer alone.

PlatformError (a livebeat.errors.LivebeatError: it speaks English and Korean)
├── NotConfiguredError         a setting is missing; names it
├── ServerUnavailableError     our own database or Redis does not answer: try again
├── UpstreamError              somebody else's service did not answer as it should; `service` names it
│   ├── UpstreamUnavailableError   no answer, 5xx, not JSON: try again
│   │   └── RateLimitedError       asked to slow down; `retry_after` seconds
│   ├── UpstreamRejectedError      it understood and refused: trying again doesn't help
│   └── ShapeChangedError          it answered something that we don't know: a person must look
├── TokensRejectedError        a velog user's tokens are expired or unreadable: sign in again
└── UnknownUserError           no such velog user
"""

from typing import Any

from livebeat.errors import LivebeatError


class PlatformError(LivebeatError):
    """Base. `retryable` tells whether the same call may succeed later; `code` is its name for programs, for good."""

    code = "error"
    retryable = False

    def __reduce__(self) -> Any:
        """Celery carries an error to the next attempt, and between processes, only if it survives pickling."""
        return _restored, (type(self), str(self), self.__dict__)


def _restored(kind: type[PlatformError], text: str, state: dict[str, Any]) -> PlatformError:
    error = kind.__new__(kind, text)
    error.__dict__.update(state)
    return error


class NotConfiguredError(PlatformError):
    """`setting` isn't set, and `needed_for` can't work without it."""

    en = "{setting} is not set; {needed_for} needs it."
    ko = "{setting} 설정이 없습니다. {needed_for}에 필요합니다."
    code = "not_configured"


class ServerUnavailableError(PlatformError):
    """A server of our own, `server`, does not answer."""

    en = "{server} is not available: {reason}"
    ko = "{server}에 연결할 수 없습니다: {reason}"
    code = "server_unavailable"
    retryable = True


class UpstreamError(PlatformError):
    """`service` did not answer as it should; `reason` says how."""

    en = "{service}: {reason}"
    ko = "{service}: {reason}"
    code = "upstream_failed"

    def __init__(self, service: str, reason: str, **facts: object) -> None:
        super().__init__(service=service, reason=reason, **facts)


class UpstreamUnavailableError(UpstreamError):
    """No answer, a server error, or something that isn't JSON."""

    en = "{service} is not available: {reason}"
    ko = "{service}에 연결할 수 없습니다: {reason}"
    code = "upstream_unavailable"
    retryable = True


class RateLimitedError(UpstreamUnavailableError):
    """Asked to slow down. `retry_after` is in seconds; None where the answer did not say."""

    en = "{service} asks us to slow down: {reason}"
    ko = "{service}의 요청 한도를 초과했습니다: {reason}"
    code = "rate_limited"

    def __init__(self, service: str, reason: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(service, reason)


class UpstreamRejectedError(UpstreamError):
    """Understood and refused (a 4xx, an error object): the same request would be refused again."""

    en = "{service} refused the request: {reason}"
    ko = "{service}가 요청을 거절했습니다: {reason}"
    code = "upstream_rejected"


class ShapeChangedError(UpstreamError):
    """Answered, but not in the shape that we know; never to be taken for "nothing there"."""

    en = "{service} answered in an unknown form: {reason}"
    ko = "{service}의 응답 형식이 바뀌었습니다: {reason}"
    code = "upstream_changed"


class TokensRejectedError(PlatformError):
    """The user's velog tokens are expired, revoked or can't be decrypted; they must sign in again."""

    en = "The velog tokens of user {user_id} are not accepted ({reason}); the user must sign in to the dashboard again."
    ko = "사용자 {user_id}의 velog 토큰을 사용할 수 없습니다 ({reason}). 대시보드에 다시 로그인해야 합니다."
    code = "tokens_rejected"


class UnknownUserError(PlatformError):
    """No velog user has this id."""

    en = "No velog user has the id {user_id}."
    ko = "ID가 {user_id}인 velog 사용자가 없습니다."
    code = "unknown_user"
