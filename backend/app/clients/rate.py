"""One rate limit a service, shared by every process that uses the same Redis.

Redis keys, both of which expire by themselves:

    app:rate:<service>         hash, when the next request may go out
    app:rate:<service>:hold    string, there as long as the service asked everybody to wait (its Retry-After)

Guarantees: requests are given out one by one, evenly spaced, never faster than the setting, by Redis' own clock; after
a Retry-After no process asks again before its end. It doesn't queue fairly: whoever asks at the right moment goes next.

Even spacing (GCRA without bursts), not a log of the last window: measured with four waiting threads, the log let a
twenty-first request into a window of twenty, because a waiter dates its request by what it meant to sleep. Here a date
that lags behind only waits longer.
"""

import threading
from fractions import Fraction

import redis
from pyrate_limiter import GCRA, AbstractClock, Limiter, Rate, RedisStateStore, SingleBucketFactory, StateBucket

from app.core.errors import RateLimitedError

#: A service that asks for more than a day's rest is misunderstood rather than obeyed.
LONGEST_HOLD_SECONDS = 24 * 3600
#: How long a request may queue for our own limit before its run had better come back later.
QUEUE_SECONDS = 60.0
_REDIS_TIMEOUT_SECONDS = 5.0


def rate_limited(service: str, reason: str, reason_ko: str, retry_after: float | None) -> RateLimitedError:
    """A RateLimitedError that says its reason in both languages."""
    error = RateLimitedError(service, reason, retry_after)
    error.facts["reason_ko"] = reason_ko
    return error


class _ServerClock(AbstractClock):
    """Redis' time in milliseconds, so that hosts whose clocks differ still share one limit."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def now(self) -> int:
        seconds, microseconds = self._client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000


class SharedRate:
    """The right to send one request to `service`, given out at `per_second` over all processes."""

    def __init__(self, service: str, *, per_second: float, redis_url: str) -> None:
        self.service = service
        self._key = f"app:rate:{service}"
        exact = Fraction(per_second).limit_denominator(1000) or Fraction(1, 1000)
        self._rate = Rate(exact.numerator, exact.denominator * 1000, burst=1)
        self._redis = redis.Redis.from_url(
            redis_url, socket_timeout=_REDIS_TIMEOUT_SECONDS, socket_connect_timeout=_REDIS_TIMEOUT_SECONDS
        )
        store = RedisStateStore(self._redis, self._key)
        bucket = StateBucket([self._rate], GCRA(), store, _ServerClock(self._redis))
        # No leaker thread: there is nothing to leak, and threads don't survive a fork.
        self._limiter = Limiter(SingleBucketFactory(bucket, schedule_leak=False), buffer_ms=1)

    def acquire(self, patience_seconds: float) -> float:
        """Wait for the right to send one request; returns the seconds waited because of a hold.

        Raises:
            RateLimitedError: the service's hold outlasts `patience_seconds`, or our own limit leaves no room for long.
        """
        held = self._wait_out_hold(patience_seconds)
        while True:
            self._take_turn()
            more = self._wait_out_hold(patience_seconds - held)  # somebody was told to wait while we queued
            if not more:
                return held
            held += more

    def hold(self, seconds: float) -> None:
        """Let no process send before `seconds` have passed: the service asked for it."""
        milliseconds = int(min(seconds, LONGEST_HOLD_SECONDS) * 1000)
        if milliseconds > 0:
            self._redis.set(f"{self._key}:hold", "1", px=milliseconds)

    def close(self) -> None:
        """Give the connection back."""
        self._redis.close()

    def _take_turn(self) -> None:
        wait = max(QUEUE_SECONDS, self._rate.interval / self._rate.limit / 1000 * 2)
        if not self._limiter.try_acquire(self.service, timeout=wait):
            reason = f"our own limit of {self._rate} left no room within {wait:g} s"
            reason_ko = f"자체 요청 한도({self._rate})에 {wait:g}초 동안 여유가 없었습니다"
            raise rate_limited(self.service, reason, reason_ko, wait)

    def _wait_out_hold(self, patience_seconds: float) -> float:
        left = self._redis.pttl(f"{self._key}:hold")
        seconds = max(0, int(left)) / 1000
        if seconds > patience_seconds:
            reason = f"it asked for a pause that lasts {seconds:.0f} s more"
            reason_ko = f"{seconds:.0f}초 더 기다려 달라는 요청을 받았습니다"
            raise rate_limited(self.service, reason, reason_ko, seconds)
        if seconds:
            threading.Event().wait(seconds)
        return seconds
