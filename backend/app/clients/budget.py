"""A number of calls a day that an upstream allows, shared by every process that uses the same Redis.

Redis key: `app:budget:<service>:<yyyymmdd>`, a counter that ends with its day. Days are Korean ones, by Redis' clock.
"""

from datetime import UTC, datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from app.clients.rate import rate_limited, shared_client

SEOUL = ZoneInfo("Asia/Seoul")


class DailyBudget:
    """`calls` a day to `service`."""

    def __init__(self, service: str, *, calls: int, redis_url: str) -> None:
        self.service, self.calls = service, calls
        self._redis = shared_client(redis_url)

    def spend(self) -> None:
        """Count one call that is about to be made.

        Raises:
            RateLimitedError: today's are used up; `retry_after` reaches to midnight.
        """
        key, midnight, left = self._day()
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.set(key, 0, exat=midnight, nx=True)
            pipe.incr(key)
            _, count = cast("tuple[object, int]", tuple(pipe.execute()))
        if count > self.calls:
            raise rate_limited(
                self.service,
                f"today's {self.calls} calls are used up; more from midnight on (Korean time)",
                f"오늘의 호출 한도 {self.calls}회를 모두 사용했습니다. 자정 이후 다시 시도할 수 있습니다",
                left,
            )

    def exhaust(self) -> None:
        """The service says that today's calls are used up, whatever was counted here."""
        key, midnight, _ = self._day()
        self._redis.set(key, self.calls, exat=midnight)

    def _day(self) -> tuple[str, int, float]:
        seconds, _ = self._redis.time()
        now = datetime.fromtimestamp(seconds, UTC).astimezone(SEOUL)
        midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        left = (midnight - now).total_seconds()
        return f"app:budget:{self.service}:{now:%Y%m%d}", int(midnight.timestamp()), left
