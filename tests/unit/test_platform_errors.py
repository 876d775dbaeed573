"""Errors of the platform: each speaks two languages, has a code of its own, and survives pickling as Celery needs it."""

import pickle

import pytest
from celery.utils.serialization import get_pickleable_exception

from app.core.errors import (
    AccessRefusedError,
    NotConfiguredError,
    PlatformError,
    RateLimitedError,
    ServerUnavailableError,
    ShapeChangedError,
    TokenExpiredError,
    TokensRejectedError,
    UnknownUserError,
    UpstreamRejectedError,
    UpstreamUnavailableError,
)
from app.domains.realestate.errors import BriefingUndeliveredError, CrawlStoppedError, CrawlUnderWayError
from app.domains.velog.errors import (
    AllStatisticsFailedError,
    EmptyListError,
    InactiveUserError,
    NoSuchGroupError,
    TookTooLongError,
)

REFUSED = UpstreamRejectedError("velog", "no", reason_ko="거절", status=400, code="NOT_FOUND")
ERRORS = [
    NotConfiguredError(setting="X", needed_for="y"),
    ServerUnavailableError(server="Redis", reason="gone"),
    UpstreamUnavailableError("velog", "no answer"),
    RateLimitedError("velog", "slower", 12.5),
    REFUSED,
    TokenExpiredError("naver", "401", reason_ko="401", setting="X"),
    AccessRefusedError("naver", "403", reason_ko="403"),
    CrawlStoppedError(reason="no token", reason_ko="토큰 없음"),
    CrawlUnderWayError(complex_id="1", run_id="a"),
    BriefingUndeliveredError(retryable=True, retry_after=3.0, channels="Slack", reason="503", reason_ko="503"),
    ShapeChangedError("velog", "odd"),
    TokensRejectedError(user_id=1, reason="old", reason_ko="만료"),
    UnknownUserError(user_id=1),
    InactiveUserError(user_id=1),
    EmptyListError(3),
    AllStatisticsFailedError(3, REFUSED),
    TookTooLongError(user_id=1, seconds=840),
    NoSuchGroupError(part=3, parts=2),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling_whole(error: PlatformError) -> None:
    assert get_pickleable_exception(error) is error
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), copy.text("ko"), copy.facts, copy.code, copy.retryable) == (
        str(error), error.text("ko"), error.facts, error.code, error.retryable,
    )  # fmt: skip
    assert getattr(copy, "retry_after", None) == getattr(error, "retry_after", None)


def test_each_code_is_one_kinds() -> None:
    kinds = [PlatformError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    homes = ("app.core.errors", "app.domains.realestate.errors", "app.domains.velog.errors")
    codes = [kind.code for kind in kinds if kind.__module__ in homes]
    assert len(codes) == len(set(codes))
