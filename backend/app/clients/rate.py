"""One rate limit a service, shared by every process that uses the same Redis.

Redis keys, both of which expire by themselves:

    app:rate:<service>         string, when the next request may go out (Redis' microseconds)
    app:rate:<service>:hold    string, there as long as everybody waits, since the service asked to slow down

Guarantees: requests are given out one by one in the order in which they were asked for, evenly spaced, never faster than
the setting, by Redis' own clock; after a Retry-After no process asks again before its end. A turn that is not used, since
its process ended or a pause began, is lost, not made up for.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

import redis

from app.core.errors import RateLimitedError, ServerUnavailableError

#: A service that asks for more than a day's rest is misunderstood rather than obeyed.
LONGEST_HOLD_SECONDS = 24 * 3600
#: How long a request may queue for our own limit before its run had better come back later.
QUEUE_SECONDS = 60.0
_REDIS_TIMEOUT_SECONDS = 5.0
_TURN = """
-- Take the next turn. KEYS: 1 when it is, 2 hold. ARGV: 1 microseconds between two turns, 2 the longest wait for one.
-- Returns milliseconds that the hold lasts, or 0, and microseconds until the turn; one beyond the longest is not taken.
local hold = redis.call('PTTL', KEYS[2])
if hold > 0 then return {hold, 0} end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local turn = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0))
local wait = turn - now
if wait <= tonumber(ARGV[2]) then
  redis.call('SET', KEYS[1], string.format('%.0f', turn + ARGV[1]), 'PX', math.ceil((wait + ARGV[1]) / 1000))
end
return {0, wait}
"""
_HOLD = """
-- Let nobody send for a while; a hold that lasts longer stays. KEYS: 1 hold. ARGV: 1 milliseconds.
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], '1', 'PX', ARGV[1]) end
"""


def rate_limited(service: str, reason: str, reason_ko: str, retry_after: float | None) -> RateLimitedError:
    """A RateLimitedError that says its reason in both languages."""
    error = RateLimitedError(service, reason, retry_after)
    error.facts["reason_ko"] = reason_ko
    return error


@contextmanager
def _answering() -> Iterator[None]:
    """Redis' own errors under the platform's name; redis-py has tried again by then."""
    try:
        yield
    except redis.RedisError as error:
        raise ServerUnavailableError(server="Redis", reason=f"{type(error).__name__}: {error}") from error


@lru_cache(maxsize=4)
def shared_client(redis_url: str) -> redis.Redis:
    """This process's connections, shared by all runs and threads: opening one costs more than many turns."""
    return redis.Redis.from_url(
        redis_url, socket_timeout=_REDIS_TIMEOUT_SECONDS, socket_connect_timeout=_REDIS_TIMEOUT_SECONDS
    )


class SharedRate:
    """The right to send one request to `service`, given out at `per_second` over all processes."""

    def __init__(self, service: str, *, per_second: float, redis_url: str) -> None:
        self.service = service
        self._key = f"app:rate:{service}"
        self._per_second = per_second
        self._longest_wait = max(QUEUE_SECONDS, 2 / per_second)
        self._redis = shared_client(redis_url)
        self._turn, self._hold = self._redis.register_script(_TURN), self._redis.register_script(_HOLD)

    def acquire(self, patience_seconds: float) -> float:
        """Wait for the right to send one request; returns the seconds waited because of a hold.

        Raises:
            RateLimitedError: the service's hold outlasts `patience_seconds`, or our own limit leaves no room for long.
            ServerUnavailableError: Redis does not answer; nothing may be sent unasked.
        """
        held = 0.0
        while True:
            hold, wait = self._take_turn()
            _rest(wait)
            if not hold and wait:  # somebody may have been told to pause while we waited
                hold = self._hold_left()
            if not hold:
                return held
            self._refuse_pause(hold, patience_seconds - held)
            _rest(hold)
            held += hold

    def hold(self, seconds: float) -> None:
        """Let no process send before `seconds` have passed, since the service asked for it; a longer hold stays.

        Raises:
            ServerUnavailableError: Redis does not answer.
        """
        milliseconds = int(min(seconds, LONGEST_HOLD_SECONDS) * 1000)
        if milliseconds > 0:
            with _answering():
                self._hold([f"{self._key}:hold"], [milliseconds])

    def _take_turn(self) -> tuple[float, float]:
        """Seconds that a hold lasts, then nothing was taken; and seconds until the turn."""
        between, longest = round(1_000_000 / self._per_second), round(self._longest_wait * 1_000_000)
        with _answering():
            hold, microseconds = self._turn([self._key, f"{self._key}:hold"], [between, longest])
        wait = microseconds / 1_000_000
        if wait > self._longest_wait:
            reason = f"our own limit of {self._per_second:g} a second leaves no room for {wait:.0f} s"
            reason_ko = f"자체 요청 한도(초당 {self._per_second:g}회)에 {wait:.0f}초 동안 여유가 없습니다"
            raise rate_limited(self.service, reason, reason_ko, wait)
        return hold / 1000, wait

    def _hold_left(self) -> float:
        with _answering():
            return max(0, int(self._redis.pttl(f"{self._key}:hold"))) / 1000

    def _refuse_pause(self, seconds: float, patience_seconds: float) -> None:
        if seconds > patience_seconds:
            reason = f"it asked for a pause that lasts {seconds:.0f} s more"
            reason_ko = f"{seconds:.0f}초 더 기다려 달라는 요청을 받았습니다"
            raise rate_limited(self.service, reason, reason_ko, seconds)


def _rest(seconds: float) -> None:
    if seconds:
        threading.Event().wait(seconds)
