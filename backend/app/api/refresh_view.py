"""How a request to refresh a user's statistics is shown: where it stands, why it failed, and what somebody can do."""

from typing import Any

from app.api.refreshes import Request, failed_posts
from app.core import errors
from app.domains.velog import errors as velog_errors
from app.domains.velog.requests import user_of
from app.history.models import Run, State
from app.history.queries import UNSUCCESSFUL
from livebeat import clock
from livebeat.errors import Language

_TOO_LONG = velog_errors.TookTooLongError.code
_AGAIN = ("잠시 후 다시 요청하세요.", "Ask for it again in a while.")
_OPERATOR = ("관리자에게 문의하세요. 로그에 자세한 내용이 있습니다.", "Ask the operator; the log says more.")
#: By the error's code: what somebody can do, in Korean and English.
_ADVICE: dict[str, tuple[str, str]] = {
    errors.TokensRejectedError.code: ("대시보드에 다시 로그인하세요.", "Sign in to the dashboard again."),
    errors.UnknownUserError.code: ("사용자 ID를 확인하세요.", "Check the user's id."),
    errors.NotConfiguredError.code: ("이유에 적힌 설정을 추가하세요.", "Set what the reason names."),
    errors.RateLimitedError.code: _AGAIN,
    errors.UpstreamUnavailableError.code: _AGAIN,
    errors.ServerUnavailableError.code: _AGAIN,
    velog_errors.InactiveUserError.code: ("계정을 다시 활성화하세요.", "Activate the account again."),
    velog_errors.EmptyListError.code: _AGAIN,
    velog_errors.AllStatisticsFailedError.code: _AGAIN,
    _TOO_LONG: ("다시 요청하면 남은 게시글부터 이어서 처리합니다.", "Ask for it again: it goes on where it stopped."),
}
_OF_STATE: dict[str, tuple[str, str, str]] = {
    State.LOST: (
        "lost",
        "처리하던 워커가 여러 번 중단되었습니다. 다시 요청하세요.",
        "Its workers vanished. Ask for it again.",
    ),
    State.CANCELLED: ("cancelled", "필요하면 다시 요청하세요.", "Ask for it again if it is still wanted."),
    State.EXPIRED: ("expired", *_AGAIN),
}
_TIME_LIMITS = {"SoftTimeLimitExceeded": _TOO_LONG, "TimeLimitExceeded": _TOO_LONG}
UNEXPECTED = "unexpected"


def shown(request: Request, reader: Language) -> dict[str, Any]:
    """A request; what runs now may be ahead of what was recorded of it."""
    if request.live is None:
        return shown_row(request.row or Run(id=request.id), reader)
    live = request.live
    pushed_at = clock.from_epoch(live.pushed_at)
    row = request.row or Run(id=request.id, unique_key=live.unique, kind=live.run.kind, seen_at=pushed_at)
    return {**shown_row(row, reader), "status": live.state, "attempt": live.attempt}


def shown_row(run: Run, reader: Language) -> dict[str, Any]:
    """A request as its run was recorded. `failedPosts`: of how many posts a successful one got no statistics."""
    return {
        "requestId": run.id,
        "userId": user_of(run.unique_key),
        "status": run.state,
        "requestedAt": run.dispatched_at or run.seen_at,
        "startedAt": run.started_at,
        "finishedAt": run.finished_at,
        "attempt": run.attempt,
        "kind": run.kind,
        "progress": run.progress if run.finished_at is None else None,
        "reason": run.error,
        "code": code_of(run.state, run.error_class) if run.state in UNSUCCESSFUL else None,
        "advice": _advice(run, reader) if run.state in UNSUCCESSFUL else None,
        "result": run.result,
        "failedPosts": failed_posts(run),
    }


def code_of(state: str, error_class: str | None) -> str:
    """The name of the reason for programs."""
    return _OF_STATE[state][0] if state in _OF_STATE else _codes().get(error_class or "", UNEXPECTED)


def places_of(code: str) -> tuple[list[str], list[str]]:
    """The states, and the error classes of failed runs, that a code stands for."""
    states = [state for state, (name, *_) in _OF_STATE.items() if name == code]
    return states, [name for name, found in _codes().items() if found == code]


def known_classes() -> list[str]:
    """The classes of all errors that have a code; a run that failed with another is `UNEXPECTED`."""
    return list(_codes())


def _codes() -> dict[str, str]:
    found = dict(_TIME_LIMITS)
    classes: list[type[errors.PlatformError]] = [errors.PlatformError]
    while classes:
        of = classes.pop()
        found[of.__name__] = of.code
        classes += of.__subclasses__()
    return found


def _advice(run: Run, reader: Language) -> str:
    in_state = _OF_STATE.get(run.state)
    ko, en = in_state[1:] if in_state else _ADVICE.get(code_of(run.state, run.error_class), _OPERATOR)
    return en if reader == "en" else ko
