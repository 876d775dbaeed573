"""When a failed process is started again, and when no more."""

from launcher.backoff import Backoff


def test_each_end_doubles_the_wait_and_the_fifth_within_a_minute_is_the_last() -> None:
    backoff = Backoff()
    assert [backoff.after_end(now, ran_seconds=1) for now in (0, 5, 10, 15, 20)] == [0.5, 1.0, 2.0, 4.0, None]


def test_a_process_that_had_run_for_half_a_minute_is_judged_afresh() -> None:
    backoff = Backoff()
    for now in (0, 1, 2, 3):
        backoff.after_end(now, ran_seconds=1)
    assert backoff.after_end(40, ran_seconds=31) == 0.5


def test_ends_longer_ago_than_a_minute_do_not_count() -> None:
    backoff = Backoff()
    assert [backoff.after_end(now, ran_seconds=1) for now in (0, 20, 40, 61, 82)] == [0.5, 1.0, 2.0, 2.0, 2.0]


def test_the_wait_has_an_upper_bound() -> None:
    backoff = Backoff(give_up_after=100)
    assert max(backoff.after_end(now, ran_seconds=1) or 0 for now in range(20)) == 10.0
