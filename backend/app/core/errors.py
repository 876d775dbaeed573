"""Errors that the platform shares; a domain has its own in its `errors.py`. HTTP statuses belong to the API layer alone.

PlatformError (a livebeat.errors.LivebeatError: it speaks English and Korean)
├── NotConfiguredError         a setting is missing; names it
├── ServerUnavailableError     our own database or Redis does not answer: try again
├── UpstreamError              somebody else's service did not answer as it should; `service` names it
│   ├── UpstreamUnavailableError   no answer, 5xx, not JSON: try again
│   │   └── RateLimitedError       asked to slow down; `retry_after` seconds
│   ├── UpstreamRejectedError      it understood and refused: trying again doesn't help
│   │   ├── TokenExpiredError          the operator's token has ended: put a new one into its file
│   │   └── AccessRefusedError         it doesn't serve this client at all: stop asking
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


class TokenExpiredError(UpstreamRejectedError):
    """The token that the operator supplied isn't accepted (any more); `setting` names its file."""

    en = "{service} does not accept the token ({reason}). It lives for about three hours: put a new one into {setting}."
    ko = "{service}의 토큰이 유효하지 않습니다 ({reason}). 유효 시간은 약 3시간입니다. {setting} 파일에 새 토큰을 넣으세요."
    code = "token_expired"


class AccessRefusedError(UpstreamRejectedError):
    """It doesn't serve this client, whatever it asks for; nothing here tries to get around that."""

    en = "{service} does not serve this client: {reason}. Stop the schedule, or ask the site for access."
    ko = "{service}가 이 클라이언트를 허용하지 않습니다: {reason}. 스케줄을 중지하거나 사이트에 접근 권한을 요청하세요."
    code = "access_refused"


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
