"""The limit that all processes share, on a real server."""

import threading
from pathlib import Path

import pytest
import redis

from app.clients.rate import SharedRate
from app.core.errors import RateLimitedError, ServerUnavailableError


def test_several_holders_keep_within_one_limit(redis_url: str) -> None:
    def work() -> None:
        rate = SharedRate("velog", per_second=20, redis_url=redis_url)
        for _ in range(10):
            rate.acquire(1.0)
            with lock:
                sent.append(clock())

    client = redis.Redis.from_url(redis_url)

    def clock() -> float:
        seconds, microseconds = client.time()
        return int(seconds) + int(microseconds) / 1_000_000

    sent: list[float] = []
    lock = threading.Lock()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    assert len(sent) == 40
    sent.sort()
    # Between permission and our own note of it a thread may be late, so the windows are a little shorter here.
    assert max(sum(at <= other < at + 0.9 for other in sent) for at in sent) <= 20
    assert sent[-1] - sent[0] >= 39 / 20 - 0.1


def test_its_keys_expire(redis_url: str) -> None:
    rate = SharedRate("naver_land", per_second=2, redis_url=redis_url)
    rate.acquire(1.0)
    rate.hold(5)
    with redis.Redis.from_url(redis_url) as client:
        assert set(client.keys()) == {b"app:rate:naver_land", b"app:rate:naver_land:hold"}
        assert 0 < client.pttl("app:rate:naver_land") <= 1_000
        assert 0 < client.pttl("app:rate:naver_land:hold") <= 5_000


def test_a_hold_is_shared_and_outlasting_it_is_refused(redis_url: str) -> None:
    one, other = (SharedRate("velog", per_second=50, redis_url=redis_url) for _ in range(2))
    one.hold(0.1)
    assert 0 < other.acquire(1.0) <= 0.1
    one.hold(60)
    with pytest.raises(RateLimitedError) as caught:
        other.acquire(1.0)
    assert caught.value.retry_after == pytest.approx(60, abs=1)


def test_a_longer_hold_is_not_cut_short(redis_url: str) -> None:
    rate = SharedRate("velog", per_second=50, redis_url=redis_url)
    rate.hold(60)
    rate.hold(5)
    with pytest.raises(RateLimitedError) as caught:
        rate.acquire(1.0)
    assert caught.value.retry_after == pytest.approx(60, abs=1)
    rate.hold(90)
    with pytest.raises(RateLimitedError) as caught:
        rate.acquire(1.0)
    assert caught.value.retry_after == pytest.approx(90, abs=1)


def test_a_server_that_forgot_its_scripts_is_told_again(redis_url: str) -> None:
    rate = SharedRate("velog", per_second=50, redis_url=redis_url)
    rate.acquire(1.0)
    with redis.Redis.from_url(redis_url) as client:
        client.script_flush()
    rate.acquire(1.0)


@pytest.mark.parametrize("per_second", [0.001, 0.5, 2.5, 10.0, 1000.0])
def test_any_rate_gives_a_first_permit_at_once(redis_url: str, per_second: float) -> None:
    rate = SharedRate("velog", per_second=per_second, redis_url=redis_url)
    assert rate.acquire(0.0) == 0


def test_without_redis_nothing_may_be_sent_and_it_says_so(tmp_path: Path) -> None:
    rate = SharedRate("velog", per_second=50, redis_url=f"unix://{tmp_path}/nobody.sock")
    for step in (lambda: rate.acquire(1.0), lambda: rate.hold(5)):
        with pytest.raises(ServerUnavailableError, match="Redis") as caught:
            step()
        assert caught.value.retryable
